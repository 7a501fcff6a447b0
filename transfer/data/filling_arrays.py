"""Arrays from bytes that come in blocks: in memory, or past a size on the disk, in a file that goes with them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.spooled_rows import open_spool, spooling, write_whole

BLOCK_BYTES = 2**23  # a multiple of every number's size


class LengthError(ValueError):
    """Not as many bytes came as were promised.

    Attributes:
        expected: how many were promised.
        found: how many came.
    """

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"{expected} were promised and {found} came")
        self.expected, self.found = expected, found


def read_blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """All that a stream still holds, `BLOCK_BYTES` at a time."""
    return iter(partial(stream.read, BLOCK_BYTES), b"")


def fill_array(
    blocks: Iterator[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], in_memory_bytes: int | None = None
) -> NDArray[Any]:
    """An array of the bytes of all blocks, in this machine's byte order.

    No more memory is touched than bytes come, whatever the shape promises.

    Args:
        blocks: all but the last are of whole numbers.
        shape: of the array, the last axis fastest.
        dtype: as it comes, in either byte order.
        in_memory_bytes: a larger array is one that is read from the disk where it is asked for; None for none.

    Raises:
        LengthError: if other bytes come than so many numbers have.
        OutputError: if the disk takes no more.
    """
    promised = prod(shape) * dtype.itemsize
    checked = _counted(blocks, promised, dtype.itemsize)
    if in_memory_bytes is None or promised <= in_memory_bytes:
        values = np.empty(prod(shape), dtype.newbyteorder("="))
        start = 0
        for block in checked:
            numbers = np.frombuffer(block, dtype)
            values[start : start + len(numbers)] = numbers
            start += len(numbers)
        return values.reshape(shape)
    with spooling(), open_spool() as file:
        for block in checked:
            write_whole(file, np.frombuffer(block, dtype).astype(dtype.newbyteorder("="), copy=False).tobytes())
        return np.memmap(file, dtype.newbyteorder("="), "r", shape=shape)


def _counted(blocks: Iterator[bytes], promised: int, size: int) -> Iterator[bytes]:
    """The same blocks.

    Raises:
        LengthError: at the first that is too much, or at the end where it comes too early.
    """
    count = 0
    expected = f"{promised:,} bytes"
    for block in blocks:
        count += len(block)
        if count > promised:
            raise LengthError(expected, f"more, at least {count:,}")
        if len(block) % size == 0:  # else it breaks off within a number, and is the last
            yield block
    if count != promised:
        raise LengthError(expected, f"{count:,} bytes")
