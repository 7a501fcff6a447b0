"""Bounds by the bootstrap: how far a measure moves when the examples are drawn again, as many, with return.

    value_r = statistic(w_r)        w_r (n,): how often each example was drawn, r = 1 … 1,000

A statistic takes the counts of several resamples at once, (b, n), and gives (b, m), NaN where it is not defined.

Source: Efron & Tibshirani (1993), "An introduction to the bootstrap", chapters 6 and 13.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from transfer.output_scores import Measure

RESAMPLES = 1000
LEAST = 10  # examples or groups; fewer tell nothing of how a measure moves
_DEFINED = 0.9  # share of the resamples in which a measure must be defined
CACHED = 2**17  # counts at once that stay in the processor's cache
_BLOCK = 2**21  # counts at once

Floats: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrapped:
    """Some measures with their bounds.

    Attributes:
        values: (m,) of all examples; NaN where not defined.
        low: (m,), the 2.5 % quantile of the resamples; NaN where these do not tell.
        high: (m,), the 97.5 % quantile, likewise.
    """

    values: Floats
    low: Floats
    high: Floats

    def measures(self, names: Sequence[str], examples: Sequence[int] | NDArray[np.integer]) -> tuple[Measure, ...]:
        """The first of them under names, each over so many examples; those that are not defined are left out."""
        found = zip(names, self.values, self.low, self.high, examples, strict=False)
        return tuple(
            Measure(
                name,
                float(value),
                None if np.isnan(low) else float(low),
                None if np.isnan(high) else float(high),
                int(count),
            )
            for name, value, low, high, count in found
            if not np.isnan(value)
        )

    def __getitem__(self, places: slice) -> Bootstrapped:
        return Bootstrapped(self.values[places], self.low[places], self.high[places])


def bootstrap(statistic: Statistic, units: NDArray[np.int64], seed: int) -> Bootstrapped:
    """Values of a statistic with percentile bounds, widened to the value where they leave it out.

    There are none where units are fewer than `LEAST`, where no two resamples differ (all answers are right, say), or
    where a tenth of them leaves the statistic undefined.

    Args:
        statistic: of counts (b, n), to (b, m).
        units: (n,), n > 0, from 0 on without a gap: what is drawn as a whole; each example its own, or a group.
        seed: of the draws.
    """
    values = statistic(np.ones((1, len(units))))[0]
    nothing, count = np.full(len(values), np.nan), int(units.max()) + 1
    if count < LEAST:
        return Bootstrapped(values, nothing, nothing)
    drawn = np.concatenate([statistic(counts[:, units]) for counts in resamples(count, seed)])
    defined = np.isfinite(drawn).sum(0)
    low, high = _quantiles(drawn)
    low, high = np.fmin(low, values), np.fmax(high, values)
    tells = (defined >= _DEFINED * RESAMPLES) & (low < high)
    return Bootstrapped(values, np.where(tells, low, np.nan), np.where(tells, high, np.nan))


def resamples(count: int, seed: int, *, numbers: int = _BLOCK) -> Iterator[Floats]:
    """How often each of n units is drawn, in blocks (b, n) of 1,000 resamples in all.

    Args:
        count: n.
        seed: of the draws.
        numbers: about how many a block has.
    """
    random, size = np.random.default_rng(seed), max(1, numbers // count)
    for start in range(0, RESAMPLES, size):
        rows = min(size, RESAMPLES - start)
        drawn = random.integers(0, count, (rows, count)) + np.arange(0, rows * count, count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)


def _quantiles(drawn: Floats) -> tuple[Floats, Floats]:
    """Of each column, (m,), among what is defined; linear between neighbours."""
    in_order = np.sort(drawn, axis=0)  # NaN last
    last = np.maximum(np.isfinite(drawn).sum(0) - 1, 0)
    low, high = (_between(in_order, last * share) for share in (0.025, 0.975))
    return low, high


def _between(in_order: Floats, places: Floats) -> Floats:
    below = np.floor(places).astype(np.int64)
    above, columns = np.minimum(below + 1, len(in_order) - 1), np.arange(in_order.shape[1])
    lower, part = in_order[below, columns], places - below
    return np.where(part > 0, lower + part * (in_order[above, columns] - lower), lower)


def ratio(above: Floats, below: Floats) -> Floats:
    """Element by element; NaN where there is nothing to divide by."""
    nothing = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    return np.asarray(np.divide(above, below, out=nothing, where=below != 0), np.float64)


def mean_defined(values: Floats) -> Floats:
    """Over the last axis, of what is not NaN; NaN where nothing is."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0).sum(-1), defined.sum(-1).astype(np.float64))
