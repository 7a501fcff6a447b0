"""Features of pictures by a frozen MobileNetV2 at 160 px: through a store, the second time from it, and by `predict`.

    python tests/benchmarks/bench_features.py [PICTURES]

Every way ends with (n, 1280) features. First the network alone, from arrays of decoded pictures; then from JPEG files,
where `predict` gets all pictures decoded beforehand, which is counted, and a store decodes the next while it computes.
The ways run in turn, several times, and the best of each counts: these machines are noisy. The weights are those that
ship.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from PIL import Image

from transfer.data.inputs import read_inputs
from transfer.data.loading import ImageBatch
from transfer.graphs.freezing import freeze_all, unfreeze
from transfer.jobs.examples.feeding import make_feed
from transfer.jobs.students.preparing import prepare_student
from transfer.labellings import Labelling
from transfer.models.building import read_model
from transfer.models.restoring import restore_file
from transfer.specs import Restoring
from transfer.surgery.network import Network
from transfer.training.feature_keys import example_keys
from transfer.training.feature_store import FeatureStore
from transfer.training.prefixing import Piece, split_off_prefix

NAME, SIZE, ROUNDS = "mobilenet_v2_imagenet", (160, 160), 4
FIVE = Labelling.of_classes(tuple("abcde"))


def main() -> None:
    """Write pictures, run each way."""
    count = int((sys.argv[1:] or [256])[0])
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_pictures(Path(folder) / "pictures", count)
        student = prepare_student(restore_file(NAME, None, Restoring()), FIVE, at=None, drop_last=0, seed=0)
        feed = make_feed(read_model(student.model), pictures, size=SIZE)
        run_all(feed, pictures, Path(folder) / "cache")


def run_all(feed, pictures, cache) -> None:
    """Time the ways and print them."""
    network = read_model(feed.network)
    graph = unfreeze(freeze_all(network.graph), network.graph.outputs[0].layer)
    piece = Piece(
        split_off_prefix(Network(graph, network.tensors), [graph])[0],
        shape=(*feed.image.size, 3),
        feeding=feed.to_json(),
    )
    keys = example_keys(piece.key, [path.name for path in pictures.inputs])
    before_head = keras.Model(feed.network.inputs, feed.network.layers[-1].input)
    decoded = feed.load(pictures, 32)

    def arrays(_):
        for first in range(0, len(decoded), piece.batch_size):
            yield ImageBatch(first, decoded[first : first + piece.batch_size])

    def stored():
        return FeatureStore(cache).compute(piece, keys, lambda _: feed.batches(pictures, piece.batch_size)).values()

    def fresh():
        shutil.rmtree(cache, ignore_errors=True)
        return stored()

    alone = {
        "predict, batches of 32": lambda: before_head.predict(decoded, batch_size=32, verbose=0),
        "computed": lambda: FeatureStore().compute(piece, keys, arrays).values(),
    }
    from_files = {
        "predict, batches of 32": lambda: before_head.predict(feed.load(pictures, 32), batch_size=32, verbose=0),
        "computed and kept": fresh,
        "found": stored,
    }
    for title, ways in (("from arrays", alone), ("from JPEG files", from_files)):
        print_ratios(title, ways, len(pictures))


def print_ratios(title, ways, count):
    """Run the ways in turn and print each one's best beside the first one's."""
    results = [run() for run in ways.values()]  # traced and warm
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    gap = max(np.abs(each - results[0]).max() for each in results) / np.abs(results[0]).max()
    print(f"{title}: {count} pictures, best of {ROUNDS}; largest difference {gap:.1e} of the largest feature")
    slowest = next(iter(best.values()))
    for name, taken in best.items():
        print(f"{name:24} {count / taken:8.0f} images/s  {slowest / taken:6.2f} x predict")


def write_pictures(folder, count):
    """Smooth random JPEG files of 320 x 240, as photographs are rather than noise."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for k in range(count):
        small = Image.fromarray(random.integers(0, 256, (12, 16, 3), np.uint8))
        small.resize((320, 240), Image.Resampling.BICUBIC).save(folder / f"{k:05}.jpg", quality=90)
    return read_inputs([folder])


if __name__ == "__main__":
    main()
