"""Values of data sets: straight from the file where they lie in one piece, through a child where they do not."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.errors import Problem
from transfer.weights.guarding import DamagedError
from transfer.weights.isolating import Source, read_blocks
from transfer.weights.outline import OPAQUE, Dataset

SPARE_BYTES = 256 << 20
ALIGNMENT = 64  # bytes; EIGEN_MAX_ALIGN_BYTES


def read_datasets(
    sources: Sequence[Source], places: Iterable[Dataset], *, allowed_bytes: int | None = None
) -> Iterator[tuple[Dataset, NDArray[Any]]]:
    """Read data sets one by one, in native byte order, each array the caller's own.

    Args:
        sources: the HDF5 files.
        places: what to read.
        allowed_bytes: what compressed values may take in memory; None for twice the files and some.

    Yields:
        Those in one piece first, then the others.

    Raises:
        DamagedError: if values are not there, or compressed ones take more than is allowed.
    """
    packed: dict[int, list[Dataset]] = {}
    for place in places:
        if place.offset is None:
            packed.setdefault(place.source, []).append(place)
        else:
            yield place, _read_plain(sources[place.source], place, place.offset)
    allowed = sum(each.length for each in sources) * 2 + SPARE_BYTES if allowed_bytes is None else allowed_bytes
    _refuse_inflation([each for group in packed.values() for each in group], allowed)
    for number, wanted in packed.items():
        yield from _read_packed(sources[number], wanted)


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The type of that name in native byte order; those that numpy lacks are from ml_dtypes."""
    if name in OPAQUE:
        import ml_dtypes

        found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return found
    return np.dtype(name)


def _read_plain(source: Source, place: Dataset, offset: int) -> NDArray[Any]:
    dtype = numpy_dtype(place.dtype)
    values = _aligned(place.shape, dtype)
    if values.nbytes:
        with source.path.open("rb", buffering=0) as file:
            file.seek((source.start or 0) + offset)
            _fill(file, _bytes(values), place)
    foreign = place.byte_order != ("<" if sys.byteorder == "little" else ">")
    return values.byteswap(inplace=True) if foreign and dtype.itemsize > 1 else values


def _fill(file: Any, target: memoryview, place: Dataset) -> None:
    done = 0
    while done < len(target):
        count = file.readinto(target[done : done + (1 << 30)])  # one call reads 2 GB at most
        if not count:
            raise _missing(place)
        done += count


def _read_packed(source: Source, wanted: Sequence[Dataset]) -> Iterator[tuple[Dataset, NDArray[Any]]]:
    largest = max((each.size_bytes + 2 * each.chunk_bytes for each in wanted), default=0) + SPARE_BYTES
    answers = read_blocks(source, [each.path for each in wanted], memory_bytes=largest)
    for place, (_, shape, blocks) in zip(wanted, answers, strict=True):
        dtype = numpy_dtype(place.dtype)
        if shape != place.shape:
            raise DamagedError(
                "damaged, or made to harm", [Problem(place.path, f"shape {place.shape}", f"{shape} when read")]
            )
        values = _aligned(shape, dtype)
        target, done = _bytes(values), 0
        for block in blocks:
            if done + len(block) > len(target):
                raise _missing(place)
            target[done : done + len(block)] = block
            done += len(block)
        if done != prod(shape) * dtype.itemsize:
            raise _missing(place)
        yield place, values


def _aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An empty array that begins where TensorFlow wants it, so that it takes the memory over and copies nothing."""
    size = prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def _bytes(values: NDArray[Any]) -> memoryview:
    return values.reshape(-1).view(np.uint8).data


def _refuse_inflation(packed: Sequence[Dataset], allowed: int) -> None:
    total = sum(each.size_bytes for each in packed)
    if total > allowed:
        largest = max(packed, key=lambda each: each.size_bytes)
        raise DamagedError(
            "damaged, or made to harm",
            [Problem(largest.path, f"compressed tensors of at most {allowed:,} bytes in all", f"{total:,} bytes")],
        )


def _missing(place: Dataset) -> DamagedError:
    return DamagedError(
        "damaged, or made to harm", [Problem(place.path, f"{place.size_bytes:,} bytes of values", "fewer")]
    )
