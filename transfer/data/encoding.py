"""Cells of tables as labels in arrays, and each cell that is none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from transfer.data.binding import Bound
from transfer.data.cells import answer, is_unknown, known_cells, number, parts, separator_of
from transfer.data.targets import UNKNOWN, Values, faults_of_parents, known_rows, unknown_like, with_parents
from transfer.errors import near_names
from transfer.labellings import Labelling, Output

_Cell = TypeVar("_Cell")
SEPARATOR_GIVEN = "with --separator"
Wrong = list[tuple[int, int, tuple[str, str]]]  # row, column, what was expected and found


@dataclass(frozen=True, slots=True)
class Fault:
    """A cell that is no label: its row, its column, what was expected there and what was found."""

    row: int
    column: str
    expected: str
    found: str


class _UnfitError(Exception):
    """A cell is no label: what was expected and what was found."""


def encode_columns(
    bound: Sequence[Bound],
    header: Sequence[str],
    columns: Sequence[Sequence[str]],
    *,
    separator: str | None = None,
) -> tuple[tuple[Values, ...], list[Fault]]:
    """Labels as a `LabelledSet` has them, and all cells that are none; these count as not known.

    A parent's class that is not known is taken from what stands under it. A no under a class that an example does not
    have, or is not known to have, does not apply.

    Args:
        bound: the outputs and their columns, parents first.
        header: names of the columns.
        columns: their cells.
        separator: between the labels of a cell; None for `;` or `|`, whichever occurs in the column.
    """
    labelling = Labelling(tuple(each.output for each in bound))
    targets: list[Values] = []
    faults: list[Fault] = []
    for each in bound:
        parent = targets[labelling.place(each.output.parent)] if each.output.parent else None
        values, wrong = encode_output(each, columns, labelling, parent, separator)
        targets.append(values)
        faults += [Fault(row, header[column], *found) for row, column, found in wrong]
    filled, strange = settle_parents(labelling, targets)
    return filled, [*faults, *(Fault(row, text.partition(" stands under ")[0], "", text) for row, text in strange)]


def encode_output(
    bound: Bound,
    columns: Sequence[Sequence[str]],
    labelling: Labelling,
    parent: Values | None,
    separator: str | None,
) -> tuple[Values, Wrong]:
    """Labels of one output, and the cells that are none: (row, column, (what was expected, what was found)).

    Args:
        bound: the output and its columns.
        columns: cells.
        labelling: all outputs.
        parent: labels of that under which it stands, where it does and they are known.
        separator: as for `encode_columns`.
    """
    if bound.output.kind == "softmax":
        return _encode_softmax(bound, columns, parent, labelling)
    return (_encode_divided if bound.is_divided else _encode_sigmoid)(bound, columns, separator)


def settle_parents(labelling: Labelling, targets: Sequence[Values]) -> tuple[tuple[Values, ...], list[tuple[int, str]]]:
    """Labels with what they imply of their parents, and (row, what is wrong) where a parent's class is another one.

    A no under a class that an example does not have, or is not known to have, does not apply.
    """
    applying = [
        _applying(values, labelling, each, targets[labelling.place(each.parent)])
        if each.parent and each.kind == "sigmoid"
        else values
        for each, values in zip(labelling, targets, strict=True)
    ]
    filled = with_parents(labelling, applying)
    return filled, faults_of_parents(labelling, filled)


def rows_known(targets: Sequence[Values]) -> NDArray[np.bool_]:
    """(n,), of which examples anything is known."""
    return np.asarray(np.any([known_rows(values) for values in targets], axis=0), np.bool_)


def _encode_softmax(
    bound: Bound, columns: Sequence[Sequence[str]], parent: Values | None, labelling: Labelling
) -> tuple[Values, Wrong]:
    output, column = bound.output, bound.places[0]
    above = labelling[output.parent].classes if output.parent else ()
    places = {name: place for place, name in enumerate(output.classes)}

    def value(cell: tuple[str, int]) -> int:
        name, coarse = cell
        if is_unknown(name) and name not in places:
            return UNKNOWN
        if name in places:
            return places[name]
        fine = [f"{each}/{name}" for each in (above if coarse == UNKNOWN else above[coarse : coarse + 1])]
        found = [places[each] for each in fine if each in places]
        if len(found) > 1:
            raise _UnfitError(f"one of {', '.join(each for each in fine if each in places)}", repr(name))
        if not found:
            raise _UnfitError(f"a class of {output.name!r}", f"{name!r}{near_names(name, output.classes, lead='; ')}")
        return found[0]

    cells = columns[column]
    parents = np.full(len(cells), UNKNOWN, np.int64) if parent is None else parent
    values = unknown_like(output, len(cells))
    return values, _fill(values, list(zip(cells, parents.tolist(), strict=True)), value, column)


def _encode_sigmoid(bound: Bound, columns: Sequence[Sequence[str]], separator: str | None) -> tuple[Values, Wrong]:
    output, column = bound.output, bound.places[0]
    places = {name: place for place, name in enumerate(output.classes)}
    between = separator_of(known_cells(columns[column]), separator)

    def value(cell: str) -> list[int] | int:
        if cell in places:
            return [int(place == places[cell]) for place in range(len(places))]
        if is_unknown(cell):
            return UNKNOWN
        if len(places) == 1 and (said := answer(cell)) is not None:
            return said
        names = parts(cell, between)
        strange = [name for name in names if name not in places]
        if strange:
            near = _way_to_divide(cell, between, places) or near_names(strange[0], places, lead="; ")
            raise _UnfitError(f"labels of {output.name!r}", f"{', '.join(map(repr, strange))}{near}")
        return [int(name in names) for name in places]

    values = unknown_like(output, len(columns[column]))
    return values, _fill(values, columns[column], value, column)


def _way_to_divide(cell: str, separator: str | None, classes: Collection[str]) -> str:
    """How a cell is read that is several classes with another separator between them; empty where it is not."""
    for other in (",", " "):
        names = parts(cell, other)
        if len(names) > 1 and all(name in classes for name in names):
            shown = " and ".join(map(repr, names))
            use = (
                f"{SEPARATOR_GIVEN} {other!r} (separator={other!r})"
                if separator is None
                else f"with {separator!r} between"
            )
            return f"; {use} it is {shown}"
    return ""


def _encode_divided(bound: Bound, columns: Sequence[Sequence[str]], _: str | None) -> tuple[Values, Wrong]:
    is_number = bound.output.kind == "regression"
    values = unknown_like(bound.output, len(columns[bound.places[0]]))
    wrong: Wrong = []
    for place, column in enumerate(bound.places):
        wrong += _fill(values[:, place], columns[column], _number if is_number else _answer, column)
    return values, wrong


def _number(cell: str) -> float:
    value = float("nan") if is_unknown(cell) else number(cell)
    if value is None:
        raise _UnfitError("a finite number, or nothing", repr(cell))
    return value


def _answer(cell: str) -> int:
    value = UNKNOWN if is_unknown(cell) else answer(cell)
    if value is None:
        raise _UnfitError("1 or 0, yes or no, true or false, or nothing", repr(cell))
    return value


def _fill(values: Values, cells: Sequence[_Cell], value: Callable[[_Cell], Any], column: int) -> Wrong:
    """Set the labels that cells say, each distinct cell worked out once; the rows of those that say none."""
    said: dict[_Cell, Any] = {}
    wrong: Wrong = []
    for row, cell in enumerate(cells):
        if cell not in said:
            try:
                said[cell] = value(cell)
            except _UnfitError as error:
                said[cell] = error
        if isinstance(said[cell], _UnfitError):
            wrong.append((row, column, said[cell].args))
        else:
            values[row] = said[cell]
    return wrong


def _applying(values: Values, labelling: Labelling, output: Output, parent: Values) -> Values:
    """Yes and no where they apply: a no under a class that the example is not known to have says nothing."""
    classes = labelling[output.parent].classes
    under = np.array([classes.index(name) for name in output.under], np.int64)
    implied = np.where((values == 1).any(1) & (parent == UNKNOWN), under[np.argmax(values == 1, axis=1)], parent)
    return np.where((values == 0) & (implied[:, None] != under), UNKNOWN, values)
