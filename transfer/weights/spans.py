"""Tensors as bytes in a file, read and copied block by block, so that none of them needs to be in memory as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from math import prod
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from transfer.errors import CheckpointError, Problem
from transfer.weights.containers import AGAIN
from transfer.weights.reading import numpy_dtype
from transfer.weights.stamps import Stamp, has_changed, stamp_of
from transfer.weights.tensor_digests import TensorDigest

BLOCK = 4 << 20  # bytes
_BUFFERS = 4  # one is filled while others are hashed
_SMALL = 1 << 16  # bytes that are hashed sooner than another thread is asked to


@dataclass(frozen=True, slots=True)
class Span:
    """A tensor that lies in one piece in a file, its bytes as numpy has them.

    Attributes:
        path: the file.
        offset: of its first byte.
        shape: of the tensor.
        dtype: of the tensor, numpy's name.
        name: of the tensor, for errors.
        recorded: the digest that a card vouches for; empty where none does.
        stamp: of the file when its structure was read: before and after the values are, it is the same. None to take
            the file as it is.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: str
    name: str = ""
    recorded: str = ""
    stamp: Stamp | None = None

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return prod(self.shape) * numpy_dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class Copied:
    """What was seen of a tensor while it was copied.

    Attributes:
        digest: as `digest_tensor` gives it.
        is_finite: whether no value is NaN or infinite.
    """

    digest: str
    is_finite: bool


class Copier:
    """Copies spans into one file that has a place for each."""

    def __init__(self, target: Path) -> None:
        self._path = target
        self._buffers = [bytearray(BLOCK) for _ in range(_BUFFERS)]

    def __enter__(self) -> Copier:
        self._target = self._path.open("r+b", buffering=0)
        self._beside = ThreadPoolExecutor(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._beside.shutdown()
        self._target.close()

    def copy(self, span: Span, offset: int) -> Copied:
        """Copy one to a place in the target, hashing it on the way.

        Raises:
            CheckpointError: if the source ends early, has changed, or is not what its card vouches for.
        """
        digest, is_finite = TensorDigest(span.dtype, span.shape), True
        hashing: list[Future[None] | None] = [None] * _BUFFERS
        self._target.seek(offset)
        for count, block in enumerate(_blocks(span, self._buffers, hashing)):
            if len(block) < _SMALL and not any(hashing):
                digest.update(block)
            else:
                hashing[count % _BUFFERS] = self._beside.submit(digest.update, block)
            is_finite = is_finite and _is_finite(block, span.dtype)
            _write(self._target, block)
        for each in hashing:
            if each is not None:
                each.result()
        found = digest.hexdigest()
        if span.recorded and found != span.recorded:
            what = Problem(span.name, f"sha256 {span.recorded[:12]}… as its card says", "other bits")
            raise CheckpointError(f"{span.path} is damaged.", [what], AGAIN)
        return Copied(found, is_finite)


def is_same(one: Span, other: Span) -> bool:
    """Whether two spans hold the same bytes.

    Raises:
        CheckpointError: if a file ends early, or has changed.
    """
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    buffers = [[bytearray(BLOCK)], [bytearray(BLOCK)]]
    pairs = zip(_blocks(one, buffers[0], [None]), _blocks(other, buffers[1], [None]), strict=True)
    return all(np.array_equal(np.frombuffer(left, np.uint8), np.frombuffer(right, np.uint8)) for left, right in pairs)


def digest_span(span: Span) -> str:
    """The digest of a tensor, without its being in memory.

    Raises:
        CheckpointError: if the file ends early, or has changed.
    """
    digest = TensorDigest(span.dtype, span.shape)
    for block in _blocks(span, [bytearray(BLOCK)], [None]):
        digest.update(block)
    return digest.hexdigest()


def read_span(span: Span) -> NDArray[Any]:
    """The tensor as an array.

    Raises:
        CheckpointError: if the file ends early, or has changed.
    """
    values = np.empty(span.shape, numpy_dtype(span.dtype))
    with _opened(span) as source:
        _fill(source, values.reshape(-1).view(np.uint8).data, span)
    return values


@contextmanager
def _opened(span: Span) -> Iterator[FileIO]:
    """The file at the span's first byte; it was the one that was opened, and still is when all is read."""
    try:
        file = FileIO(span.path)
    except OSError as error:  # told here: whoever writes meanwhile would take it for an error of the target
        raise CheckpointError(f"{span.path} cannot be read: {error.strerror}.") from error
    with file as source:
        _check_unchanged(source, span)
        source.seek(span.offset)
        yield source
        _check_unchanged(source, span)


def _check_unchanged(source: FileIO, span: Span) -> None:
    if span.stamp is not None and stamp_of(os.fstat(source.fileno())) != span.stamp:
        raise has_changed(span.path, span.name)


def _blocks(span: Span, buffers: list[bytearray], busy: list[Future[None] | None]) -> Iterator[memoryview]:
    """The span's bytes, in buffers that are used in turn, each once nobody is busy with it."""
    length, done, count = span.size_bytes, 0, 0
    with _opened(span) as source:
        while done < length:
            place = count % len(buffers)
            waiting = busy[place]
            if waiting is not None:
                waiting.result()
            block = memoryview(buffers[place])[: min(BLOCK, length - done)]
            _fill(source, block, span)
            yield block
            done += len(block)
            count += 1


def _fill(source: FileIO, block: memoryview, span: Span) -> None:
    done = 0
    while done < len(block):
        count = source.readinto(block[done:])
        if not count:
            raise CheckpointError(
                f"{span.path} is damaged.",
                [Problem(span.name, f"{span.size_bytes:,} bytes of values", "fewer")],
                AGAIN,
            )
        done += count


def _write(target: BinaryIO, block: memoryview) -> None:
    done = 0
    while done < len(block):
        done += target.write(block[done:])


def _is_finite(block: memoryview, dtype: str) -> bool:
    kind = numpy_dtype(dtype)
    return kind.kind in "iub" or bool(np.isfinite(np.frombuffer(block, kind)).all())
