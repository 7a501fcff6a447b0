"""Rows of one shape and type that wait on the disk, in a file that goes with them, until some are asked for."""

from __future__ import annotations

import errno
import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from transfer.errors import OutputError


@contextmanager
def spooling() -> Iterator[None]:
    """Around what writes to the disk for a while.

    Raises:
        OutputError: if the disk takes no more.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"Rows cannot be kept in {tempfile.gettempdir()}: {error.strerror or error}.",
            next_step="make room there, or name another folder in the variable TMPDIR",
        ) from error


def open_spool() -> IO[bytes]:
    """A file without a name, gone when nothing holds it any more."""
    return tempfile.TemporaryFile(prefix="transfer-rows-", buffering=0)


def write_whole(file: IO[bytes], content: bytes) -> None:
    """Write all of it.

    Raises:
        OSError: if the disk takes no more.
    """
    if file.write(content) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class SpooledRows:
    """So many rows, each written once or more and read in any order."""

    def __init__(self, count: int) -> None:
        self._is_there = np.zeros(count, bool)
        self._file: IO[bytes] | None = None
        self._shape: tuple[int, ...] = ()
        self._type = np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self._is_there)

    def missing(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some places whose rows were not written yet."""
        return places[~self._is_there[places]]

    def write(self, places: NDArray[np.int64], rows: NDArray[Any]) -> None:
        """Put rows (len(places), …) at some places.

        Raises:
            ValueError: if they are not as many, or of another shape or type than those before.
            OutputError: if the disk takes no more.
        """
        if self._file is None:
            self._shape, self._type = rows.shape[1:], rows.dtype
        if rows.shape != (len(places), *self._shape) or rows.dtype != self._type:
            wanted = f"{(len(places), *self._shape)} {self._type}"
            raise ValueError(f"rows are {wanted}, not {rows.shape} {rows.dtype}")
        with spooling():
            file = self._file or self._open()
            if len(places) and np.array_equal(places, np.arange(places[0], places[0] + len(places))):
                file.seek(int(places[0]) * self._size_bytes)
                write_whole(file, rows.tobytes())
            else:
                for place, row in zip(places.tolist(), rows, strict=True):
                    file.seek(place * self._size_bytes)
                    write_whole(file, row.tobytes())
        self._is_there[places] = True

    def read(self, places: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Rows at some places, (len(places), …); these alone are in memory.

        Raises:
            IndexError: if there is no such place.
            ValueError: if nothing was written to one.
        """
        if not self._is_there[places].all():
            raise ValueError("rows are asked for that were not written")
        rows = np.empty((len(places), *self._shape), self._type)
        for number, place in enumerate(places.tolist()):
            if self._file is not None:
                self._file.seek(place * self._size_bytes)
                rows[number] = np.frombuffer(self._file.read(self._size_bytes), self._type).reshape(self._shape)
        return rows

    def _open(self) -> IO[bytes]:
        self._file = open_spool()
        weakref.finalize(self, self._file.close)
        return self._file

    @property
    def _size_bytes(self) -> int:
        return prod(self._shape) * self._type.itemsize
