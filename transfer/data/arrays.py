"""Arrays with labels: `x` and `y`, from memory, from an .npz file or from an HDF5 file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transfer.data.array_labels import LabelArray, array_cells, encode_arrays, infer_outputs
from transfer.data.array_problems import (
    LABELLED,
    ONCE,
    TWO_CLASSES,
    array_error,
    kept_inputs,
    problems_of_inputs,
)
from transfer.data.class_arrays import indexed_labels, label_array, problems_of_labels, text_of
from transfer.data.column_names import output_name
from transfer.data.encoding import rows_known
from transfer.data.labelled import LabelledSet
from transfer.data.misreadings import find_misreadings
from transfer.data.named_arrays import NamedArrays
from transfer.data.wanted import EVERYTHING, Wanted
from transfer.errors import Problem, near_names
from transfer.labellings import Labelling

_Array = NDArray[Any]
_Classes = Sequence[str] | Mapping[str, Sequence[str]]


def from_arrays(
    x: ArrayLike | Mapping[str, ArrayLike] | NamedArrays,
    y: ArrayLike | Mapping[str, ArrayLike],
    classes: _Classes | None = None,
    *,
    labelling: Labelling | None = None,
    groups: ArrayLike | None = None,
    source: str = "arrays",
) -> LabelledSet:
    """A labelled set of arrays.

    Args:
        x: (n, …), at least two axes, finite numbers; or several of these by the names of a network's inputs.
        y: (n,) or (n, 1). Whole numbers of any size, whose distinct values in order are the classes; texts or booleans
            likewise. Where `classes` are given, whole numbers are places in it and texts stand in it. Of several
            outputs arrays by their names: of classes (n,), of any of k labels (n, k) of 1 and 0, of numbers (n,) or
            (n, k); -1, NaN and an empty text are not known.
        classes: names; of several outputs by their names.
        labelling: what the labels are; with it (n, k) of 1 and 0 are labels too.
        groups: (n,), whose equal values stay together when the set is divided; None for none.
        source: where the arrays come from, for messages.

    Raises:
        DataError: for everything that is wrong with them.
    """
    wanted = EVERYTHING if labelling is None else Wanted(labelling)
    return labelled_arrays(x, y, classes, wanted, groups=groups, source=source)


def labelled_arrays(
    x: ArrayLike | Mapping[str, ArrayLike] | NamedArrays,
    y: ArrayLike | Mapping[str, ArrayLike],
    classes: _Classes | None,
    wanted: Wanted,
    *,
    groups: ArrayLike | None,
    source: str,
) -> LabelledSet:
    """The same with what is asked of the labels.

    Raises:
        DataError: for everything that is wrong with the arrays.
    """
    inputs = _inputs(x)
    if isinstance(y, Mapping) or wanted.labelling is not None or wanted.kinds is not None:
        found = _of_outputs(inputs, y, classes, wanted, source)
    else:
        found = _of_labels(inputs, y, classes, source)
    return found if groups is None else _grouped(found, np.asarray(groups), len(next(iter(inputs.values()))), source)


def _inputs(x: ArrayLike | Mapping[str, ArrayLike] | NamedArrays) -> dict[str, _Array]:
    """The arrays by name; one alone has none."""
    if isinstance(x, NamedArrays):
        return dict(x.arrays)
    return {name: np.asarray(each) for name, each in x.items()} if isinstance(x, Mapping) else {"": np.asarray(x)}


def _problems_of_all(inputs: Mapping[str, _Array]) -> list[Problem]:
    """What is wrong with inputs, each for itself."""
    if not inputs:
        return [Problem("x", "at least one array of inputs", "none")]
    return [problem for name, each in inputs.items() for problem in problems_of_inputs(each, _called(name))]


def _problems_of_lengths(inputs: Mapping[str, _Array], labels: Mapping[str, _Array]) -> list[Problem]:
    """Arrays that do not have as many rows as the first of the inputs."""
    arrays = {_called(name): each for name, each in inputs.items() if each.ndim}
    if not arrays:
        return []
    first, count = next((name, len(each)) for name, each in arrays.items())
    pairs = [("rows", name, each) for name, each in arrays.items()]
    pairs += [("labels", name, each) for name, each in labels.items() if each.ndim]
    return [
        Problem(name, f"{count} {what}, one for each row of {first}", str(len(each)))
        for what, name, each in pairs
        if len(each) != count
    ]


def _called(name: str) -> str:
    return f"x_{name}" if name else "x"


def _kept(inputs: Mapping[str, _Array]) -> _Array | NamedArrays:
    if "" in inputs:
        return kept_inputs(inputs[""])
    return NamedArrays({name: kept_inputs(each) for name, each in inputs.items()})


def _names(count: int) -> tuple[str, ...]:
    return tuple(f"x[{place}]" for place in range(count))


def _of_labels(inputs: Mapping[str, _Array], y: ArrayLike, classes: _Classes | None, source: str) -> LabelledSet:
    """Examples of one class each."""
    labels = label_array(y)
    problems = [*_problems_of_all(inputs), *problems_of_labels(labels), *_problems_of_lengths(inputs, {"y": labels})]
    if problems:
        raise array_error(source, problems)
    names = None if classes is None else tuple(text_of(name) for name in classes)
    indices, names = indexed_labels(labels.reshape(-1), names, source)
    if len(np.unique(indices)) < 2:
        raise array_error(source, [Problem("y", TWO_CLASSES, f"1: every label is {names[indices[0]]!r}")])
    return LabelledSet.of_labels(source, _names(len(indices)), indices, names, _kept(inputs))


def _of_outputs(
    inputs: Mapping[str, _Array],
    y: ArrayLike | Mapping[str, ArrayLike],
    classes: _Classes | None,
    wanted: Wanted,
    source: str,
) -> LabelledSet:
    """Examples with labels of several outputs, without those of which nothing is known."""
    arrays = _label_arrays(y, classes, wanted, source)
    labels = {each.name: each.values for each in arrays.values()}
    problems = [*_problems_of_all(inputs), *_problems_of_lengths(inputs, labels)]
    problems += [
        Problem(each.name, "(n,) or (n, k)", str(each.values.shape))
        for each in arrays.values()
        if each.values.ndim not in (1, 2) or each.values.dtype.kind not in "buifUS"
    ]
    if problems:
        raise array_error(source, problems)
    labelling = wanted.labelling or infer_outputs(arrays, wanted.kinds or {}, wanted.separator)
    targets, problems = encode_arrays(labelling, arrays, wanted.separator)
    if problems:
        raise array_error(source, problems)
    notes = () if wanted.labelling is not None else _notes(labelling, arrays, wanted)
    known = rows_known(targets)
    left_out = tuple(Problem(f"x[{row}]", found="nothing is known of it") for row in np.flatnonzero(~known).tolist())
    if not known.any():
        raise array_error(source, [Problem("y", LABELLED, "nothing is known of any")])
    if known.all():
        return LabelledSet(source, _names(len(known)), labelling, targets, _kept(inputs), notes=notes)
    rows = np.flatnonzero(known)
    names = tuple(f"x[{row}]" for row in rows.tolist())
    kept = _kept({name: each[rows] for name, each in inputs.items()})
    known_targets = tuple(values[rows] for values in targets)
    return LabelledSet(source, names, labelling, known_targets, kept, left_out, notes=notes)


def _notes(labelling: Labelling, arrays: Mapping[str, LabelArray], wanted: Wanted) -> tuple[str, ...]:
    """What arrays may be beyond what they were taken for."""
    cells = {name: array_cells(each) for name, each in arrays.items() if not each.is_wide}
    return find_misreadings(labelling, cells, "row {}".format, settled=wanted.settled(cells))


def _label_arrays(
    y: ArrayLike | Mapping[str, ArrayLike], classes: _Classes | None, wanted: Wanted, source: str
) -> dict[str, LabelArray]:
    """The arrays of labels by the names of their outputs.

    Raises:
        DataError: if an output has none; names all of these.
    """
    given = dict(y) if isinstance(y, Mapping) else {"": y}
    names = wanted.labelling.names if wanted.labelling is not None else tuple(wanted.kinds or ())
    if list(given) == [""] and len(names) == 1:
        given = {names[0]: given[""]}
    found = {output_name(name): (name, label_array(each)) for name, each in given.items() if name}
    missing = [name for name in names if name not in found]
    if missing or not found:
        problems = [
            Problem("y", f"an array of the output {name!r}", near_names(name, found) or "none like it")
            for name in missing
        ]
        raise array_error(source, problems or [Problem("y", "arrays by the names of outputs", "none")])
    by_name = classes if isinstance(classes, Mapping) else dict.fromkeys(found, classes) if classes else {}
    arrays = {
        name: LabelArray(
            f"y_{called}" if isinstance(y, Mapping) else "y",
            values.reshape(-1) if values.ndim == 2 and values.shape[1] == 1 else values,
            tuple(map(text_of, by_name[called])) if by_name.get(called) is not None else None,
        )
        for name, (called, values) in found.items()
        if not names or name in names
    }
    problems = [problem for each in arrays.values() for problem in _problems_of_classes(each)]
    problems += [
        Problem("y", ONCE, f"two arrays of {name!r}") for name in found if [*map(output_name, given)].count(name) > 1
    ]
    if problems:
        raise array_error(source, problems)
    return arrays


def _problems_of_classes(each: LabelArray) -> list[Problem]:
    """Names of classes that are no such names, or not as many as columns."""
    if each.classes is None:
        return []
    where = f"classes of {each.name}"
    if len(set(each.classes)) < len(each.classes) or not all(each.classes):
        return [Problem(where, ONCE, f"{len(each.classes)} names, {len(set(each.classes) - {''})} distinct")]
    if each.is_wide and len(each.classes) != each.values.shape[1]:
        return [Problem(where, f"{each.values.shape[1]} names, one for each column", str(len(each.classes)))]
    return []


def _grouped(found: LabelledSet, groups: _Array, count: int, source: str) -> LabelledSet:
    """The set with its groups, of which some rows may have been left out.

    Raises:
        DataError: if there are not as many as rows.
    """
    if groups.shape != (count,) or groups.dtype.kind not in "buifUS":
        raise array_error(
            source, [Problem("groups", f"({count},), one for each row", f"{groups.shape} {groups.dtype}")]
        )
    rows = [int(name[2:-1]) for name in found.names]
    numbers = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    return replace(found, groups=numbers[rows])
