"""Mean and variance over examples and positions, from those that each example has over its positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.moments import Moments


@dataclass(frozen=True, slots=True)
class PooledMoments:
    """What was seen so far, each example having as many positions.

    Attributes:
        means: of the examples' means.
        variances: of the examples' variances.
    """

    means: Moments
    variances: Moments

    @classmethod
    def empty(cls, channels: int) -> PooledMoments:
        """Nothing seen of `channels` channels."""
        return cls(Moments.empty(channels), Moments.empty(channels))

    @property
    def mean(self) -> NDArray[np.float64]:
        """(channels,); NaN for one that had values that are not finite."""
        return np.where(self.means.nonfinite > 0, np.nan, self.means.mean)

    @property
    def variance(self) -> NDArray[np.float64]:
        """(channels,): that between the examples' means, and the mean of those within the examples."""
        return self.means.variance + self.variances.mean

    def update(self, means: NDArray[Any], variances: NDArray[Any]) -> PooledMoments:
        """These and some more examples, (n, channels) each."""
        return PooledMoments(self.means.update(means), self.variances.update(variances))
