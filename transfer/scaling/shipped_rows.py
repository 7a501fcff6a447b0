"""Rows of features on their way to other machines: in blocks that Ray keeps, on the disk where they are many."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.scaling.clusters import load_ray
from transfer.training.batching import Features, Readable

_BLOCK_BYTES = 2**26


@dataclass(frozen=True, slots=True)
class ShippedRows:
    """Features of n examples, read from blocks; on one machine all processes look at the same memory.

    Attributes:
        blocks: what Ray keeps each by.
        rows: of a block; the last may have fewer.
        count: n.
    """

    blocks: tuple[Any, ...]
    rows: int
    count: int

    def __len__(self) -> int:
        return self.count

    def read(self, places: NDArray[np.intp]) -> NDArray[Any]:
        """Those of the examples at some places, (b, …)."""
        ray, found = load_ray(), None
        owners = places // self.rows
        for owner in np.unique(owners).tolist():
            chosen = np.flatnonzero(owners == owner)
            block = ray.get(self.blocks[owner])
            if found is None:
                found = np.empty((len(places), *block.shape[1:]), block.dtype)
            found[chosen] = block[places[chosen] - owner * self.rows]
        return np.empty((0,)) if found is None else found


def ship_rows(features: Features) -> ShippedRows:
    """Give rows to Ray, a block at a time: no more of them is in this process's memory."""
    ray, count = load_ray(), len(features)
    first = _read(features, np.arange(min(1, count)))
    rows = max(1, _BLOCK_BYTES // max(1, prod(first.shape[1:]) * first.dtype.itemsize))
    blocks = [ray.put(_read(features, np.arange(at, min(at + rows, count)))) for at in range(0, count, rows)]
    return ShippedRows(tuple(blocks), rows, count)


def _read(features: Features | Readable, places: NDArray[np.intp]) -> NDArray[Any]:
    return features[places] if isinstance(features, np.ndarray) else features.read(places)
