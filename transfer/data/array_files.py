"""Labelled sets in files of arrays, .npz or HDF5: which array is an input, which the labels of which output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.array_problems import array_error, problems_of_form, problems_of_inputs, step_for
from transfer.data.arrays import labelled_arrays
from transfer.data.class_arrays import text_of
from transfer.data.hdf5_files import SIGNATURE, read_hdf5_arrays
from transfer.data.inferring import OF_ANSWERS
from transfer.data.labelled import LabelledSet
from transfer.data.named_arrays import NamedArrays
from transfer.data.npz_files import Choose, read_npz_arrays
from transfer.data.wanted import EVERYTHING, Wanted
from transfer.errors import DataError, Problem, near_names

Read = Callable[[Path, Choose], dict[str, NDArray[Any]]]


def read_npz(path: Path, wanted: Wanted = EVERYTHING) -> LabelledSet:
    """The arrays `x`, `y` and, where it is there, `classes` of an .npz file.

    Several outputs are arrays `y_topic`, `y_tags`, their classes `classes_topic`; several inputs are `x_left`,
    `x_right`. A `y` of (n, k) is any of k labels, save where each row has one.

    Raises:
        DataError: if it is not an .npz file, an array is missing or damaged, or as in `from_arrays`.
    """
    return _read(path, wanted, read_npz_arrays)


def read_hdf5(path: Path, wanted: Wanted = EVERYTHING) -> LabelledSet:
    """The datasets at the top of an HDF5 file, called as the arrays of an .npz file.

    Raises:
        DataError: if it is not an HDF5 file, a dataset is missing or damaged, or as in `from_arrays`.
    """
    return _read(path, wanted, read_hdf5_arrays)


def read_array_inputs(path: Path, read: Read = read_npz_arrays) -> NDArray[Any] | NamedArrays:
    """The array `x` of a file, (n, …), or arrays `x_left`, …, whether or not labels stand beside them.

    Raises:
        DataError: as `read_npz` does.
    """
    arrays = _read_inputs(path, read, _choose_inputs)
    problems = [problem for name, each in arrays.items() for problem in problems_of_inputs(each, name)]
    if problems:
        raise _input_error(path, problems)
    return _one_or_several(arrays)


def spool_array_inputs(path: Path, read: Read) -> tuple[NDArray[Any] | NamedArrays, bool]:
    """The same for arrays that need not be in memory, whose values are not looked at; and whether labels are there.

    Args:
        path: of the file.
        read: what reads its arrays.

    Raises:
        DataError: as `read_npz` does, save for values that are not finite.
    """
    there: list[str] = []

    def choose(names: Sequence[str]) -> list[str]:
        there.extend(names)
        return _choose_inputs(names)

    arrays = _read_inputs(path, read, choose)
    if problems := [problem for name, each in arrays.items() for problem in problems_of_form(each, name)]:
        raise _input_error(path, problems)
    return _one_or_several(arrays), any(name == "y" or name.startswith("y_") for name in there)


def _read_inputs(path: Path, read: Read, choose: Choose) -> dict[str, NDArray[Any]]:
    try:
        return read(path, choose)
    except DataError as error:
        raise _input_error(path, error.problems) from error


def _one_or_several(arrays: dict[str, NDArray[Any]]) -> NDArray[Any] | NamedArrays:
    return arrays["x"] if "x" in arrays else NamedArrays({name[2:]: each for name, each in arrays.items()})


def is_hdf5(start: bytes) -> bool:
    """Whether a file that starts so is an HDF5 file."""
    return start.startswith(SIGNATURE)


def _input_error(path: Path, problems: Sequence[Problem]) -> DataError:
    step = "write it with numpy.savez(path, x=…): x (n, …) numbers, a row an example; several inputs are x_NAME each"
    return DataError(f"{path} holds no inputs that can be asked about.", problems, step_for(problems, step))


def _choose_inputs(names: Sequence[str]) -> list[str]:
    """The arrays of inputs.

    Raises:
        DataError: if there are none, or one and several.
    """
    several = [name for name in names if name.startswith("x_") and name != "x_"]
    if "x" in names and several:
        raise array_error("the file", [Problem("x", "one array x, or several x_NAME", f"x and {', '.join(several)}")])
    if "x" not in names and not several:
        raise array_error("the file", [Problem("x", "an array 'x'", _there(names))])
    return several or ["x"]


def _there(names: Sequence[str]) -> str:
    return f"the arrays {', '.join(map(repr, names))}" if names else "no array"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Names of arrays: of inputs, of labels with the outputs that they are (empty for `y` alone), of groups."""

    inputs: tuple[str, ...]
    labels: Mapping[str, str]
    groups: str

    @property
    def names(self) -> list[str]:
        """Of all, and of the classes that may stand beside them."""
        classes = [f"classes_{name}" if name else "classes" for name in self.labels.values()]
        return list(dict.fromkeys([*self.inputs, *self.labels, *classes, *filter(None, [self.groups])]))


