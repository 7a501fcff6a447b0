"""The child process that reads HDF5 files of examples: what crashes libhdf5, or keeps it busy, ends this process alone.

Run as a script by `hdf5_files`, it imports nothing of this package, opens the one file that it is told, follows no link
and loads no plug-in. It answers on stdout in lines of JSON: `names`; then, told which to `read`, their `faults` and
`counts`; then of each `dtype`, `shape` and `bytes`, and the bytes in blocks, each behind a line with its length.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from math import prod
from typing import Any

TRUSTED_BYTES = 2**30  # an array above this must not be compressed by more than
TRUSTED_RATIO = 100
MAX_NAMES = 10**4
BLOCK_BYTES = 2**23  # of numbers that are read at a time, where a chunk is no larger
TEXT_BYTES = 2**28  # of texts that are read at a time, were each as long as the file
MAX_TEXT_BYTES = 2**26


def main() -> None:
    """Answer one request; a fault that Python sees is answered with its text."""
    request = json.loads(sys.stdin.buffer.readline())
    sys.path[:] = request["sys_path"]
    import h5py

    limit(request["memory_bytes"], request["cpu_seconds"])
    try:
        with h5py.File(request["path"], "r") as file:
            answer(file, request["length"])
    except MemoryError:
        say({"fault": "it asks for more memory than it can need"})
    except Exception as error:  # noqa: BLE001  # whatever h5py raises becomes the parent's DataError
        say({"fault": " ".join(str(error).split())[:300] or type(error).__name__})
    sys.stdout.buffer.flush()


def limit(memory_bytes: int, cpu_seconds: int) -> None:
    """Bound what this process may take, where the platform can."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        limits = {resource.RLIMIT_CPU: cpu_seconds, resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0}
        for kind, most in (*limits.items(), (resource.RLIMIT_DATA, memory_bytes)):
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def say(values: dict[str, Any]) -> None:
    """A line to the parent."""
    sys.stdout.buffer.write(json.dumps(values).encode() + b"\n")
    sys.stdout.buffer.flush()


def answer(file: Any, length: int) -> None:
    """Tell the names at the top of a file, and send the data sets that are asked for."""
    if len(file) > MAX_NAMES:
        raise ValueError(f"{len(file)} names at its top; at most {MAX_NAMES} are arrays")
    say({"names": list(file)})
    wanted = json.loads(sys.stdin.buffer.readline())["read"]
    import h5py

    found = {name: file[name] for name in wanted if type(file.get(name, getlink=True)) is h5py.HardLink}
    faults = [(name, "a link, not a dataset of this file") for name in wanted if name not in found]
    faults += [(name, fault) for name, each in found.items() for fault in faults_of(each, length)]
    say({"faults": faults, "counts": {} if faults else {name: each.shape[0] for name, each in found.items()}})
    for name in () if faults else wanted:
        send(found[name], length)


def send(dataset: Any, length: int) -> None:
    """A data set in blocks: of numbers some rows at a time, texts whole."""
    import h5py

    if h5py.check_string_dtype(dataset.dtype) is not None:
        texts = read_texts(dataset, length)
        say({"dtype": texts.dtype.str, "shape": texts.shape, "bytes": texts.nbytes})
        send_block(texts)
        return
    dtype = dataset.dtype.newbyteorder("=")
    say({"dtype": dtype.str, "shape": dataset.shape, "bytes": dataset.size * dtype.itemsize})
    step = rows_of_block(dataset)
    for start in range(0, dataset.shape[0], step):
        send_block(dataset[start : start + step].astype(dtype, order="C", copy=False))


def send_block(values: Any) -> None:
    """Its length, and its bytes."""
    say({"block": values.nbytes})
    sys.stdout.buffer.write(memoryview(values.reshape(-1).view("u1")))


def rows_of_block(dataset: Any) -> int:
    """How many rows are read at a time: whole chunks, so that none is unpacked twice."""
    row: int = max(1, dataset.dtype.itemsize * prod(dataset.shape[1:]))
    chunk: int = (dataset.chunks or (1,))[0]
    return max(1, BLOCK_BYTES // (row * chunk)) * chunk


def faults_of(dataset: Any, length: int) -> Iterator[str]:
    """What is wrong with a data set of a file of so many bytes, before it is read."""
    import h5py

    if not isinstance(dataset, h5py.Dataset):
        yield "a group, not a dataset"
    elif h5py.check_string_dtype(dataset.dtype) is None and dataset.dtype.kind not in "buif":
        yield f"type {dataset.dtype}, neither numbers nor texts"
    elif not dataset.shape or min(dataset.shape) <= 0 or dataset.dtype.itemsize == 0:
        yield f"an empty array: shape {dataset.shape}, type {dataset.dtype}"
    elif dataset.is_virtual or dataset.external:
        yield "values that lie in another file"
    else:
        yield from faults_of_storage(dataset, length)


def faults_of_storage(dataset: Any, length: int) -> Iterator[str]:
    """Filters that do not come with HDF5 and h5py, and sizes that a file of so many bytes cannot hold."""
    from h5py import h5z

    known = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32, h5z.FILTER_LZF}
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(place)[0] for place in range(plist.get_nfilters())]
    if strange := [each for each in filters if each not in known]:
        yield f"a filter that does not come with HDF5: {strange[0]}"
    claimed = prod(dataset.shape) * dataset.dtype.itemsize
    chunk = prod(dataset.chunks or (0,)) * dataset.dtype.itemsize
    stored = min(dataset.id.get_storage_size(), length)
    most = max(TRUSTED_BYTES, TRUSTED_RATIO * stored) if filters and stored else stored
    if claimed > most:
        yield f"{stored} bytes that claim to become {claimed}"
    elif chunk > max(TRUSTED_BYTES, 2 * claimed):
        yield f"chunks of {chunk} bytes for {claimed}"


def read_texts(dataset: Any, length: int) -> Any:
    """The values as numpy's texts."""
    import h5py
    import numpy as np

    kind = h5py.check_string_dtype(dataset.dtype)
    if kind.length is not None:
        return np.char.decode(dataset[()], "utf-8", "backslashreplace")
    step = max(1, min(2**12, TEXT_BYTES // length))  # of a text's length nothing is known before it is read
    texts: list[str] = []
    longest = 1
    for start in range(0, dataset.shape[0], step):
        rows = dataset[start : start + step]
        several = [each.decode(errors="backslashreplace") if isinstance(each, bytes) else "" for each in rows.flat]
        longest = max([longest, *map(len, several)])
        if dataset.size * longest * 4 > max(MAX_TEXT_BYTES, TRUSTED_RATIO * length):
            raise ValueError(f"{dataset.name}: {dataset.size} texts of up to {longest} characters are no labels")
        texts += several
    return np.array(texts, f"U{longest}").reshape(dataset.shape)


if __name__ == "__main__":
    main()
