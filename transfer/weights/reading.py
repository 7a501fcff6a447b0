"""Values of data sets: straight from the file where they lie in one piece, through a child where they do not."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.errors import Problem
from transfer.weights.guarding import DamagedError
from transfer.weights.isolating import Source, read_blocks
from transfer.weights.outline import OPAQUE, Dataset, Key
from transfer.weights.tensor_digests import TensorDigest, digest_tensor

SPARE_BYTES = 256 << 20
BLOCK = 8 << 20  # bytes that are read at a time
_WORTH_THREADS = 4  # blocks from which on a second reader gains more than it takes to start
ALIGNMENT = 64  # bytes; EIGEN_MAX_ALIGN_BYTES


def read_datasets(
    sources: Sequence[Source],
    places: Iterable[Dataset],
    *,
    allowed_bytes: int | None = None,
    hashed: Set[Key] = frozenset(),
) -> Iterator[tuple[Dataset, NDArray[Any], str]]:
    """Read data sets one by one, in native byte order, each array the caller's own.

    Args:
        sources: the HDF5 files.
        places: what to read.
        allowed_bytes: what compressed values may take in memory; None for twice the files and some.
        hashed: keys of those whose digest is wanted: it is taken while the values are read.

    Yields:
        Those in one piece first, then the others; each with its digest, empty where none was asked for.

    Raises:
        DamagedError: if values are not there, or compressed ones take more than is allowed.
    """
    packed: dict[int, list[Dataset]] = {}
    for place in places:
        if place.offset is None:
            packed.setdefault(place.source, []).append(place)
        else:
            digest = TensorDigest(place.dtype, place.shape) if place.key in hashed else None
            values = _read_plain(sources[place.source], place, place.offset, digest)
            yield place, values, digest.hexdigest() if digest is not None else ""
    allowed = sum(each.length for each in sources) * 2 + SPARE_BYTES if allowed_bytes is None else allowed_bytes
    _refuse_inflation([each for group in packed.values() for each in group], allowed)
    for number, wanted in packed.items():
        for place, values in _read_packed(sources[number], wanted):
            yield place, values, digest_tensor(values) if place.key in hashed else ""


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The type of that name in native byte order; those that numpy lacks are from ml_dtypes."""
    if name in OPAQUE:
        import ml_dtypes

        found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return found
    return np.dtype(name)


def _read_plain(source: Source, place: Dataset, offset: int, digest: TensorDigest | None) -> NDArray[Any]:
    dtype = numpy_dtype(place.dtype)
    values = _aligned(place.shape, dtype)
    if values.nbytes:
        _fill(source.path, (source.start or 0) + offset, _bytes(values), place, digest)
    foreign = place.byte_order != ("<" if sys.byteorder == "little" else ">")
    return values.byteswap(inplace=True) if foreign and dtype.itemsize > 1 else values


def _fill(path: Path, start: int, target: memoryview, place: Dataset, digest: TensorDigest | None) -> None:
    """Read block by block: large tensors by two threads, while this one hashes what is there."""
    blocks = [(first, target[first : first + BLOCK]) for first in range(0, len(target), BLOCK)]
    if len(blocks) < _WORTH_THREADS:
        for first, block in blocks:
            _fill_block(path, start + first, block, place)
            _take_up(digest, block)
        return
    with ThreadPoolExecutor(2) as readers:
        reading = [readers.submit(_fill_block, path, start + first, block, place) for first, block in blocks]
        for done, (_, block) in zip(reading, blocks, strict=True):
            done.result()
            _take_up(digest, block)


def _take_up(digest: TensorDigest | None, block: memoryview) -> None:
    if digest is not None:
        digest.update(block)


def _fill_block(path: Path, start: int, block: memoryview, place: Dataset) -> None:
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        done = 0
        while done < len(block):
            count = file.readinto(block[done:])
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
