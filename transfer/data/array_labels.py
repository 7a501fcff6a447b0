"""Labels of several outputs from arrays: classes as numbers or names, yes and no as 1 and 0, and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.array_problems import count_rows
from transfer.data.binding import Bound
from transfer.data.cells import number
from transfer.data.encoding import encode_output, settle_parents
from transfer.data.inferring import Column, infer_labelling
from transfer.data.targets import UNKNOWN, Values
from transfer.errors import Problem, near_names
from transfer.labellings import Kind, Labelling, Output

_MOST_TOLD = 1000
_NOWHERE = -2  # in place of a class: no class is so called

_Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class LabelArray:
    """What is said of all examples by one array.

    Attributes:
        name: of the array, for messages.
        values: (n,) of whole numbers, texts, booleans or numbers, or (n, k) of 1 and 0, or of numbers.
        classes: names of its classes; None where they are told from the values.
    """

    name: str
    values: _Array
    classes: tuple[str, ...] | None = None

    @property
    def is_wide(self) -> bool:
        """Whether it has a column for each class."""
        return self.values.ndim == 2


def infer_outputs(
    arrays: Mapping[str, LabelArray], kinds: Mapping[str, Kind | None], separator: str | None = None
) -> Labelling:
    """The outputs that arrays are, by their names: as columns of a table are, save that whole numbers are classes.

    Raises:
        DataError: if one tells nothing apart.
    """
    narrow = {name: each for name, each in arrays.items() if not each.is_wide}
    found: dict[str, Output] = {}
    if narrow:
        columns = [Column(name, array_cells(each)) for name, each in narrow.items()]
        chosen = {name: kinds.get(name) or _kind(each) for name, each in narrow.items()}
        inferred = infer_labelling(columns, kinds=chosen, separator=separator)
        found = {output.name: _in_given_order(output, narrow[output.name]) for output in inferred}
    for name, each in arrays.items():
        if each.is_wide:
            kind = kinds.get(name) or ("sigmoid" if _is_answers(each.values) else "regression")
            found[name] = Output(name, kind, each.classes or tuple(map(str, range(each.values.shape[1]))))
    return Labelling(tuple(_checked([found[name] for name in arrays])))


def encode_arrays(
    labelling: Labelling, arrays: Mapping[str, LabelArray], separator: str | None = None
) -> tuple[tuple[Values, ...], list[Problem]]:
    """Labels as a `LabelledSet` has them, and what is wrong with the arrays.

    Args:
        labelling: what they are.
        arrays: by the name of the output. -1, NaN and an empty text are not known. Whole numbers are places among the
            classes, save where these are called by whole numbers themselves.
        separator: between the labels of a text; None for `;` or `|`.
    """
    targets: list[Values] = []
    problems: list[Problem] = []
    for output in labelling:
        each = arrays[output.name]
        fault = _fault_of_classes(output, each) or _fault_of_shape(output, each)
        if fault:
            problems.append(fault)
            continue
        parent = targets[labelling.place(output.parent)] if output.parent and not problems else None
        is_named = each.classes is not None and not each.is_wide and output.kind == "softmax"
        if output.kind != "regression" and (each.values.dtype.kind in "US" or is_named):
            cells = array_cells(each)
            values, wrong = encode_output(Bound(output, (0,)), [cells], labelling, parent, separator)
            problems += [Problem(f"{each.name}[{row}]", *found) for row, _, found in wrong[:_MOST_TOLD]]
        else:
            values, strange = _encode(output, _in_order(output, each))
            problems += [Problem(each.name, *strange)] if strange else []
        targets.append(values)
    if problems:
        return (), problems
    filled, wrong_rows = settle_parents(labelling, targets)
    return filled, [Problem(f"row {row}", found=text) for row, text in wrong_rows[:_MOST_TOLD]]


def _kind(each: LabelArray) -> Kind | None:
    kind = each.values.dtype.kind
    if kind in "US":
        return None
    if kind == "b":
        return "sigmoid"
    known = each.values[np.isfinite(each.values)]
    return "softmax" if kind != "f" or (known == np.rint(known)).all() else "regression"


def array_cells(each: LabelArray) -> list[str]:
    """The values as texts; places in given classes as their names; what is not known is empty."""
    distinct, places = np.unique(each.values, return_inverse=True)
    kind = distinct.dtype.kind
    if kind == "S":
        texts = [value.decode(errors="backslashreplace").strip() for value in distinct.tolist()]
    elif kind == "U":
        texts = [value.strip() for value in distinct.tolist()]
    elif kind == "b":
        texts = [str(int(value)) for value in distinct]
    else:
        texts = [_name(value, each.classes) for value in distinct.tolist()]
    return [texts[place] for place in places.reshape(-1).tolist()]


def _name(value: float, classes: tuple[str, ...] | None) -> str:
    if value == UNKNOWN or value != value:
        return ""
    if value != round(value):
        return repr(value)
    return classes[int(value)] if classes and 0 <= value < len(classes) else str(int(value))


def _is_answers(values: _Array) -> bool:
    return bool((np.isin(values, (0, 1, UNKNOWN)) | (values != values)).all())


def _in_given_order(output: Output, each: LabelArray) -> Output:
    """The output with classes in the order that is given, or of their numbers; classes without examples with it.

    Under a parent none can stand of which there is no example; then it stands alone.
    """
    if output.kind != "softmax":
        return output if output.kind == "regression" or not each.classes else replace(output, classes=each.classes)
    values = [number(name) for name in output.classes]
    by_number = sorted(output.classes, key=lambda name: number(name) or 0.0) if None not in values else output.classes
    wanted = each.classes or tuple(by_number)
    if output.parent and set(wanted) == set(output.classes):
        above = dict(zip(output.classes, output.under, strict=True))
        groups = list(dict.fromkeys(output.under))
        order = sorted(wanted, key=lambda name: groups.index(above[name]))
        return replace(output, classes=tuple(order), under=tuple(above[name] for name in order))
    return Output(output.name, classes=wanted)


def _checked(outputs: Sequence[Output]) -> list[Output]:
    """The outputs, those under a parent whose classes came into another order with theirs in that order."""
    made: list[Output] = []
    for output in outputs:
        if output.parent:
            order = next(each.classes for each in made if each.name == output.parent)
            pairs = sorted(zip(output.under, output.classes, strict=True), key=lambda pair: order.index(pair[0]))
            output = replace(output, under=tuple(a for a, _ in pairs), classes=tuple(b for _, b in pairs))
        made.append(output)
    return made


def _fault_of_shape(output: Output, each: LabelArray) -> Problem | None:
    values, count = each.values, len(output.classes)
    width = values.shape[1] if values.ndim == 2 else 1
    if output.kind == "regression" and values.dtype.kind in "US":
        return Problem(each.name, "numbers", f"type {values.dtype}")
    is_cells = values.dtype.kind in "US" and output.kind == "sigmoid"
    wanted = (
        1 if output.kind == "softmax" or is_cells else len(each.classes or output.classes) if each.is_wide else count
    )
    if values.ndim not in (1, 2) or width != wanted:
        expected = "(n,)" if wanted == 1 else f"(n, {count}), a column for each of {', '.join(output.classes[:8])}"
        return Problem(each.name, expected, str(values.shape))
    return None


def _fault_of_classes(output: Output, each: LabelArray) -> Problem | None:
    """Names of columns that are no classes of the output."""
    strange = [name for name in each.classes or () if name not in output.classes]
    if not (each.is_wide and strange):
        return None
    near = near_names(strange[0], output.classes, lead="; ")
    return Problem(f"classes of {each.name}", f"classes of {output.name!r}", f"{strange[0]!r}{near}")


def _in_order(output: Output, each: LabelArray) -> _Array:
    """The columns in the order of the output's classes, those that lack not known."""
    if not each.is_wide or each.classes is None or each.classes == output.classes:
        return each.values
    unknown = np.full(len(each.values), np.nan if output.kind == "regression" else UNKNOWN)
    columns = [each.values[:, each.classes.index(name)] if name in each.classes else unknown for name in output.classes]
    return np.stack(columns, 1)


