"""Reading arrays of an HDF5 file: datasets at its top, of numbers or texts, that lie in the file itself."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from transfer.data.array_problems import array_error
from transfer.data.npz_files import Choose, faults_of_lengths
from transfer.errors import Problem

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_FILTERS = frozenset(  # those that come with HDF5 and h5py, so that no plug-in is loaded
    [h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF]
)
_TRUSTED_BYTES = 2**30  # an array above this must not be compressed by more than
_TRUSTED_RATIO = 100
_MAX_NAMES = 10**4
_TEXT_BYTES = 2**28  # of texts that are read at a time, were each as long as the file
_MAX_TEXT_BYTES = 2**26
_DAMAGE = (OSError, EOFError, ValueError, TypeError, KeyError, RuntimeError, OverflowError, MemoryError)


def read_hdf5_arrays(path: Path, choose: Choose) -> dict[str, NDArray[Any]]:
    """Some datasets of an HDF5 file; texts of any length become texts of numpy.

    Args:
        path: of the file.
        choose: the names of those to read, from the names of all; it refuses what lacks.

    Raises:
        DataError: if it is not an HDF5 file, or a dataset is damaged, lies elsewhere, holds less than it claims, or is
            none of numbers or texts.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            names = _names(file)
            wanted = choose(names)
            datasets = {name: file[name] for name in wanted if file.get(name, getlink=True).__class__ is h5py.HardLink}
            problems = [
                Problem(name, found="a link, not a dataset of this file") for name in wanted if name not in datasets
            ]
            size = path.stat().st_size
            problems += [Problem(name, found=fault) for name, each in datasets.items() for fault in _faults(each, size)]
            problems = problems or faults_of_lengths({name: each.shape[0] for name, each in datasets.items()})
            if problems:
                raise array_error(str(path), problems)
            return {name: _read(each, size) for name, each in datasets.items()}
    except _DAMAGE as error:
        found = " ".join(str(error).split()) or type(error).__name__
        raise array_error(str(path), [Problem(str(path), "an HDF5 file of arrays", found)]) from error


def _names(file: h5py.File) -> tuple[str, ...]:
    if len(file) > _MAX_NAMES:
        raise ValueError(f"{len(file)} names at its top; at most {_MAX_NAMES} are arrays")
    return tuple(file)


def _faults(dataset: h5py.Dataset | h5py.Group, file_bytes: int) -> Iterator[str]:
    """What is wrong with a dataset before it is read."""
    if not isinstance(dataset, h5py.Dataset):
        yield "a group, not a dataset"
        return
    is_text = h5py.check_string_dtype(dataset.dtype) is not None
    if not is_text and dataset.dtype.kind not in "buif":
        yield f"type {dataset.dtype}, neither numbers nor texts"
    elif not dataset.shape or min(dataset.shape) <= 0 or dataset.dtype.itemsize == 0:
        yield f"an empty array: shape {dataset.shape}, type {dataset.dtype}"
    elif dataset.is_virtual or dataset.external:
        yield "values that lie in another file"
    else:
        yield from _faults_of_storage(dataset, file_bytes)


def _faults_of_storage(dataset: h5py.Dataset, file_bytes: int) -> Iterator[str]:
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(place)[0] for place in range(plist.get_nfilters())]
    if strange := [each for each in filters if each not in _FILTERS]:
        yield f"a filter that does not come with HDF5: {strange[0]}"
    claimed = prod(dataset.shape) * dataset.dtype.itemsize
    chunk = prod(dataset.chunks or (0,)) * dataset.dtype.itemsize
    stored = min(dataset.id.get_storage_size(), file_bytes)
    limit = max(_TRUSTED_BYTES, _TRUSTED_RATIO * stored) if filters and stored else stored
    if claimed > limit:
        yield f"{stored} bytes that claim to become {claimed}"
    elif chunk > max(_TRUSTED_BYTES, 2 * claimed):
        yield f"chunks of {chunk} bytes for {claimed}"


def _read(dataset: h5py.Dataset, file_bytes: int) -> NDArray[Any]:
    kind = h5py.check_string_dtype(dataset.dtype)
    if kind is None:
        numbers: NDArray[Any] = dataset[()]
        return numbers
    if kind.length is not None:
        return np.char.decode(dataset[()], "utf-8", "backslashreplace")
    step = max(1, min(2**12, _TEXT_BYTES // file_bytes))  # of a text's length nothing is known before it is read
    texts: list[str] = []
    length = 0
    for start in range(0, dataset.shape[0], step):
        rows = dataset[start : start + step]
        several = [each.decode(errors="backslashreplace") if isinstance(each, bytes) else "" for each in rows.flat]
        length = max([length, *map(len, several)])
        if dataset.size * length * 4 > max(_MAX_TEXT_BYTES, _TRUSTED_RATIO * file_bytes):
            raise ValueError(f"{dataset.name}: {dataset.size} texts of up to {length} characters are no labels")
        texts += several
    return np.array(texts, np.str_).reshape(dataset.shape)
