"""Rows of features that are too many for the memory, a block at a time: in the order of the disk, or shuffled.

    stream = Stream.of(rows, places)                        # rows of a store, (n, d); places of m of them
    for which, block in stream.blocks():                    # (b,) numbers among the m, (b, d)
    for which, batch in stream.batches(1024, seed, epoch):  # each once, in an order that seed and epoch decide

In memory are a few blocks; of batches, what is shuffled together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from transfer.training.feature_rows import Rows

_BLOCK = 2**20  # numbers
_SHUFFLED_BYTES = 2**28
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
        shuffled_bytes: of rows that are shuffled together.
    """

    rows: Rows
    order: NDArray[np.int64]
    places: NDArray[np.int64]
    cuts: NDArray[np.int64]
    shuffled_bytes: int = _SHUFFLED_BYTES

    @classmethod
    def of(cls, rows: Rows, places: NDArray[np.int64], *, memory_bytes: int = 16 * _SHUFFLED_BYTES) -> Stream:
        """The rows at some places.

        Args:
            rows: (n, d) of all.
            places: (m,) of those to stream, m > 0.
            memory_bytes: a sixteenth of it is shuffled together, at most; it is there three times for a moment.
        """
        size = max(1, min(_BLOCK, memory_bytes // 128) // prod(rows.row_shape))
        part, place = rows.part[places], rows.place[places]
        order = np.lexsort((place, part))
        begins = np.flatnonzero(np.diff(part[order], prepend=-1) | np.diff(place[order] // size, prepend=-1))
        return cls(rows, order, places, np.append(begins, len(order)), min(_SHUFFLED_BYTES, memory_bytes // 16))

    def __len__(self) -> int:
        return len(self.order)

    @property
    def width(self) -> int:
        """Of a row, d."""
        return prod(self.rows.row_shape)

    def blocks(self) -> Iterator[Block]:
        """All of them, in the order of the disk.

        Raises:
            DataError: if rows have gone from the disk.
        """
        for number in range(len(self.cuts) - 1):
            yield self._read(number)

    def batches(self, size: int, seed: int, epoch: int) -> Iterator[Block]:
        """Each once; the last batch may be smaller.

        Args:
            size: of a batch.
            seed: of the order.
            epoch: likewise.

        Raises:
            DataError: if rows have gone from the disk.
        """
        random = np.random.default_rng([seed, epoch])
        held: list[Block] = []
        count, together = 0, max(size, self.shuffled_bytes // (4 * self.width))
        for number in random.permutation(len(self.cuts) - 1).tolist():
            held.append(self._read(number))
            count += len(held[-1][0])
            if count >= together:
                which, rows = _mixed(held, random)
                whole = count - count % size
                yield from _cut(which[:whole], rows[:whole], size)
                held, count = [(which[whole:].copy(), rows[whole:].copy())], count - whole
        if count:
            yield from _cut(*_mixed(held, random), size)

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


def _mixed(held: Sequence[Block], random: np.random.Generator) -> Block:
    which, rows = np.concatenate([each for each, _ in held]), np.concatenate([each for _, each in held])
    order = random.permutation(len(which))
    return which[order], rows[order]


def _cut(which: NDArray[np.int64], rows: NDArray[np.float32], size: int) -> Iterator[Block]:
    for start in range(0, len(which), size):
        yield which[start : start + size], rows[start : start + size]