def _read(path: Path, wanted: Wanted, read: Read) -> LabelledSet:
    chosen: list[_Chosen] = []

    def choose(names: Sequence[str]) -> list[str]:
        chosen.append(_choose(path, names, wanted))
        return [name for name in chosen[0].names if name in names]

    arrays = read(path, choose)
    labels = chosen[0].labels
    inputs = {name[2:]: arrays[name] for name in chosen[0].inputs}
    x: NDArray[Any] | dict[str, NDArray[Any]] = inputs.get("", inputs)
    outputs = {name: arrays[called] for called, name in labels.items()}
    classes = {name: _class_names(path, f"classes_{name}" if name else "classes", arrays) for name in outputs}
    groups = arrays[wanted.group_by] if wanted.group_by else None
    if "" in outputs and (wanted.labelling is not None or wanted.kinds or not _is_several(outputs[""])):
        return labelled_arrays(x, outputs[""], classes[""], wanted, groups=groups, source=str(path))
    y = {name or OF_ANSWERS: each for name, each in outputs.items()}
    known = {name or OF_ANSWERS: each for name, each in classes.items() if each is not None}
    return labelled_arrays(x, y, known, wanted, groups=groups, source=str(path))


def _choose(path: Path, names: Sequence[str], wanted: Wanted) -> _Chosen:
    """The arrays to read.

    Raises:
        DataError: if one lacks; names all of these.
    """
    problems: list[Problem] = []
    inputs: list[str] = []
    try:
        inputs = _choose_inputs(names)
    except DataError as error:
        problems += error.problems
    labels = _choose_labels(names, wanted)
    if not labels:
        problems.append(Problem("y", "an array 'y'", _there(names)))
    elif "y" not in labels:
        problems += [
            Problem(f"y_{name}", f"an array of the output {name!r}", near_names(f"y_{name}", names) or "none like it")
            for name in _asked(wanted)
            if name not in labels.values()
        ]
    if wanted.group_by and wanted.group_by not in names:
        problems.append(
            Problem(wanted.group_by, "an array of groups", near_names(wanted.group_by, names) or "none like it")
        )
    if problems:
        raise array_error(str(path), problems)
    return _Chosen(tuple(inputs), labels, wanted.group_by)


def _asked(wanted: Wanted) -> tuple[str, ...]:
    return wanted.labelling.names if wanted.labelling is not None else tuple(wanted.kinds or ())


def _choose_labels(names: Sequence[str], wanted: Wanted) -> dict[str, str]:
    """Arrays of labels and the outputs that they are: `y`, or `y_NAME`, or as outputs that are asked for are called."""
    outputs = _asked(wanted)
    found = {name: name[2:] for name in names if name.startswith("y_") and name != "y_"}
    if outputs:
        found = {name: output for name, output in found.items() if output in outputs}
        found |= {name: name for name in names if name in outputs and name not in found.values()}
    return found or ({"y": ""} if "y" in names else {})


def _class_names(path: Path, name: str, arrays: Mapping[str, NDArray[Any]]) -> list[str] | None:
    """The names of classes in an array of them; None where there is none.

    Raises:
        DataError: if they are no names.
    """
    classes = arrays.get(name)
    if classes is None:
        return None
    if classes.ndim != 1 or classes.dtype.kind not in "US":
        raise array_error(str(path), [Problem(name, "(k,) names", f"{classes.shape} {classes.dtype}")])
    return [text_of(each) for each in classes]


def _is_several(y: NDArray[Any]) -> bool:
    """Whether labels are any of several: (n, k) of 1 and 0, not each row with one 1, which is a class."""
    if y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind not in "buif":
        return False
    is_answers = np.isin(y, (0, 1, -1)) | (y != y)
    return bool(is_answers.all()) and bool(((y == 1).sum(1) != 1).any())
