"""The labels of a table, of one output or of several, whatever its examples are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from transfer.data.binding import Bound, bind_columns, find_column
from transfer.data.cells import answer, fault_of_name, holds_several, is_unknown, known_cells, separator_of
from transfer.data.column_names import LABELS, NUMBERING, plain_name
from transfer.data.encoding import encode_columns
from transfer.data.inferring import OF_ANSWERS, Column, infer_labelling
from transfer.data.misreadings import find_misreadings
from transfer.data.rows import columns_error
from transfer.data.sheets import Sheet
from transfer.data.targets import Values
from transfer.data.wanted import Wanted
from transfer.errors import DataError, Problem, near_names
from transfer.labellings import Labelling


@dataclass(frozen=True, slots=True, eq=False)
class SheetLabels:
    """The labels of all rows of a table.

    Attributes:
        labelling: what they are.
        targets: of each output, as a `LabelledSet` has them.
        groups: (n,) numbers of the groups; None for none.
        unused: names of columns that say nothing.
        chosen: names of the columns that were taken for labels where nobody said which.
        notes: what labels told from the columns may be beyond that, as `find_misreadings` has it.
        faults: what is wrong, by the row's place.
    """

    labelling: Labelling
    targets: tuple[Values, ...]
    groups: NDArray[np.int64] | None
    unused: tuple[str, ...]
    chosen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    faults: dict[int, list[Problem]] = field(default_factory=dict)


def label_sheet(sheet: Sheet, wanted: Wanted, taken: Collection[int]) -> SheetLabels:
    """The labels of a table with a header.

    Args:
        sheet: of at least one row.
        wanted: what is asked of them.
        taken: places of columns that hold no labels.

    Raises:
        DataError: if its columns do not give the outputs.
    """
    group = _group_column(sheet, wanted.group_by)
    free = [place for place in range(len(sheet.header)) if place not in taken and place != group]
    columns = [tuple(row.cells[place] for row in sheet.records) for place in range(len(sheet.header))]
    labelling = wanted.labelling or _inferred(sheet, columns, wanted, free)
    where = f"{sheet.name} line {sheet.line}" if sheet.unit == "line" else sheet.name
    bound = bind_columns(labelling, sheet.header, where, free=free)
    targets, wrong = encode_columns(bound, sheet.header, columns, separator=wanted.separator)
    faults: dict[int, list[Problem]] = {}
    for each in wrong:
        problem = Problem(f"{sheet.where(sheet.records[each.row].line)}", each.expected, each.found)
        faults.setdefault(each.row, []).append(problem)
    used = {*taken, *(place for each in bound for place in each.places)}
    unused = tuple(name for place, name in enumerate(sheet.header) if place not in used and place != group and name)
    groups = None
    if group is not None:
        groups = np.unique(np.array(columns[group], np.str_), return_inverse=True)[1].astype(np.int64)
        for row, cell in enumerate(columns[group]):
            if is_unknown(cell):
                problem = Problem(sheet.where(sheet.records[row].line), found=f"no group in column {wanted.group_by!r}")
                faults.setdefault(row, []).append(problem)
    is_told = wanted.labelling is not None or wanted.kinds is not None
    chosen = () if is_told else tuple(sheet.header[place] for each in bound for place in each.places)
    notes = () if wanted.labelling is not None else _notes(sheet, columns, bound, wanted)
    return SheetLabels(labelling, targets, groups, unused, chosen, notes, faults)


def _notes(sheet: Sheet, columns: Sequence[Sequence[str]], bound: Sequence[Bound], wanted: Wanted) -> tuple[str, ...]:
    """What columns may be beyond what they were taken for."""
    cells = {each.output.name: columns[each.places[0]] for each in bound if len(each.places) == 1}
    labelling = Labelling(tuple(each.output for each in bound))
    return find_misreadings(
        labelling, cells, lambda row: sheet.where(sheet.records[row].line), settled=wanted.settled(cells)
    )


def _group_column(sheet: Sheet, name: str) -> int | None:
    """Its place; None where no groups are asked for.

    Raises:
        DataError: if there is no such column.
    """
    if not name:
        return None
    place = find_column(name, sheet.header, range(len(sheet.header)))
    if place is None:
        near = near_names(name, sheet.header) or "none like it"
        raise DataError(
            f"{sheet.name} has no column {name!r} of groups.",
            [Problem(sheet.name, f"a column {name!r}", near)],
            "give the name of a column (--group-by, group_by=…)",
        )
    return place


def _inferred(sheet: Sheet, columns: list[tuple[str, ...]], wanted: Wanted, free: list[int]) -> Labelling:
    """What the labels are, told from the columns; one alone gives each example one class, or several where cells do.

    Raises:
        DataError: if the columns tell nothing.
    """
    likely = [place for place in free if plain_name(sheet.header[place]) not in NUMBERING]
    named = [place for place in likely if plain_name(sheet.header[place]) in LABELS]
    chosen = named if len(named) == 1 else likely
    if not chosen:
        raise columns_error(sheet)
    _refuse_strange_names(sheet, columns, chosen if wanted.kinds is None else free)
    if len(chosen) == 1 and wanted.kinds is None and wanted.separator is None:
        cells = columns[chosen[0]]
        if holds_several(cells, separator_of(cells)):
            return infer_labelling([Column(sheet.header[chosen[0]], cells)])
        return _of_one_column(sheet, chosen[0], cells)
    if wanted.kinds is None or _are_all_answers(sheet, columns, wanted, likely):
        several = [Column(sheet.header[place], columns[place]) for place in chosen]
        return infer_labelling(several, separator=wanted.separator)
    _refuse_unknown(sheet, wanted, free)
    called = {find_column(name, sheet.header, free): name for name in wanted.kinds}
    several = [Column(called.get(place, sheet.header[place]), columns[place]) for place in free]
    return infer_labelling(several, kinds=wanted.kinds, separator=wanted.separator)


def _are_all_answers(sheet: Sheet, columns: list[tuple[str, ...]], wanted: Wanted, likely: list[int]) -> bool:
    """Whether the one output that is wanted is that of columns of yes and no, none of which is called so."""
    return (
        tuple(wanted.kinds or ()) == (OF_ANSWERS,)
        and find_column(OF_ANSWERS, sheet.header, likely) is None
        and all(answer(cell) is not None for place in likely for cell in known_cells(columns[place]))
    )


def _of_one_column(sheet: Sheet, place: int, cells: tuple[str, ...]) -> Labelling:
    """One class of those that a column names.

    Raises:
        DataError: if it names fewer than two.
    """
    classes = known_cells(cells)
    if len(classes) > 1:
        return Labelling.of_classes(classes)
    shown = f"{len(classes)}: {', '.join(map(repr, classes))}"
    raise DataError(
        f"{sheet.name} has nothing to tell apart.",
        [Problem(f"column {sheet.header[place]!r}", "at least 2 classes", shown)],
        "add examples of another class",
    )


def _refuse_strange_names(sheet: Sheet, columns: list[tuple[str, ...]], chosen: list[int]) -> None:
    """Refuse cells that no class can be called: far too long ones, and control characters.

    Raises:
        DataError: if there are some; names their rows.
    """
    problems = []
    for place in chosen:
        strange = {cell: fault for cell in set(columns[place]) if (fault := fault_of_name(cell))}
        rows = [row for row, cell in enumerate(columns[place]) if cell in strange] if strange else []
        problems += [
            (row, Problem(sheet.where(sheet.records[row].line), found=strange[columns[place][row]])) for row in rows
        ]
    if problems:
        told = [problem for _, problem in sorted(problems, key=lambda each: each[0])]
        raise DataError(f"{sheet.name} has labels that are no names of classes.", told, "correct the table")


def _refuse_unknown(sheet: Sheet, wanted: Wanted, free: list[int]) -> None:
    """Refuse outputs that no column gives.

    Raises:
        DataError: if there are some; names all of them.
    """
    names = [sheet.header[place] for place in free]
    prefixes = {name.partition(".")[0] for name in names}
    missing = [
        name for name in wanted.kinds or () if name not in prefixes and find_column(name, sheet.header, free) is None
    ]
    if missing:
        raise DataError(
            f"{sheet.name} lacks columns of labels.",
            [
                Problem(sheet.name, f"a column for the output {name!r}", near_names(name, names) or "none like it")
                for name in missing
            ],
            "name an output as its column is called",
        )
