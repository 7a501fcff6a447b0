"""Solving a linear head on frozen features, to its optimum.

With standardised features z (n, d), labels y and k classes the head minimises

    sum_i -log softmax(z_i W + b)[y_i]  +  |W|^2 / (2 C)

which is convex. (Of two classes one difference w is penalised, |w|^2 / (2 C), and W = (-w/2, w/2).) Where d > n the
optimal W lies in the span of the examples: with the singular value decomposition z = U S V^T the problem in the n
coordinates U S has the same optimum, W = V A. C is chosen by cross-validated log
loss; folds share the standardisation and the rotation, which see no label.

Source: Hastie & Tibshirani (2004), "Efficient quadratic regularization for expression arrays", section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from transfer.errors import DataError, Problem
from transfer.specs import Progress, silent

PENALTIES: tuple[float, ...] = tuple(float(c) for c in np.logspace(-5, 1, 13))
FOLDS = 5
Start = tuple[NDArray[np.float64], NDArray[np.float64]]  # weights (d, k) and bias (k,) to start from
ITERATIONS = 2000


@dataclass(frozen=True, slots=True)
class SolvedHead:
    """The optimum, for features as they are.

    Attributes:
        kernel: (d, k).
        bias: (k,).
        penalty: the C that cross-validation chose.
        log_loss: cross-validated, in nats an example, for each C tried; empty where there were too few examples.
        accuracy: cross-validated, at the chosen C; None where there were too few examples.
    """

    kernel: NDArray[np.float32] = field(repr=False)
    bias: NDArray[np.float32] = field(repr=False)
    penalty: float
    log_loss: dict[float, float]
    accuracy: float | None


def solve_head(
    features: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    classes: int,
    *,
    seed: int = 0,
    penalties: Sequence[float] = PENALTIES,
    progress: Progress = silent,
) -> SolvedHead:
    """Fit a softmax head.

    Args:
        features: (n, d).
        labels: (n,), each in 0 … classes - 1, every class at least once.
        classes: k.
        seed: of the folds.
        penalties: values of C to choose from.
        progress: told of each fold.

    Raises:
        DataError: if a class has no example, or a feature is not finite.
    """
    counts = np.bincount(labels, minlength=classes)
    if len(counts) != classes or (counts == 0).any():
        raise DataError(
            "Some classes have no training example.",
            [Problem(f"class {k}", "at least 1 example", "0") for k in np.flatnonzero(counts == 0)],
        )
    if not np.isfinite(features).all():
        bad = int((~np.isfinite(features)).any(axis=1).sum())
        raise DataError(
            "Some features are not finite.",
            [Problem("features", "finite numbers", f"{bad} of {len(features)} examples with NaN or infinity")],
        )
    if classes < 2:
        raise DataError("A head needs at least two classes.", [Problem("classes", "at least 2", str(classes))])
    with threadpool_limits(
        1
    ):  # the matrices are small: threads would wait for each other, all the more on a busy machine
        return _solve(
            features, labels, seed=seed, penalties=penalties, folds=min(FOLDS, int(counts.min())), progress=progress
        )


def _solve(
    features: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    *,
    seed: int,
    penalties: Sequence[float],
    folds: int,
    progress: Progress,
) -> SolvedHead:
    mean, std = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)
    std[std < 1e-12] = 1.0
    reduced, rotation = _reduce((features - mean) / std)
    log_loss, accuracy = (
        _cross_validate(reduced, labels, list(penalties), folds, seed, progress) if folds > 1 else ({}, {})
    )
    penalty = min(log_loss, key=lambda c: log_loss[c]) if log_loss else float(np.median(penalties))
    weights, bias = _fit(reduced, labels, penalty, None)
    kernel = (weights if rotation is None else rotation @ weights) / std[:, None]
    return SolvedHead(
        kernel=kernel.astype(np.float32),
        bias=(bias - mean @ kernel).astype(np.float32),
        penalty=penalty,
        log_loss=log_loss,
        accuracy=accuracy.get(penalty),
    )


def _reduce(z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """(n, d) to (n, at most n) by an exact rotation; None where there is nothing to gain."""
    if z.shape[1] <= z.shape[0]:
        return z, None
    left, sizes, right = np.linalg.svd(z, full_matrices=False)
    kept = sizes > sizes[0] * len(sizes) * np.finfo(np.float64).eps if sizes[0] > 0 else np.arange(len(sizes)) < 1
    return left[:, kept] * sizes[kept], right[kept].T


def _cross_validate(
    z: NDArray[np.float64],
    labels: NDArray[np.integer[Any]],
    penalties: list[float],
    folds: int,
    seed: int,
    progress: Progress,
) -> tuple[dict[float, float], dict[float, float]]:
    """Mean log loss and accuracy of each C, from strong to weak regularisation with warm starts in each fold.

    Past the minimum the loss only grows, and weak regularisation costs most: two rises in a row end the path.
    """
    from sklearn.model_selection import StratifiedKFold  # slow to import

    splits = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(z, labels))
    starts: list[Start | None] = [None] * folds
    losses: dict[float, float] = {}
    hits: dict[float, float] = {}
    for tried, c in enumerate(sorted(penalties)):
        losses[c] = hits[c] = 0.0
        for fold, (train, held_out) in enumerate(splits):
            start = starts[fold] = _fit(z[train], labels[train], c, starts[fold])
            logits = z[held_out] @ start[0] + start[1]
            logits -= logits.max(1, keepdims=True)
            chosen = logits[np.arange(len(held_out)), labels[held_out]]
            losses[c] += float((np.log(np.exp(logits).sum(1)) - chosen).sum()) / len(z)
            hits[c] += float((logits.argmax(1) == labels[held_out]).sum()) / len(z)
        progress("choosing the regularisation", tried + 1, len(penalties))
        recent = list(losses.values())[-3:]
        if len(recent) == 3 and recent[0] < recent[1] < recent[2]:
            break
    return losses, hits


def _fit(
    z: NDArray[np.float64],
    labels: NDArray[np.integer[Any]],
    penalty: float,
    start: Start | None,
) -> Start:
    """Weights (d, k) and bias (k,) at the optimum for one C."""
    from sklearn.linear_model import LogisticRegression

    solver = LogisticRegression(C=penalty, max_iter=ITERATIONS, tol=1e-6, warm_start=True)
    if start is not None:
        binary = start[0].shape[1] == 2
        solver.classes_ = np.unique(labels)
        solver.coef_ = (start[0][:, 1:] - start[0][:, :1]).T if binary else start[0].T
        solver.intercept_ = start[1][1:] - start[1][:1] if binary else start[1]
    solver.fit(z, labels)
    if len(solver.classes_) == 2:  # one logit; half of it on either side is the same softmax and the same penalty path
        weights, bias = solver.coef_[0] / 2, solver.intercept_[0] / 2
        return np.stack([-weights, weights], axis=1), np.array([-bias, bias])
    return solver.coef_.T, solver.intercept_
