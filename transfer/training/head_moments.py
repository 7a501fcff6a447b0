"""Sums over features and targets from which a linear head follows: added up in one pass, and over parts of the data.

Of features x (d,) and targets y (k,), with a shift c near the mean of x, that parts of one set have in common, they are

    n,  sum (x - c),  sum (x - c)(x - c)',  sum y,  sum y^2,  sum (x - c) y'

in double precision. Those of two parts add up to those of both, and a set without one of its folds is a difference.

Source: Chan, Golub & LeVeque (1983), "Algorithms for computing the sample variance", The American Statistician 37.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transfer.errors import DataError, Problem
from transfer.specs import Progress, silent
from transfer.training.streaming import Stream

Array = NDArray[np.float64]
_CONSTANT = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums over n examples.

    Attributes:
        count: n.
        shift: (d,), c.
        sums: (d,) of x - c.
        gram: (d, d).
        targets: (k,) sums of y.
        squares: (k,) of y^2.
        cross: (d, k).
    """

    count: int
    shift: Array
    sums: Array
    gram: Array
    targets: Array
    squares: Array
    cross: Array

    def __add__(self, other: Moments) -> Moments:
        return self._with(other, 1)

    def __sub__(self, other: Moments) -> Moments:
        return self._with(other, -1)

    def _with(self, other: Moments, sign: int) -> Moments:
        return Moments(
            self.count + sign * other.count,
            self.shift,
            self.sums + sign * other.sums,
            self.gram + sign * other.gram,
            self.targets + sign * other.targets,
            self.squares + sign * other.squares,
            self.cross + sign * other.cross,
        )

    @property
    def mean(self) -> Array:
        """Of the features, (d,)."""
        return self.shift + self.sums / self.count

    @property
    def spread(self) -> Array:
        """Standard deviation of each feature, (d,); 0 for one that does not change."""
        central = self.sums / self.count
        spread = np.sqrt(np.maximum(np.diag(self.gram) / self.count - central**2, 0))
        return np.where(spread < _CONSTANT * np.maximum(1, np.abs(self.mean)), 0, spread)

    def about(self, mean: Array, wanted: Array) -> tuple[Array, Array, Array]:
        """Sums about other centres: of the features' products (d, d), of theirs with targets (d, k), of squares (k,).

        Args:
            mean: (d,) of the features.
            wanted: (k,) of the targets.
        """
        off = mean - self.shift
        gram = self.gram - np.outer(self.sums, off) - np.outer(off, self.sums) + self.count * np.outer(off, off)
        cross = self.cross - np.outer(self.sums, wanted) - np.outer(off, self.targets - self.count * wanted)
        return gram, cross, self.squares - 2 * wanted * self.targets + self.count * wanted**2


def sum_moments(
    stream: Stream,
    targets: Callable[[NDArray[np.int64]], Array],
    folds: NDArray[np.int64] | None = None,
    progress: Progress = silent,
) -> list[Moments]:
    """One pass over a stream: the moments of each fold, or of all examples as one.

    Args:
        stream: of m examples.
        targets: gives (b, k) of those of some numbers.
        folds: (m,) in which fold each is, from 0.
        progress: told how many were seen.

    Raises:
        DataError: if a feature is not finite, or rows have gone from the disk.
    """
    count = 1 if folds is None else int(folds.max()) + 1
    found: list[Moments] = []
    seen, bad = 0, 0
    for which, block in stream.blocks():
        bad += int(np.count_nonzero(~np.isfinite(block).all(1)))
        if bad:  # the others are counted, to say of how many
            continue
        if not found:
            found = _nothing(block.mean(0, dtype=np.float64), targets(which[:1]).shape[1], count)
        for fold in range(count):
            chosen = np.arange(len(which)) if folds is None else np.flatnonzero(folds[which] == fold)
            if len(chosen):
                found[fold] = _added(found[fold], block[chosen], targets(which[chosen]))
        seen += len(which)
        progress("summing up features", seen, len(stream))
    if bad:
        told = f"{bad} of {len(stream)} examples with NaN or infinity"
        raise DataError("Some features are not finite.", [Problem("features", "finite numbers", told)])
    return found


def _nothing(shift: Array, outputs: int, count: int) -> list[Moments]:
    d = len(shift)
    return [
        Moments(0, shift, np.zeros(d), np.zeros((d, d)), np.zeros(outputs), np.zeros(outputs), np.zeros((d, outputs)))
        for _ in range(count)
    ]


def _added(before: Moments, block: NDArray[np.float32], targets: Array) -> Moments:
    """With one more block; the large sums are added to in place."""
    x = block - before.shift
    np.add(before.gram, x.T @ x, out=before.gram)
    np.add(before.cross, x.T @ targets, out=before.cross)
    return Moments(
        before.count + len(block),
        before.shift,
        before.sums + x.sum(0),
        before.gram,
        before.targets + targets.sum(0),
        before.squares + (targets**2).sum(0),
        before.cross,
    )
