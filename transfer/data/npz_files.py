"""Reading arrays of an .npz file, none of which is believed about its size; pickled objects are refused."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from transfer.data.array_problems import array_error
from transfer.data.filling_arrays import fill_array, read_blocks
from transfer.errors import Problem

TRUSTED_BYTES = 2**30  # an array above this must not be compressed by more than
TRUSTED_RATIO = 100
MAX_EXAMPLES = 10**7
_DAMAGE = (OSError, EOFError, ValueError, TypeError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)

Choose = Callable[[Sequence[str]], Sequence[str]]


def read_npz_arrays(path: Path, choose: Choose, *, in_memory_bytes: int | None = None) -> dict[str, NDArray[Any]]:
    """Some arrays of an .npz file.

    Each one's header is read first, so that nothing is allocated on the word of a file that does not hold as much.

    Args:
        path: of the file.
        choose: the names of those to read, from the names of all; it refuses what lacks.
        in_memory_bytes: a larger array lies on the disk, as in `fill_array`; None for none. One in Fortran's order, and
            one of texts, are read whole.

    Raises:
        DataError: if it is not an .npz file, or an array is damaged or no array of numbers or texts.
    """
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            return _read_members(str(path), archive, path.stat().st_size, choose, in_memory_bytes)
    except _DAMAGE as error:
        raise array_error(
            str(path), [Problem(str(path), "an .npz file", str(error) or type(error).__name__)]
        ) from error


def holds_arrays(stream: BinaryIO) -> bool:
    """Whether a file is a zip archive with .npy members."""
    try:
        with zipfile.ZipFile(stream) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except _DAMAGE:
        return False


@dataclass(frozen=True, slots=True)
class _Header:
    """What a member says of its array, and where in it the values begin; `size_bytes` counts the header as well."""

    start: int
    is_fortran: bool
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    size_bytes: int


def _read_members(
    source: str, archive: zipfile.ZipFile, file_bytes: int, choose: Choose, in_memory_bytes: int | None
) -> dict[str, NDArray[Any]]:
    members: dict[str, zipfile.ZipInfo] = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise array_error(source, [Problem(source, "each array once", "a name that stands there twice")])
    wanted = {name: members[name] for name in choose(tuple(members))}
    headers = {name: _read_header(archive, info) for name, info in wanted.items()}
    problems = [
        Problem(name, found=fault)
        for name, info in wanted.items()
        if (fault := _fault(headers[name], info, file_bytes))
    ] or faults_of_lengths({name: header.shape[0] for name, header in headers.items()})
    if problems:
        raise array_error(source, problems)
    return {name: _read_array(archive, info, headers[name], in_memory_bytes) for name, info in wanted.items()}


def _read_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Header:
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in readers:
            raise ValueError(
                f"{info.filename} has the .npy version {version}, which no array of numbers or texts needs"
            )
        shape, is_fortran, dtype = readers[version](stream)
        start = stream.tell()
        return _Header(start, is_fortran, shape, dtype, start + prod(shape) * dtype.itemsize)


def _fault(header: _Header, info: zipfile.ZipInfo, file_bytes: int) -> str:
    """What is wrong with a member before it is read; empty where nothing is."""
    if header.dtype.hasobject:
        return "Python objects, which are never loaded: they may run code"
    if header.dtype.itemsize == 0 or not header.shape or min(header.shape) <= 0:
        return f"an empty array: shape {header.shape}, type {header.dtype}"
    if header.size_bytes != info.file_size:
        return f"its header promises {header.size_bytes} bytes and the file holds {info.file_size}"
    stored = min(info.compress_size, file_bytes)
    limit = stored if info.compress_type == zipfile.ZIP_STORED else max(TRUSTED_BYTES, TRUSTED_RATIO * stored)
    if info.file_size > limit:
        return f"{stored} bytes that claim to become {info.file_size}"
    return ""


def faults_of_lengths(counts: Mapping[str, int]) -> list[Problem]:
    """What is wrong with the lengths of arrays together, before one of them is read; classes count for nothing."""
    rows = {name: count for name, count in counts.items() if name.partition("_")[0] != "classes"}
    first = next(iter(rows))
    if rows[first] > MAX_EXAMPLES:
        return [Problem(first, f"at most {MAX_EXAMPLES} examples", str(rows[first]))]
    return [
        Problem(name, f"{rows[first]} {_called(name)}, one for each row of {first}", str(count))
        for name, count in rows.items()
        if count != rows[first]
    ]


def _called(name: str) -> str:
    return "rows" if name.partition("_")[0] == "x" else "labels"


def _read_array(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, header: _Header, in_memory_bytes: int | None
) -> NDArray[Any]:
    with archive.open(info) as stream:
        if in_memory_bytes is not None and not header.is_fortran and header.dtype.kind in "buif":
            stream.read(header.start)
            return fill_array(read_blocks(stream), header.shape, header.dtype, in_memory_bytes)
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        stream.read(1)  # the end, where zipfile compares the checksum
    return array
