"""Rows of features that are too many for the memory, a block at a time, in the order of the disk.

stream = Stream.of(rows, places)            # rows of a store, (n, d); places of m of them
for which, block in stream.blocks():        # (b,) numbers among the m, (b, d)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from transfer.training.feature_rows import Rows

_BLOCK = 2**20  # numbers
_MEMORY = 2**32
_SPARSE = 8  # rows that lie there for each that is wanted, past which each is read for itself

Block = tuple[NDArray[np.int64], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Some rows.

    Attributes:
        rows: of all examples, on the disk or in memory.
        order: (m,) numbers of those that are streamed, as they lie on the disk.
        places: (m,) where each is among all.
        cuts: where in `order` each block begins, and the end of the last.
    """

    rows: Rows
    order: NDArray[np.int64]
    places: NDArray[np.int64]
    cuts: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Rows, places: NDArray[np.int64], *, memory_bytes: int = _MEMORY) -> Stream:
        """The rows at some places.

        Args:
            rows: (n, d) of all.
            places: (m,) of those to stream, m > 0.
            memory_bytes: of which a block takes a small part.
        """
        size = max(1, min(_BLOCK, memory_bytes // 128) // prod(rows.row_shape))
        part, place = rows.part[places], rows.place[places]
        order = np.lexsort((place, part))
        begins = np.flatnonzero(np.diff(part[order], prepend=-1) | np.diff(place[order] // size, prepend=-1))
        return cls(rows, order, places, np.append(begins, len(order)))

    def __len__(self) -> int:
        return len(self.order)

    @property
    def width(self) -> int:
        """Of a row, d."""
        return prod(self.rows.row_shape)

    @property
    def size_bytes(self) -> int:
        """That a pass reads from the disk, rows that lie between the wanted ones among them."""
        begins, ends = self.cuts[:-1], self.cuts[1:]
        place = self.rows.place[self.places[self.order]]
        between, wanted = place[ends - 1] + 1 - place[begins], ends - begins
        return int(np.where(between > _SPARSE * wanted, wanted, between).sum()) * 4 * self.width

    def blocks(self) -> Iterator[Block]:
        """All of them, in the order of the disk.

        Raises:
            DataError: if rows have gone from the disk.
        """
        for number in range(len(self.cuts) - 1):
            yield self._read(number)

    def _read(self, number: int) -> Block:
        which = self.order[self.cuts[number] : self.cuts[number + 1]]
        chosen = self.places[which]
        held, places = self.rows.held[int(self.rows.part[chosen[0]])], self.rows.place[chosen]
        first, end = int(places[0]), int(places[-1]) + 1
        if held.shard is None or held.values is not None or end - first > _SPARSE * len(places):
            found = held.read(places)
        else:
            found = held.shard.stretch(first, end)[places - first]
        return which, np.asarray(found, np.float32).reshape(len(which), -1)