def _encode(output: Output, values: _Array) -> tuple[Values, tuple[str, str] | None]:
    """Numbers as labels, and what was expected and found where they are none."""
    count = len(values)
    if output.kind == "regression":
        numbers = values.astype(np.float64).reshape(count, -1)
        expected, wrong = "finite numbers, or NaN", np.isinf(numbers)
        labels: Values = numbers
    elif output.kind == "sigmoid":
        clean = np.where(np.isnan(values), UNKNOWN, values).reshape(count, -1)
        expected, wrong = "1 and 0, or -1 or NaN where it is not known", ~np.isin(clean, (0, 1, UNKNOWN))
        labels = np.where(wrong, UNKNOWN, clean).astype(np.int64)
    else:
        expected, labels = _places(output, values.reshape(count))
        wrong = (labels == _NOWHERE)[:, None]
    rows = np.asarray(wrong.any(1), np.bool_)
    return labels, (expected, count_rows(rows, "something else")) if rows.any() else None


def _places(output: Output, values: _Array) -> tuple[str, NDArray[np.int64]]:
    """What is expected, and (n,) the places of classes that whole numbers are; -1 where not known, -2 where none is."""
    names = [number(name) for name in output.classes]
    is_numbered = all(name is not None and name == round(name) for name in names)
    codes = [int(name or 0) for name in names] if is_numbered else list(range(len(names)))
    table = {UNKNOWN: UNKNOWN} | {code: place for place, code in enumerate(codes)}
    distinct, inverse = np.unique(np.where(np.isnan(values), UNKNOWN, values), return_inverse=True)
    places = np.array([table.get(value, _NOWHERE) for value in distinct.tolist()], np.int64)
    what = ", ".join(output.classes[:8]) if is_numbered else f"0 to {len(codes) - 1}, places in its classes"
    return f"{what}, or -1", places[inverse.reshape(-1)]
