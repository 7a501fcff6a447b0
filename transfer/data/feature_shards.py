"""Cached features on the disk: files of some rows each, written once and whole, named by what they hold.

A shard is an HDF5 file with `keys`, (m,) of 32 hex digits, and `rows`, (m, …) float32 or bytes, in one piece. Its name
is the SHA-256 of its bytes. So a reader tells a damaged one before HDF5 looks into it; two processes that write the
same write it twice, to the same effect; and a writer that is killed leaves nothing under such a name.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from transfer.errors import DataError, Problem
from transfer.placing import clear_unfinished, make_folder, placed_file

NAME = re.compile(r"[0-9a-f]{64}\.h5")
_TYPES = (np.dtype("<f4"), np.dtype("u1"))
KEY = np.dtype("S32")


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """A file of rows that was found whole.

    Attributes:
        path: of the file.
        keys: (m,) bytes of 32 hex digits, what each row was made from.
        shape: of all rows, (m, …).
        dtype: of their values.
        offset: bytes in the file before the first row.
    """

    path: Path
    keys: NDArray[np.bytes_]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int

    @property
    def row_bytes(self) -> int:
        """What one row takes."""
        return prod(self.shape[1:]) * self.dtype.itemsize

    def read(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """Some rows, (len(places), …), each read for itself.

        Raises:
            DataError: if the file has gone or was cut since it was found.
        """
        rows = np.empty((len(places), *self.shape[1:]), self.dtype)
        flat = memoryview(rows.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        size = self.row_bytes
        try:
            with self.path.open("rb", buffering=0) as stream:
                for number, place in enumerate(places.tolist()):
                    stream.seek(self.offset + place * size)
                    if stream.readinto(flat[number * size : (number + 1) * size]) != size:
                        raise _gone(self.path, "a file that was cut")
        except OSError as error:
            raise _gone(self.path, error.strerror or str(error)) from error
        return rows.astype(self.dtype.newbyteorder("="), copy=False)

    def stretch(self, first: int, last: int) -> NDArray[Any]:
        """The rows from one place to before another, (last - first, …), in one piece.

        Raises:
            DataError: if the file has gone or was cut since it was found.
        """
        rows = np.empty((last - first, *self.shape[1:]), self.dtype)
        flat = memoryview(rows.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.offset + first * self.row_bytes)
                if stream.readinto(flat) != rows.nbytes:
                    raise _gone(self.path, "a file that was cut")
        except OSError as error:
            raise _gone(self.path, error.strerror or str(error)) from error
        return rows.astype(self.dtype.newbyteorder("="), copy=False)

    def mapped(self) -> NDArray[Any]:
        """All rows, (m, …), mapped from the disk and not to be written to.

        Raises:
            DataError: if the file has gone or was cut since it was found.
        """
        try:
            return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)
        except (OSError, ValueError) as error:
            raise _gone(self.path, str(error)) from error


def write_shard(folder: Path, keys: NDArray[np.bytes_], rows: NDArray[Any]) -> Shard:
    """Write rows with their keys as a new file of a folder, which is made where it is missing.

    Args:
        folder: of the shards.
        keys: (m,) bytes of 32 hex digits.
        rows: (m, …), m > 0; bytes stay bytes, all else becomes float32.

    Raises:
        OutputError: if it cannot be written.
    """
    dtype = _TYPES[rows.dtype == np.uint8]
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        file.create_dataset("keys", data=keys.astype(KEY))
        offset = file.create_dataset("rows", data=rows.astype(dtype, copy=False)).id.get_offset()
    make_folder(folder, "choose another folder for cached features")
    path = folder / f"{hashlib.sha256(image.getbuffer()).hexdigest()}.h5"
    with placed_file(path, force=True) as temporary:
        temporary.write_bytes(image.getbuffer())
    return Shard(path, keys.astype(KEY), rows.shape, dtype, offset)


def find_shards(folder: Path, known: Collection[str] = ()) -> Iterator[Shard]:
    """The whole shards of a folder, by name; damaged ones, and what killed writers left, are taken away.

    What cannot be read is not there: it is computed anew.

    Args:
        folder: of the shards; it need not be there.
        known: names of files that are passed over.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return
    with suppress(OSError):
        clear_unfinished(folder)
    for path in paths:
        if path.name in known or not NAME.fullmatch(path.name):
            continue
        shard = open_shard(path)
        if shard is not None:
            with suppress(OSError):  # not ours: whoever trims it cannot tell that it was used
                os.utime(path)
            yield shard


def open_shard(path: Path) -> Shard | None:
    """The shard at a path; None where it cannot be read; one with other bytes than its name tells is taken away."""
    try:
        with path.open("rb") as stream:
            if f"{hashlib.file_digest(stream, 'sha256').hexdigest()}.h5" == path.name:
                stream.seek(0)
                with h5py.File(stream, "r") as file:
                    rows = file["rows"]
                    return Shard(path, file["keys"][()], rows.shape, _TYPES[rows.dtype == "u1"], rows.id.get_offset())
        path.unlink()
    except (OSError, KeyError):
        return None
    return None


def _gone(path: Path, found: str) -> DataError:
    return DataError(
        f"Cached features in {path.parent} have changed while they were used.",
        [Problem(path.name, "the file that was found at the start", found)],
        next_step="run the same again: what is missing is computed anew",
    )
