"""Reading arrays of an HDF5 file: datasets at its top, of numbers or texts, that lie in the file itself.

libhdf5 is not safe on hostile bytes: a child process under limits reads the file, and its crash is an error here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.array_problems import array_error
from transfer.data.filling_arrays import BLOCK_BYTES, LengthError, fill_array
from transfer.data.npz_files import Choose, faults_of_lengths
from transfer.errors import Problem

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SCRIPT = Path(__file__).with_name("hdf5_child.py")
_SPARE_BYTES = 2**32  # compressed arrays become larger than the file
_SECONDS = 30
_SLOWEST = 5 * 2**20  # bytes a second
_LONGEST_LINE = 2**24
_STOPPED = "bytes that stop the reader: the file is damaged or hostile"
# Nothing that a file names is loaded as a filter, and a file on a read-only disk needs no lock.
_ENVIRONMENT = {"HDF5_PLUGIN_PRELOAD": "::", "HDF5_USE_FILE_LOCKING": "FALSE", "OPENBLAS_NUM_THREADS": "1"}


class _DamagedError(Exception):
    """The child died, or told a fault."""


def read_hdf5_arrays(path: Path, choose: Choose, *, in_memory_bytes: int | None = None) -> dict[str, NDArray[Any]]:
    """Some datasets of an HDF5 file; texts of any length become texts of numpy.

    Args:
        path: of the file.
        choose: the names of those to read, from the names of all; it refuses what lacks.
        in_memory_bytes: a larger array lies on the disk, as in `fill_array`; None for none. Texts are read whole.

    Raises:
        DataError: if it is not an HDF5 file, or a dataset is damaged, lies elsewhere, holds less than it claims, or is
            none of numbers or texts.
    """
    try:
        with _child(path) as (requests, answers):
            wanted = choose(_line(answers, "names")["names"])
            requests.write(json.dumps({"read": list(wanted)}).encode() + b"\n")
            requests.flush()
            told = _line(answers, "faults", "counts")
            problems = [Problem(name, found=fault) for name, fault in told["faults"]]
            problems = problems or faults_of_lengths(told["counts"])
            if problems:
                raise array_error(str(path), problems)
            return {name: _array(answers, in_memory_bytes) for name in wanted}
    except (_DamagedError, LengthError, OSError) as error:
        found = _STOPPED if isinstance(error, BrokenPipeError) else str(error)
        raise array_error(str(path), [Problem(str(path), "an HDF5 file of arrays", found)]) from error


@contextmanager
def _child(path: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """A process that reads the file: what to write requests to, and to read answers from."""
    length = path.stat().st_size
    seconds = _SECONDS + length // _SLOWEST
    values = {
        "path": os.fspath(path.absolute()),
        "length": length,
        "sys_path": sys.path,
        "memory_bytes": 3 * length + _SPARE_BYTES,
        "cpu_seconds": seconds,
    }
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**_ENVIRONMENT, **{key: os.environ[key] for key in ("PATH", "SYSTEMROOT") if key in os.environ}},
    )
    clock = threading.Timer(2 * seconds, child.kill)
    clock.start()
    with child:
        try:
            assert child.stdin is not None  # for the type checker: they are pipes
            assert child.stdout is not None
            child.stdin.write(json.dumps(values).encode() + b"\n")
            child.stdin.flush()
            yield child.stdin, child.stdout
        finally:
            clock.cancel()
            child.kill()


def _line(answers: IO[bytes], *keys: str) -> dict[str, Any]:
    """The next line of the child, with these keys."""
    try:
        values: dict[str, Any] = json.loads(answers.readline(_LONGEST_LINE))
    except ValueError as error:
        raise _DamagedError(_STOPPED) from error
    if "fault" in values:
        raise _DamagedError(str(values["fault"]))
    return {key: values[key] for key in keys}


def _array(answers: IO[bytes], in_memory_bytes: int | None) -> NDArray[Any]:
    header = _line(answers, "dtype", "shape", "bytes")
    dtype, shape = np.dtype(header["dtype"]), tuple(header["shape"])
    if dtype.kind not in "buifU" or prod(shape) * dtype.itemsize != header["bytes"]:
        raise _DamagedError("an array that is none")
    return fill_array(
        _blocks(answers, header["bytes"], dtype.itemsize), shape, dtype, None if dtype.kind == "U" else in_memory_bytes
    )


def _blocks(answers: IO[bytes], size_bytes: int, item_bytes: int) -> Iterator[bytes]:
    """An array's bytes as the child sends them, each block behind a line that says how long it is."""
    most = max(1, BLOCK_BYTES // item_bytes) * item_bytes
    while size_bytes > 0:
        length = int(_line(answers, "block")["block"])
        size_bytes -= length
        while length > 0:
            block = answers.read(min(length, most))
            if not block:
                raise _DamagedError("an array that breaks off: the file is damaged or hostile")
            length -= len(block)
            yield block
