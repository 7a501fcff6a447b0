"""Scores with bounds beside the same 1,000 resamples scored by scikit-learn one by one, and splits of many labels.

    python tests/benchmarks/bench_scoring.py

Ratios are scikit-learn's time / ours. Of its resamples 20 are timed and counted 50 times.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score

from transfer.data.labelled_splits import split_labelled
from transfer.evidence.output_scoring import score_output
from transfer.evidence.resampling import RESAMPLES
from transfer.evidence.thresholds import find_thresholds
from transfer.labellings import Labelling, Output
from transfer.training.labelled_folds import folds_labelled

TIMED = 20


def main() -> None:
    """Print a line for each case."""
    for n, k in ((300, 5), (1000, 20), (10_000, 100)):
        compare(n, k)
        divide(n, k)


def compare(n: int, k: int) -> None:
    """Score one class of several, then labels."""
    random, classes = np.random.default_rng(0), tuple(f"c{place}" for place in range(k))
    wanted = random.integers(0, k, n)
    answers = np.where(random.random(n) < 0.7, wanted, random.integers(0, k, n))
    one, several = Output("one", classes=classes), Output("several", "sigmoid", classes)

    def classes_by_sklearn() -> None:
        rows = random.integers(0, n, n)
        f1_score(wanted[rows], answers[rows], average="macro")
        balanced_accuracy_score(wanted[rows], answers[rows])

    ours = seconds(lambda: score_output(one, wanted, answers, np.zeros((n, k)), seed=0))
    show(f"{n:,} examples, {k} classes", ours, seconds(classes_by_sklearn, TIMED) * RESAMPLES / TIMED)

    has = (random.random((n, k)) < 0.2).astype(np.int64)
    scores = np.clip(0.3 * has + 0.7 * random.random((n, k)), 0, 1)
    yes = (scores > 0.5).astype(np.int64)

    def labels_by_sklearn() -> None:
        rows = random.integers(0, n, n)
        f1_score(has[rows], yes[rows], average="macro")
        average_precision_score(has[rows], scores[rows], average="macro")

    ours = seconds(lambda: score_output(several, has, yes, scores, seed=0))
    show(f"{n:,} examples, {k} labels", ours, seconds(labels_by_sklearn, TIMED) * RESAMPLES / TIMED)
    print(f"{f'thresholds of {k} labels':32} {seconds(lambda: find_thresholds(several, has, scores, seed=0)):8.2f} s")


def divide(n: int, k: int) -> None:
    """Split and deal examples with many labels, some of them rare."""
    has = (np.random.default_rng(0).random((n, k)) < np.geomspace(0.5, 3 / n, k)).astype(np.int64)
    labelling = Labelling((Output("tags", "sigmoid", tuple(f"c{place}" for place in range(k))),))
    groups = np.random.default_rng(1).integers(0, n // 5, n)
    for name, work in (
        ("split", lambda: split_labelled(labelling, (has,), seed=0)),
        ("split by groups", lambda: split_labelled(labelling, (has,), seed=0, groups=groups)),
        ("five folds", lambda: folds_labelled(labelling, (has,), 5, 0)),
    ):
        print(f"{f'{n:,} x {k}, {name}':32} {seconds(work):8.2f} s")


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Of so many times."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    return time.perf_counter() - start


def show(name: str, ours: float, theirs: float) -> None:
    """One line."""
    print(f"{name:32} {ours:8.2f} s, scikit-learn {theirs:8.1f} s, ratio {theirs / ours:6.1f}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # scikit-learn's, of resamples that lack a rare label
    main()
