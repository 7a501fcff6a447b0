"""Solving heads of several outputs: 20 labels, a third of them missing, and 20 finer classes under 5.

    python tests/benchmarks/bench_solving_labels.py [EXAMPLES]

Features are 1,280 wide, as MobileNetV2 gives them. Beside it stands scikit-learn's logistic regression, label by label
on what is known, at the penalties that were chosen: without its search for them, which is 13 penalties of 5 folds.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression

from transfer.labellings import Output
from transfer.training.solving_outputs import solve_output

WIDTH, LABELS, SHARED = 1280, 20, 40


def main() -> None:
    """Time both kinds."""
    count = int((sys.argv[1:] or [1000])[0])
    random = np.random.default_rng(0)
    hidden = random.normal(size=(count, SHARED))
    features = hidden @ random.normal(size=(SHARED, WIDTH)) + 2 * random.normal(size=(count, WIDTH))
    features = np.maximum(features, 0).astype(np.float32)
    labels = (hidden @ random.normal(size=(SHARED, LABELS)) + 3 * random.normal(size=(count, LABELS)) > 0).astype(
        np.int64
    )
    labels[random.random(labels.shape) < 1 / 3] = -1
    tags = Output("tags", "sigmoid", tuple(f"tag{k}" for k in range(LABELS)))
    seconds, head = timed(lambda: solve_output(features, tags, labels, seed=0))
    theirs, _ = timed(lambda: by_scikit_learn(features, labels, head.parts[""].penalties))
    print(f"{count} x {WIDTH}, {LABELS} labels, a third missing: {seconds:.2f} s with cross-validation; ", end="")
    print(f"scikit-learn without {theirs:.2f} s, {theirs / seconds:.1f} x")
    under = tuple(np.repeat([f"class{k}" for k in range(5)], 4).tolist())
    kinds = Output("kind", classes=tuple(f"kind{k}" for k in range(20)), parent="what", under=under)
    values = (hidden @ random.normal(size=(SHARED, 20)) + 3 * random.normal(size=(count, 20))).argmax(1)
    seconds, _ = timed(lambda: solve_output(features, kinds, values, seed=0))
    print(f"{count} x {WIDTH}, 20 finer classes under 5: {seconds:.2f} s with cross-validation")


def timed(work):
    """(seconds of the best of three, what came of it)."""
    best, found = float("inf"), None
    for _ in range(3):
        start = time.perf_counter()
        found = work()
        best = min(best, time.perf_counter() - start)
    return best, found


def by_scikit_learn(features, labels, penalties) -> None:
    """A regression for each label, on standardised features."""
    z = (features - features.mean(0)) / np.maximum(features.std(0), 1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for column, penalty in enumerate(penalties):
            known = labels[:, column] >= 0
            LogisticRegression(C=penalty, max_iter=1000).fit(z[known], labels[known, column])


if __name__ == "__main__":
    main()
