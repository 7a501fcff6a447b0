"""Groups of examples that stay together, as units numbered from 0 on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def number_groups(groups: NDArray[np.int64] | None, count: int) -> NDArray[np.int64]:
    """(n,), from 0 on without a gap: the group of each example; each its own where there are none."""
    return np.arange(count) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)


def sum_units(has: NDArray[np.bool_], units: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n, m) to (u, m): how many examples of each unit have each thing."""
    counts = np.zeros((int(units.max()) + 1, has.shape[1]), np.int64)
    np.add.at(counts, units, has)
    return counts
