"""A ridge head from moments: its penalty by folds that cost no further pass, and its optimum in closed form.

With standardised features z (n, d) and targets y (n, k), means taken off, it minimises

    sum_i |y_i - b - z_i W|^2  +  a n |W|^2          W = (Z'Z + a n I)^-1 Z'Y

What a fold f holds out is left by the head of the others, W and b, with squared errors of

    sum_f |y - b|^2  -  2 tr(W' Z_f'Y_f)  +  tr(W' Z_f'Z_f W)

where the sums of the fold are taken about the means of the others. They follow from its moments.

Source: Hoerl & Kennard (1970), "Ridge regression", Technometrics 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from transfer.training.head_moments import Moments

Array = NDArray[np.float64]
SHARES: tuple[float, ...] = tuple(float(a) for a in np.logspace(-6, 2, 17))
WITHOUT_FOLDS = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class RidgeHead:
    """The optimum, for features as they are.

    Attributes:
        kernel: (d, k).
        bias: (k,).
        share: a, the penalty as a share of the examples, that the folds chose.
        errors: mean squared error of held-out targets, for each share tried; empty without folds.
        folds: for each fold (kernel, bias) of the head that has not seen it, at that share.
    """

    kernel: Array
    bias: Array
    share: float
    errors: dict[float, float]
    folds: tuple[tuple[Array, Array], ...] = ()


def solve_ridge(folds: Sequence[Moments], *, shares: Sequence[float] = SHARES) -> RidgeHead:
    """The head of all folds together.

    Args:
        folds: their moments; of a single one nothing is chosen.
        shares: values of a to choose from, in rising order.
    """
    whole = reduce(add, folds) if len(folds) > 1 else folds[0]
    scale = np.divide(1, whole.spread, out=np.zeros_like(whole.spread), where=whole.spread > 0)
    if len(folds) < 2:
        kernel, bias = _Path(whole, scale).head(WITHOUT_FOLDS)
        return RidgeHead(kernel, bias, WITHOUT_FOLDS, {})
    totals, paths = np.zeros(len(shares)), [_Path(whole - fold, scale) for fold in folds]
    for fold, path in zip(folds, paths, strict=True):
        gram, cross, squares = fold.about(path.mean, path.wanted)
        totals += [_error(path.head(each)[0], gram, cross, squares) for each in shares]
    best = int(totals.argmin())
    kernel, bias = _Path(whole, scale).head(shares[best])
    errors = dict(zip(shares, (totals / (whole.count * len(bias))).tolist(), strict=True))
    return RidgeHead(kernel, bias, shares[best], errors, tuple(each.head(shares[best]) for each in paths))


def _error(kernel: Array, gram: Array, cross: Array, squares: Array) -> float:
    """Squared errors of a head, by sums about its own centres."""
    return float(squares.sum() - 2 * (kernel * cross).sum() + (kernel * (gram @ kernel)).sum())


class _Path:
    """The heads of some moments at any penalty, after one decomposition."""

    def __init__(self, moments: Moments, scale: Array) -> None:
        self.mean, self.wanted = moments.mean, moments.targets / moments.count
        self._scale, self._count = scale, moments.count
        gram, cross, _ = moments.about(self.mean, self.wanted)
        self._sizes, self._axes = eigh(gram * scale * scale[:, None], driver="evr", overwrite_a=True)
        self._along = self._axes.T @ (cross * scale[:, None])

    def head(self, share: float) -> tuple[Array, Array]:
        """(d, k) and (k,), on features as they are."""
        shrunk = self._along / (np.maximum(self._sizes, 0) + share * self._count)[:, None]
        kernel = (self._axes @ shrunk) * self._scale[:, None]
        return kernel, self.wanted - self.mean @ kernel
