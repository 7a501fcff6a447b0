"""Count, mean, variance, skewness and kurtosis of each unit, streamed over batches in one pass."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FLAT_BLOCK = 2**17  # likewise, where units are not told apart
_SMALL, _LARGE = 1e-7, 1e7  # distances whose fourth powers single precision holds, and sums over a block of them
_BLOCK = 2**18  # numbers that are worked on at a time: memory stays bounded, and they stay in the cache


@dataclass(frozen=True, slots=True)
class Moments:
    """What was seen of each unit so far. Not finite values are counted and left out of everything else.

    Attributes:
        count: (units,), finite values seen.
        mean: (units,), of these; 0 where there are none.
        m2: (units,), sum of their squared distances from the mean.
        m3: (units,), sum of the third powers of these distances.
        m4: (units,), of the fourth.
        low: (units,), the smallest; infinity where there are none.
        high: (units,), the largest; minus infinity where there are none.
        nonfinite: (units,), NaN and infinite values seen.
    """

    count: NDArray[np.int64] = field(repr=False)
    mean: NDArray[np.float64]
    m2: NDArray[np.float64] = field(repr=False)
    m3: NDArray[np.float64] = field(repr=False)
    m4: NDArray[np.float64] = field(repr=False)
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    nonfinite: NDArray[np.int64] = field(repr=False)

    @classmethod
    def empty(cls, units: int) -> Moments:
        """Nothing seen of `units` units."""
        zeros, none = np.zeros(units), np.zeros(units, np.int64)
        return cls(none, zeros, zeros, zeros, zeros, np.full(units, np.inf), np.full(units, -np.inf), none)

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.count)

    @property
    def variance(self) -> NDArray[np.float64]:
        """(units,), of the values seen as a whole population, as batch normalization has it; NaN where none was."""
        return _divided(self.m2, self.count)

    @property
    def std(self) -> NDArray[np.float64]:
        """(units,), square root of the variance."""
        root: NDArray[np.float64] = np.sqrt(self.variance)
        return root

    @property
    def skewness(self) -> NDArray[np.float64]:
        """(units,), third central moment over the cube of the deviation; NaN where nothing varies."""
        return _divided(np.sqrt(self.count) * self.m3, self.m2**1.5)

    @property
    def kurtosis(self) -> NDArray[np.float64]:
        """(units,), fourth central moment over the squared variance, less the 3 of a Gaussian; NaN where none is."""
        return _divided(self.count * self.m4, self.m2**2) - 3

    @property
    def pooled(self) -> Moments:
        """Those of all values, as of one unit."""
        found = Moments.empty(1)
        halves = self
        while halves.units > 1:  # pairs, then pairs of pairs
            if halves.units % 2:
                found, halves = found.merge(halves._chosen(slice(-1, None))), halves._chosen(slice(None, -1))
            halves = halves._chosen(slice(0, None, 2)).merge(halves._chosen(slice(1, None, 2)))
        return found.merge(halves) if halves.units else found

    @property
    def rms(self) -> float:
        """Root mean square over all units; NaN where nothing was seen."""
        count = self.count.sum()
        return float(np.sqrt((self.m2 + self.count * self.mean**2).sum() / count)) if count else np.nan

    def _chosen(self, places: slice) -> Moments:
        return Moments(*(getattr(self, each.name)[places] for each in fields(self)))

    def update(self, values: NDArray[Any]) -> Moments:
        """These moments and those of some more values.

        Args:
            values: (n, …, units); everything before the last axis is counted alike.

        Raises:
            ValueError: if the last axis is not of `units`.
        """
        if values.ndim < 2 or values.shape[-1] != self.units:
            raise ValueError(f"expected (n, …, {self.units}), found {values.shape}")
        rows = values.reshape(-1, self.units)
        step = max(1, _BLOCK // max(1, self.units))
        return reduce(Moments.merge, (_of_block(rows[at : at + step]) for at in range(0, len(rows), step)), self)

    def merge(self, other: Moments) -> Moments:
        """The moments of both together.

        Raises:
            ValueError: if they are of different numbers of units.

        Source: Pébay (2008), "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order
        statistical moments", section 3.1; for the variance Chan, Golub & LeVeque (1979).
        """
        if self.units != other.units:
            raise ValueError(f"moments of {self.units} units and of {other.units}")
        ours, theirs = self.count.astype(np.float64), other.count.astype(np.float64)
        total = ours + theirs
        both = np.where(total > 0, total, 1.0)
        a, b = ours / both, theirs / both
        delta = np.where((ours > 0) & (theirs > 0), other.mean - self.mean, 0.0)
        weight = ours * b * delta  # n_a n_b / n · δ
        mean = np.where(ours > 0, self.mean + b * delta, other.mean)
        m2 = self.m2 + other.m2 + weight * delta
        m3 = self.m3 + other.m3 + weight * delta**2 * (a - b) + 3 * delta * (a * other.m2 - b * self.m2)
        m4 = self.m4 + other.m4 + weight * delta**3 * (a * a - a * b + b * b)
        m4 += 6 * delta**2 * (a * a * other.m2 + b * b * self.m2) + 4 * delta * (a * other.m3 - b * self.m3)
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        return Moments(self.count + other.count, mean, m2, m3, m4, low, high, self.nonfinite + other.nonfinite)


def moments_of(values: NDArray[Any]) -> Moments:
    """The moments of an array (n, …, units)."""
    return Moments.empty(values.shape[-1]).update(values)


def moments_of_all(values: NDArray[Any]) -> Moments:
    """The moments of all values of an array as those of one unit; a few times as fast as unit by unit.

    Distances are taken from the mean of each block in the type of the values, and summed in theirs; blocks are merged
    in float64.
    """
    flat, found = np.ascontiguousarray(values).ravel(), Moments.empty(1)
    for start in range(0, len(flat), _FLAT_BLOCK):
        found = found.merge(_of_flat_block(flat[start : start + _FLAT_BLOCK]))
    return found


def _of_flat_block(block: NDArray[Any]) -> Moments:
    mean = block.mean(dtype=np.float64)
    if not np.isfinite(mean):  # NaN and infinities are counted there
        return moments_of(block[:, None])
    centre, low, high = block.dtype.type(mean), block.min(), block.max()
    scale = max(float(high) - float(centre), float(centre) - float(low))
    if scale and not _SMALL < scale < _LARGE:  # fourth powers would leave single precision
        return moments_of(block[:, None])
    distances = block - centre
    off = distances.mean(dtype=np.float64)  # what rounding the mean left
    squares = distances * distances
    m2, m3, m4 = (float(a @ b) for a, b in ((distances, distances), (squares, distances), (squares, squares)))
    n = len(block)
    return Moments(
        np.array([n]),
        np.array([centre + off]),
        np.array([m2 - n * off**2]),
        np.array([m3 - 3 * off * m2 + 2 * n * off**3]),
        np.array([m4 - 4 * off * m3 + 6 * off**2 * m2 - 3 * n * off**4]),
        np.array([low], np.float64),
        np.array([high], np.float64),
        np.zeros(1, np.int64),
    )


def _of_block(rows: NDArray[Any]) -> Moments:
    """Those of (n, units), in two passes."""
    values = rows.astype(np.float64)
    finite = np.isfinite(values)
    keep: Any = True if finite.all() else finite
    count = finite.sum(0)
    some = np.maximum(count, 1)
    low, high = values.min(0, where=keep, initial=np.inf), values.max(0, where=keep, initial=-np.inf)
    mean = values.sum(0, where=keep) / some
    off = (values - mean).sum(0, where=keep) / some  # by how much rounding put it beside the middle
    mean = np.where(low == high, low, mean + off)
    distances = values - mean
    squares = distances * distances
    m2, m3, m4 = (each.sum(0, where=keep) for each in (squares, squares * distances, squares * squares))
    return Moments(count, mean, m2, m3, m4, low, high, len(values) - count)


def _divided(above: NDArray[Any], below: NDArray[Any]) -> NDArray[np.float64]:
    """Their quotient, NaN where it divides by 0."""
    safe = np.where(below == 0, 1.0, below)
    return np.where(below == 0, np.nan, above / safe)
