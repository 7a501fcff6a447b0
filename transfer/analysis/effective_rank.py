"""How many directions features really use, streamed over batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_UNITS = 256  # whose covariance is kept; of wider features that many are drawn


@dataclass(frozen=True, slots=True)
class Scatter:
    """Sums over the features seen so far, from which their covariance follows.

    Attributes:
        chosen: (d,), which units are looked at, in order.
        count: examples seen; those with values that are not finite are left out.
        mean: (d,), of the features.
        products: (d, d), sum over the examples of the products of their distances from the mean.
    """

    chosen: NDArray[np.int64] = field(repr=False)
    count: int
    mean: NDArray[np.float64] = field(repr=False)
    products: NDArray[np.float64] = field(repr=False)

    @classmethod
    def empty(cls, units: int, *, seed: int = 0) -> Scatter:
        """Nothing seen of `units` units; of more than `MOST_UNITS` a sample is drawn with the seed."""
        chosen = np.arange(units)
        if units > MOST_UNITS:
            chosen = np.sort(np.random.default_rng(seed).choice(units, MOST_UNITS, replace=False))
        return cls(chosen, 0, np.zeros(len(chosen)), np.zeros((len(chosen), len(chosen))))

    def update(self, features: NDArray[Any]) -> Scatter:
        """These sums and those of more features, (n, units).

        Source: Chan, Golub & LeVeque (1979), for pairs of units.
        """
        rows = features[:, self.chosen].astype(np.float64)
        rows = rows[np.isfinite(rows).all(axis=1)]
        if not len(rows):
            return self
        mean = rows.mean(axis=0)
        distances, delta, total = rows - mean, mean - self.mean, self.count + len(rows)
        products = self.products + distances.T @ distances
        products += np.outer(delta, delta) * (self.count * len(rows) / total)
        return Scatter(self.chosen, total, self.mean + delta * (len(rows) / total), products)

    @property
    def effective_rank(self) -> float:
        """The exponential of -Σ p ln p, with p the singular values of the centred features, divided by their sum.

        Between 1 and the smaller of the units and the examples less one; 0 where nothing varies.

        Source: Roy & Vetterli (2007), "The effective rank: a measure of effective dimensionality", section 2.
        """
        return effective_rank(np.sqrt(np.maximum(np.linalg.eigvalsh(self.products), 0)))


def effective_rank(singular_values: NDArray[np.floating]) -> float:
    """The exponential of the entropy of singular values that are divided by their sum; 0 where all are 0.

    Those below 1e-7 of the largest are taken for rounding.

    Source: Roy & Vetterli (2007), section 2.
    """
    kept = singular_values[singular_values > 1e-7 * singular_values.max(initial=0.0)]
    if not len(kept):
        return 0.0
    p = kept / kept.sum()
    return float(np.exp(-(p * np.log(p)).sum()))
