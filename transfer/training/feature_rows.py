"""Rows of features wherever they are kept, read in any order and a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.feature_shards import Shard
from transfer.data.loading import ImageBatch
from transfer.errors import Problem

Batches = Callable[[NDArray[np.int64]], Iterator[ImageBatch]]


@dataclass(slots=True, eq=False)
class Held:
    """Some rows, in memory, on the disk or both.

    Attributes:
        piece: key of what computed them.
        keys: (m,) bytes of 32 hex digits.
        values: (m, …); None where they are on the disk alone.
        shard: the same on the disk; None where they are in memory alone.
    """

    piece: str
    keys: NDArray[np.bytes_]
    values: NDArray[Any] | None = None
    shard: Shard | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all rows, (m, …)."""
        if self.values is not None:
            return self.values.shape
        return self.shard.shape if self.shard is not None else (0,)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of their values: float32, or bytes."""
        kept = self.values if self.values is not None else self.shard
        return kept.dtype.newbyteorder("=") if kept is not None else np.dtype(np.float32)

    @property
    def size_bytes(self) -> int:
        """What they take in memory, or would."""
        return prod(self.shape) * self.dtype.itemsize

    def read(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """Some rows, (len(places), …).

        Raises:
            DataError: if they were on the disk and have gone.
        """
        if self.values is not None:
            return self.values[places]
        if self.shard is None:
            raise ValueError("rows are in memory or on the disk")
        return self.shard.read(places)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Features of a set of examples, in its order.

    Attributes:
        held: where they are.
        part: (n,) which of `held` has an example's row; -1 for one that could not be read: its row is zeros.
        place: (n,) the row's place there.
        row_shape: of one example's features.
        failures: (place in the set, what is wrong) of examples that could not be read.
        store: that keeps them; it lives as long as they do.
    """

    held: tuple[Held, ...]
    part: NDArray[np.int32]
    place: NDArray[np.int64]
    row_shape: tuple[int, ...]
    failures: tuple[tuple[int, Problem], ...] = ()
    store: object = None

    def __len__(self) -> int:
        return len(self.part)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, …)."""
        return (len(self), *self.row_shape)

    def read(self, places: NDArray[np.integer]) -> NDArray[Any]:
        """The rows of some examples, (len(places), …), in any order; these alone are brought into memory.

        Raises:
            IndexError: if there is no such example.
            DataError: if rows have gone from the disk.
        """
        places = np.asarray(places, np.int64)
        parts, rows = self.part[places], self.place[places]
        dtype = self.held[0].dtype if self.held else np.float32
        found = np.zeros((len(places), *self.row_shape), dtype)
        for part in np.unique(parts[parts >= 0]).tolist():
            chosen = np.flatnonzero(parts == part)
            found[chosen] = self.held[part].read(rows[chosen])
        return found

    def values(self) -> NDArray[Any]:
        """All rows at once, (n, …)."""
        return self.read(np.arange(len(self)))

    def subset(self, places: NDArray[np.integer]) -> Rows:
        """The rows of some examples as a set of its own; nothing is read."""
        places = np.asarray(places, np.int64)
        problems = dict(self.failures)
        failures = tuple((k, problems[place]) for k, place in enumerate(places.tolist()) if place in problems)
        return replace(self, part=self.part[places], place=self.place[places], failures=failures)

    def batches(self, batch_size: int) -> Batches:
        """What brings these rows to another piece of the network: a function from places to batches in that order."""

        def batched(places: NDArray[np.int64]) -> Iterator[ImageBatch]:
            problems = dict(self.failures)
            for start in range(0, len(places), batch_size):
                chosen = places[start : start + batch_size]
                bad = tuple((start + k, problems[p]) for k, p in enumerate(chosen.tolist()) if p in problems)
                rows: NDArray[Any] = self.read(chosen)
                yield ImageBatch(start, rows, bad)

        return batched
