"""Diagnosing the shipped MobileNetV2 on 1,000 images of 96 px, beside sending them through alone.

    python tests/benchmarks/bench_diagnosing.py

Prints seconds, also as a multiple of the plain pass over the same images, and the most memory that the process took.
"""

from __future__ import annotations

import resource
import time

import numpy as np

import transfer
from transfer.jobs.examples.feeding import make_feed
from transfer.models.building import read_model
from transfer.training.features import make_runner

IMAGES = 1000
SIZE = (96, 96)


def peak() -> int:
    """MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Restore once, then measure both."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (IMAGES, 12, 12, 3), np.uint8)
    data = transfer.from_arrays(np.kron(coarse, np.ones((1, 8, 8, 1), np.uint8)), np.arange(IMAGES) % 5)
    restored = transfer.restore("mobilenet_v2_imagenet")
    feed = make_feed(read_model(restored.model), data, size=SIZE)
    runner = make_runner(feed.network, 16)
    start = time.perf_counter()
    for batch in feed.batches(data, 16):
        runner(batch.images)
    plain, before = time.perf_counter() - start, peak()
    start = time.perf_counter()
    found = transfer.diagnose(restored, data, size=SIZE)
    seconds = time.perf_counter() - start
    print(f"plain pass {plain:.1f} s, {before} MiB; diagnose {seconds:.1f} s, {seconds / plain:.1f} x, {peak()} MiB")
    print(f"{len(found.activations)} activations, {len(found.gradients.layers)} layers with gradients")


if __name__ == "__main__":
    main()
