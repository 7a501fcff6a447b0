"""IDX files, in which the MNIST family comes (`train-images-idx3-ubyte.gz`): one array each, images or their labels.

Two zero bytes, a byte for the type, one for the number of axes, the sizes as big-endian numbers of four bytes, then the
values, big-endian, the last axis fastest; with or without gzip around it.

Source: LeCun, Cortes & Burges, The MNIST database of handwritten digits, "File formats for the MNIST database".
"""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.arrays import labelled_arrays
from transfer.data.filling_arrays import LengthError, fill_array, read_blocks
from transfer.data.labelled import LabelledSet
from transfer.data.npz_files import MAX_EXAMPLES, TRUSTED_BYTES, TRUSTED_RATIO
from transfer.data.wanted import EVERYTHING, Wanted
from transfer.errors import DataError, Problem

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"
_MOST_AXES = 32
_AS_IMAGES = "images and labels as two files beside each other: train-images-idx3-ubyte, train-labels-idx1-ubyte"
_ANEW = "take the file once more from where it came"
_DAMAGE = (OSError, EOFError, zlib.error, struct.error)


@dataclass(frozen=True, slots=True)
class _Header:
    """What a file says of its array, before a value is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size_bytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


def is_idx(path: Path, start: bytes) -> bool:
    """Whether a file that starts so is an IDX file; one compressed and damaged is taken for one by its name."""
    if not start.startswith(_GZIP):
        return start[:2] == b"\0\0" and len(start) > 3 and start[2] in _TYPES
    try:
        unpacked = zlib.decompressobj(wbits=31).decompress(start, 4)
    except zlib.error:
        unpacked = b""
    return is_idx(path, unpacked) if unpacked else "idx" in path.name.lower()


def read_idx(path: Path, wanted: Wanted = EVERYTHING) -> LabelledSet:
    """The images of an IDX file, with the labels that lie beside it: `images-idx3` becomes `labels-idx1`.

    Classes are the distinct numbers in order.

    Raises:
        DataError: if there are no such labels, or not as many, or a file is damaged.
    """
    images = read_idx_inputs(path)
    labels = _read(_labels_beside(path))
    if labels.ndim == 1 and len(labels) != len(images):
        raise DataError(
            f"{path} and its labels are of different sets.",
            [Problem(str(_labels_beside(path)), f"{len(images):,} labels, one for each image", f"{len(labels):,}")],
            "put the labels of these images beside them",
        )
    if wanted.group_by:
        problem = Problem(wanted.group_by, "an array of groups", "images and labels alone")
        raise DataError(f"{path} has no groups.", [problem], "leave out --group-by (group_by=…)")
    return labelled_arrays(images, labels, None, wanted, groups=None, source=str(path))


def read_idx_inputs(path: Path, *, in_memory_bytes: int | None = None) -> NDArray[Any]:
    """The images (n, …) of an IDX file alone, in this machine's byte order.

    Args:
        path: of the file.
        in_memory_bytes: a larger array lies on the disk, as in `fill_array`; None for none.

    Raises:
        DataError: if it holds labels, is damaged, or no IDX file.
    """
    return _read(path, in_memory_bytes, is_labels=False)


def _read(path: Path, in_memory_bytes: int | None = None, *, is_labels: bool = True) -> NDArray[Any]:
    """The array of a file.

    Raises:
        DataError: if it is damaged, promises what it does not hold, or has one axis where images are wanted.
    """
    with _reported(path), path.open("rb") as file:
        stream: IO[bytes] = gzip.GzipFile(fileobj=file) if _is_compressed(file) else file  # type: ignore[assignment]
        header = _read_header(path, stream)
        if len(header.shape) == 1 and not is_labels:
            raise _labels_given(path, header.shape[0])
        follow = path.stat().st_size - 4 - 4 * len(header.shape)
        _refuse_size(path, header, is_compressed=stream is not file, follow=follow)
        return fill_array(read_blocks(stream), header.shape, header.dtype, in_memory_bytes)


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """What a damaged file raises, as a DataError."""
    try:
        yield
    except LengthError as error:
        raise _damaged(path, error.expected, error.found) from error
    except _DAMAGE as error:
        raise _damaged(path, "an IDX file that is whole", str(error) or type(error).__name__) from error


def _is_compressed(file: IO[bytes]) -> bool:
    start = file.read(2)
    file.seek(0)
    return start == _GZIP


def _read_header(path: Path, stream: IO[bytes]) -> _Header:
    start = stream.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES:
        kinds = " ".join(f"{each:02x}" for each in _TYPES)
        raise _damaged(path, f"00 00, a type (one of {kinds}), the number of axes", start.hex(" ") or "no bytes")
    axes = start[3]
    if not 1 <= axes <= _MOST_AXES:
        raise _damaged(path, f"1 to {_MOST_AXES} axes", str(axes))
    shape = struct.unpack(f">{axes}I", stream.read(4 * axes))
    return _Header(shape, np.dtype(_TYPES[start[2]]))


def _refuse_size(path: Path, header: _Header, *, is_compressed: bool, follow: int) -> None:
    """Refuse sizes that the bytes behind the header cannot hold.

    Raises:
        DataError: in that case.
    """
    sizes = " x ".join(map(str, header.shape))
    if not header.size_bytes:
        raise _damaged(path, "sizes above 0", sizes)
    if header.shape[0] > MAX_EXAMPLES:
        raise _damaged(path, f"at most {MAX_EXAMPLES:,} examples", f"{header.shape[0]:,}")
    expected = f"{header.size_bytes:,} bytes of values for {sizes} {header.dtype.name}"
    if is_compressed:
        if header.size_bytes > max(TRUSTED_BYTES, TRUSTED_RATIO * follow):
            raise _damaged(path, expected, f"{follow:,} compressed bytes, which are too few")
    elif header.size_bytes != follow:
        raise _damaged(path, expected, f"{follow:,}")


def _damaged(path: Path, expected: str, found: str) -> DataError:
    return DataError(f"{path} is damaged, or no IDX file.", [Problem(str(path), expected, found)], _ANEW)


def _labels_given(path: Path, count: int) -> DataError:
    images = re.sub(r"idx\d+", "idx3", path.name.replace("labels", "images"))
    step = f"give the images, {images}" if images != path.name else f"give {_AS_IMAGES}"
    found = Problem(str(path), "images: an array of two or more axes", f"{count:,} labels: one axis")
    return DataError(f"{path} holds labels, not images.", [found], step)


def _labels_beside(path: Path) -> Path:
    """The file of the labels of a file of images.

    Raises:
        DataError: if there is none.
    """
    name = re.sub(r"idx\d+", "idx1", path.name.replace("images", "labels"))
    plain = name.removesuffix(".gz")
    names = [name, *(each for each in (plain, f"{plain}.gz") if each != name)]
    found = [each for each in names if each != path.name and (path.parent / each).is_file()]
    if found:
        return path.parent / found[0]
    if plain == path.name.removesuffix(".gz"):
        problem = Problem(str(path), "a name such as train-images-idx3-ubyte", path.name)
        raise DataError(f"Nothing says where the labels of {path} are.", [problem], f"name {_AS_IMAGES}")
    problem = Problem(str(path.parent), " or ".join(sorted(names)), "no file of that name")
    raise DataError(f"{path} has no labels beside it.", [problem], f"put {plain} there, or give another labelled set")
