"""Solving a head on 250 x 1280 features: the reduced problem against the same path without the reduction.

    python tests/benchmarks/bench_solving.py

Prints seconds for both, their ratio, and how far their probabilities differ.
"""

from __future__ import annotations

import time

import numpy as np

from transfer.training import solving

CLASSES, EACH, WIDTH = 5, 50, 1280


def main() -> None:
    """Run both, three times each, and print the medians."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), EACH)
    # As noisy as real features: neighbours overlap, so that the best penalty lies inside the grid.
    centres = random.normal(size=(CLASSES, WIDTH)) * 0.06
    features = np.maximum(random.normal(size=(len(labels), WIDTH)) + centres[labels], 0).astype(np.float32)
    reduced, ours = measure(lambda: solving.solve_head(features, labels, CLASSES), times=3)
    reduce_exactly, solving._reduce = solving._reduce, lambda z: (z, None)
    plain, theirs = measure(lambda: solving.solve_head(features, labels, CLASSES), times=1)
    solving._reduce = reduce_exactly
    gap = np.abs(probabilities(features, ours) - probabilities(features, theirs)).max()
    print(
        f"reduced {reduced:.2f} s, plain {plain:.2f} s, ratio {plain / reduced:.1f}, probabilities differ by {gap:.1e}"
    )


def measure(work, *, times: int):
    """Median seconds, and the last result."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), result


def probabilities(features, head):
    """(n, k)."""
    logits = features @ head.kernel + head.bias
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


if __name__ == "__main__":
    main()
