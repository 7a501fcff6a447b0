"""Asking libhdf5 through a child process under limits: what crashes or hangs there is an error here.

libhdf5 is not safe on hostile bytes. The child lists the structure, the parent reads contiguous tensors straight from
the file by their offsets, and asks a child again for compressed ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from transfer.errors import Problem
from transfer.weights.guarding import DamagedError
from transfer.weights.outline import Group, parse_outline

_SCRIPT = Path(__file__).with_name("scanning.py")
_SPARE_BYTES = 256 << 20
_SECONDS = 2  # of processor time that a scan may take, and more for large files
_BYTES_A_SECOND = 50 << 20
_PATIENCE = 30  # seconds on the clock, and more for large files: for a slow disk, a busy machine
_SLOWEST_DISK = 5 << 20  # bytes a second
# Nothing that a file names is loaded as a filter, and a file on a read-only disk needs no lock.
_ENVIRONMENT = {"HDF5_PLUGIN_PRELOAD": "::", "HDF5_USE_FILE_LOCKING": "FALSE", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where the bytes of an HDF5 file lie.

    Attributes:
        path: the file, or the archive that holds it.
        start: offset within the archive; None for a file of its own.
        length: bytes that it takes there.
        inflated: bytes of the HDF5 file where the archive deflated it; None where it lies there as it is.
    """

    path: Path
    start: int | None
    length: int
    inflated: int | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """What the child found.

    Attributes:
        root: the structure.
        limited: whether the child's memory could be bounded on this platform.
    """

    root: Group
    limited: bool


class PendingScan:
    """A scan under way; meanwhile the caller may do something else."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._child: subprocess.Popen[bytes] | None = _start({"do": "scan"}, source)

    def result(self) -> Scan:
        """Wait for the child.

        Raises:
            DamagedError: if it reports a fault, dies, or takes too long.
        """
        child, self._child = self._child, None
        if child is None:
            raise ValueError("a scan has one result")
        with child:
            try:
                answer, _ = child.communicate(timeout=_PATIENCE + self._source.length / _SLOWEST_DISK)
            except subprocess.TimeoutExpired:
                child.kill()
                child.communicate()
                raise _fault("a structure that can be read", "one that the reader does not get to the end of") from None
        _refuse_death(child.returncode)
        try:
            values = json.loads(answer)
            _refuse_fault(values)
            return Scan(parse_outline(values["records"]), bool(values["limited"]))
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            raise _fault("a structure that can be read", "one that the reader cannot describe") from error

    def close(self) -> None:
        """Stop the child, where nobody waited for it."""
        child, self._child = self._child, None
        if child is not None:
            with child:
                child.kill()


def read_blocks(
    source: Source, paths: Sequence[str], *, memory_bytes: int = 0
) -> Iterator[tuple[str, tuple[int, ...], Iterator[bytes]]]:
    """Read data sets through a child: for each its type, its shape and its bytes in blocks, to be taken in turn.

    Args:
        source: the HDF5 file.
        paths: of the data sets.
        memory_bytes: what the child may take, where that is more than twice the file and some.

    Raises:
        DamagedError: if the child reports a fault, dies, or sends less than it announced.
    """
    with _reading(source, paths, memory_bytes) as answer:
        for path in paths:
            header = _line(answer, path, "dtype", "shape", "bytes")
            yield str(header["dtype"]), tuple(header["shape"]), _blocks(answer, int(header["bytes"]), path)


def _blocks(answer: IO[bytes], count: int, path: str) -> Iterator[bytes]:
    while count > 0:
        size = int(_line(answer, path, "block")["block"])
        block = answer.read(size) if 0 < size <= count else b""
        if len(block) != size:
            raise _fault("a tensor that can be read to its end", "one that breaks off", where=path)
        count -= size
        yield block


def _line(answer: IO[bytes], path: str, *keys: str) -> dict[str, Any]:
    """The next line of the child, which must be JSON with these keys."""
    line = answer.readline(1 << 16)
    try:
        values = json.loads(line)
        _refuse_fault(values, where=path)
        return {key: values[key] for key in keys}
    except (ValueError, TypeError, KeyError) as error:
        raise _fault("a tensor that can be read", "one that stops the reader", where=path) from error


@contextmanager
def _reading(source: Source, paths: Sequence[str], memory_bytes: int) -> Iterator[IO[bytes]]:
    child = _start({"do": "read", "paths": list(paths)}, source, memory_bytes=memory_bytes)
    with child:
        try:
            assert child.stdout is not None  # for the type checker: it is a pipe
            yield child.stdout
        finally:
            child.kill()


def _start(request: dict[str, Any], source: Source, *, memory_bytes: int = 0) -> subprocess.Popen[bytes]:
    values = {
        **request,
        "path": os.fspath(source.path),
        "start": source.start,
        "length": source.length,
        "inflated": source.inflated,
        "sys_path": sys.path,
        "memory_bytes": max(memory_bytes, 2 * source.length + _SPARE_BYTES),
        "cpu_seconds": _seconds(source),
    }
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**_ENVIRONMENT, **{key: os.environ[key] for key in ("PATH", "SYSTEMROOT") if key in os.environ}},
    )
    assert child.stdin is not None
    try:
        child.stdin.write(json.dumps(values).encode() + b"\n")
        child.stdin.flush()
    except BrokenPipeError:  # it died already; its end tells
        pass
    return child


def _seconds(source: Source) -> int:
    return _SECONDS + source.length // _BYTES_A_SECOND


def _refuse_fault(values: Any, *, where: str = "structure") -> None:
    if "fault" in values:
        raise _fault("HDF5 that can be read", str(values["fault"]), where=where)


def _refuse_death(code: int) -> None:
    if code:
        how = f"the reader stopped by signal {-code}" if code < 0 else f"the reader ended with {code}"
        raise _fault("a structure that can be read", f"{how}: the file is damaged or hostile")


def _fault(expected: str, found: str, *, where: str = "structure") -> DamagedError:
    return DamagedError("damaged, or made to harm", [Problem(where, expected, found)])
