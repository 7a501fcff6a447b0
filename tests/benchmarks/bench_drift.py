"""The look at the inputs that every fine-tuning run begins with, beside the features of the same pictures.

    python tests/benchmarks/bench_drift.py [PIXELS]

Prints seconds and a ratio: 32 pictures looked at, 250 pictures through the network, each with everything that is built
and traced for it. Both in turn, several times; the best of each counts.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from transfer.data.reading import read_labelled
from transfer.jobs.examples.checking_inputs import warn_of_inputs
from transfer.jobs.examples.feeding import make_feed
from transfer.models.building import read_model
from transfer.models.restoring import restore
from transfer.training.features import make_runner

DATA = Path(__file__).parents[2] / "examples" / "data" / "clipart"
BATCH, ROUNDS, EXAMPLES = 16, 3, 250


def main() -> None:
    """Restore, look, extract features."""
    pixels = int((sys.argv[1:] or [96])[0])
    network = read_model(restore("mobilenet_v2_imagenet").model)
    data = read_labelled(DATA).subset(range(EXAMPLES))
    feed = make_feed(network, data, size=(pixels, pixels))
    ways = {
        "look at the inputs": lambda: warn_of_inputs(feed, network, data, seed=0),
        "features": lambda: [*map(make_runner(feed.network, BATCH), feed.readable(data, BATCH))],
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    for name, taken in best.items():
        print(f"{name:20} {taken:6.2f} s  {taken / best['features']:5.2f} x the features")


if __name__ == "__main__":
    main()
