"""Examples to learn from without labels: whatever holds some, its labels left aside."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transfer.data.array_files import is_hdf5, spool_array_inputs
from transfer.data.array_problems import problems_of_form
from transfer.data.forms import as_examples
from transfer.data.frames import is_parquet
from transfer.data.hdf5_files import read_hdf5_arrays
from transfer.data.idx_files import is_idx, read_idx_inputs
from transfer.data.inputs import START_BYTES, Examples, Inputs, read_inputs
from transfer.data.labelled import LabelledSet
from transfer.data.named_arrays import NamedArrays
from transfer.data.npz_files import holds_arrays, read_npz_arrays
from transfer.data.table_inputs import read_table_inputs
from transfer.data.tables import find_table, looks_tabular
from transfer.errors import DataError, Problem

_IN_MEMORY_BYTES = 2**26  # of an array of a file; larger ones lie on the disk
_NPY = b"\x93NUMPY"
FEWEST = 2  # of one example nothing general is learnt

Unlabelled = (
    Examples
    | str
    | os.PathLike[str]
    | NDArray[Any]
    | NamedArrays
    | Mapping[str, ArrayLike]
    | Sequence[str | os.PathLike[str]]
    | tuple[ArrayLike, ArrayLike]
)


def read_unlabelled(
    data: Unlabelled, *, in_memory_bytes: int = _IN_MEMORY_BYTES, fewest: int = FEWEST, remote: bool = False
) -> Inputs:
    """Examples without labels; a note says so where labels are there and are not used.

    Args:
        data: a folder of pictures with all that lies below it, a table of pictures, a file of arrays (.npz, HDF5, IDX),
            pictures, a set, an array (n, …), arrays by the names of a network's inputs, or arrays (x, y).
        in_memory_bytes: an array of a file that is larger lies on the disk.
        fewest: how many there have to be.
        remote: whether pictures that a table names by addresses stay there, to be fetched later; see `Inputs`.

    Raises:
        DataError: if nothing can be read, or there are fewer.
    """
    found, is_labelled = _read(data, in_memory_bytes, remote)
    if len(found) < fewest:
        raise too_few(found.source, len(found), found.problems, fewest)
    if is_labelled:
        note = f"labels are not used: {len(found):,} of {found.source} are taken as examples alone"
        return replace(found, notes=(*found.notes, note))
    return found


def _read(data: Unlabelled, in_memory_bytes: int, remote: bool) -> tuple[Inputs, bool]:
    """Examples, and whether they have labels."""
    if isinstance(data, str | os.PathLike):
        return _read_path(Path(data), in_memory_bytes, remote)
    if isinstance(data, list | tuple) and data and all(isinstance(each, str | os.PathLike) for each in data):
        return _read_path(Path(data[0]), in_memory_bytes, remote) if len(data) == 1 else (read_inputs(data), False)
    if isinstance(data, tuple | list) and len(data) == 2:
        x: Any = data[0]
        return _of_arrays(x if isinstance(x, Mapping | NamedArrays) else np.asarray(x)), True
    if isinstance(data, Inputs):
        return data, False
    if isinstance(data, LabelledSet):
        return Inputs(data.source, data.names, data.inputs, data.problems), True
    return _of_arrays(data), False


def _of_arrays(data: Any) -> Inputs:
    """Arrays of which the form is right; their values are looked at when they are read.

    Raises:
        DataError: if it is not.
    """
    found = as_examples(data)
    arrays = {"x": found.inputs} if isinstance(found.inputs, np.ndarray) else getattr(found.inputs, "arrays", {})
    problems = [problem for name, each in arrays.items() for problem in problems_of_form(each, name)]
    if problems:
        raise DataError(f"{found.source} holds no inputs that can be learnt from.", problems, "give numbers (n, …)")
    return Inputs(found.source, found.names, found.inputs)


def _read_path(path: Path, in_memory_bytes: int, remote: bool) -> tuple[Inputs, bool]:
    if path.is_dir():
        found = read_inputs([path])
        return found, find_table(path) is not None or _lie_in_classes(path, found)
    if not path.is_file():
        return read_inputs([path]), False
    with path.open("rb") as stream:
        start = stream.read(START_BYTES)
        is_npz = holds_arrays(stream)
    if is_idx(path, start):
        return Inputs.of_array(read_idx_inputs(path, in_memory_bytes=in_memory_bytes), str(path)), False
    if is_npz or is_hdf5(start):
        read = partial(read_npz_arrays if is_npz else read_hdf5_arrays, in_memory_bytes=in_memory_bytes)
        arrays, is_labelled = spool_array_inputs(path, read)
        return Inputs.of_array(arrays, str(path)), is_labelled
    if start.startswith(_NPY):
        step = f"give it one: numpy.savez('{path.stem}.npz', x=numpy.load('{path.name}'))"
        raise DataError(f"{path} holds an array without a name.", next_step=step)
    if is_parquet(start) or looks_tabular(path, start):
        return read_table_inputs(path, remote=remote)
    return read_inputs([path]), False


def _lie_in_classes(folder: Path, found: Inputs) -> bool:
    """Whether pictures lie as labelled ones do: none loose, and in two subfolders or more."""
    tops = [Path(name).relative_to(folder).parts for name in found.names]
    return all(len(parts) > 1 for parts in tops) and len({parts[0] for parts in tops}) > 1


def too_few(source: str, count: int, left_out: Sequence[Problem], fewest: int = FEWEST) -> DataError:
    """What is raised where too few examples can be read."""
    wanted = "1 example or more" if fewest == 1 else f"{fewest} examples or more"
    problem = Problem(source, wanted, f"{count} that can be read")
    return DataError(
        f"{source} holds too few examples.", [problem, *left_out], "give more examples, as many as there are"
    )
