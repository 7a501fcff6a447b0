"""Pictures that a table labels with several outputs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from transfer.data.encoding import rows_known
from transfer.data.labelled import LabelledSet
from transfer.data.locating import is_picture, locate_picture
from transfer.data.rows import columns_error, path_columns
from transfer.data.sheet_labels import SheetLabels, label_sheet
from transfer.data.sheets import Sheet, sheet_error
from transfer.data.table_pictures import Leniency, TableSource, by_line, check_pictures, refuse_faults
from transfer.data.targets import Values, known, shown_label
from transfer.data.unused_columns import tell_unused
from transfer.data.wanted import Wanted
from transfer.errors import Problem
from transfer.labellings import Labelling


@dataclass(frozen=True, slots=True)
class _Example:
    """A row whose picture is there: its place among the rows, its line, and the picture."""

    row: int
    line: int
    name: str
    path: Path
    address: str


def read_outputs(sheet: Sheet, source: TableSource, wanted: Wanted, leniency: Leniency) -> LabelledSet:
    """The pictures of a table, each with all that is known of it.

    A row of which nothing is known is left out.

    Raises:
        DataError: with each line that is wrong, as for `read_table`; for a class that is none, and a label under
            another class than the picture's.
    """
    column = path_column(sheet, source.root)
    if not sheet.records and not sheet.faults:
        raise sheet_error(sheet.name, [Problem(sheet.name, "rows of a path and labels", "a header and no row")])
    labels = label_sheet(sheet, wanted, (column,))
    faults = [*sheet.faults, *(problem for several in labels.faults.values() for problem in several)]
    examples, left_out = _located(sheet, source, labels, column, faults, present=leniency.opens)
    checked = check_pictures(examples, sheet.where, leniency.max_pixels)
    (left_out if leniency.skips_unreadable else faults).extend(checked.unreadable.values())
    left_out += checked.oversized.values()
    left_out += source.unnamed(row.cells[column] for row in sheet.records)
    kept = [each for each in examples if checked.is_usable(each)]
    rows = np.array([each.row for each in kept], np.int64)
    targets = tuple(values[rows] for values in labels.targets)
    if not kept and not faults:
        faults = [Problem(sheet.name, "pictures of which something is known", "none that can be used"), *left_out]
    elif not faults and wanted.labelling is None:
        faults = list(_faults_of_outputs(sheet, labels.labelling, targets))
    refuse_faults(source, faults, left_out if leniency.strict else [])
    left_out += tell_unused(sheet, labels.unused, labels.chosen)
    found = LabelledSet(
        source.source,
        tuple(each.name for each in kept),
        labels.labelling,
        targets,
        tuple(checked.path(each) for each in kept),
        tuple(sorted(left_out, key=by_line)),
        None if labels.groups is None else labels.groups[rows],
        labels.notes,
    )
    return found.subset(_order(found))


def _order(found: LabelledSet) -> list[int]:
    """By path; where each has one class and nothing else, by class before."""
    classes = found.targets[0].tolist() if found.labelling.is_single else [0] * len(found)
    return sorted(range(len(found)), key=lambda place: (classes[place], found.names[place]))


def path_column(sheet: Sheet, root: Path) -> int:
    """The column of paths: by its name, or because its first cell is a picture.

    Raises:
        DataError: if there is no telling.
    """
    if not sheet.is_header:
        raise columns_error(sheet)
    named = path_columns(sheet)
    if not named and sheet.records:
        named = [place for place, cell in enumerate(sheet.records[0].cells) if is_picture(root, cell)]
    if len(named) != 1:
        raise columns_error(sheet)
    return named[0]


def _located(
    sheet: Sheet, source: TableSource, labels: SheetLabels, column: int, faults: list[Problem], *, present: bool
) -> tuple[list[_Example], list[Problem]]:
    """Rows with a picture and something known, each picture once; what is left out; faults are added to those given."""
    root = os.path.realpath(source.root)
    says_something = rows_known(labels.targets)
    examples: dict[str, _Example] = {}
    left_out: list[Problem] = []
    for row, record in enumerate(sheet.records):
        tell = partial(Problem, sheet.where(record.line), "")
        picture = locate_picture(source.root, root, record.cells[column], present=present)
        if isinstance(picture, str):
            faults.append(tell(picture))
        elif row in labels.faults:
            continue
        elif not says_something[row]:
            left_out.append(tell(f"nothing is known of {picture.name!r}"))
        else:
            example = _Example(row, record.line, picture.name, picture.path, picture.address)
            first = examples.setdefault(picture.real, example)
            if first is example:
                continue
            differing = list(_differing(labels, first.row, row))
            on = f"{sheet.unit} {first.line}"
            if differing:
                faults.append(tell(f"{picture.name!r} is {differing[0][0]} here and {differing[0][1]} on {on}"))
            else:
                left_out.append(tell(f"{picture.name!r} stands on {on} already"))
    return list(examples.values()), left_out


def _differing(labels: SheetLabels, first: int, second: int) -> Iterator[tuple[str, ...]]:
    """What two rows say differently, the second's before the first's."""
    for output, values in zip(labels.labelling, labels.targets, strict=True):
        if not np.array_equal(values[first], values[second], equal_nan=values.dtype.kind == "f"):
            yield tuple(f"{output.name} {shown_label(output, values[row])}" for row in (second, first))


def _faults_of_outputs(sheet: Sheet, labelling: Labelling, targets: Sequence[Values]) -> Iterator[Problem]:
    """Outputs of which nothing, or only one answer, is known in any picture that can be used."""
    for output, values in zip(labelling, targets, strict=True):
        if not known(values).any():
            yield Problem(f"{sheet.name} output {output.name!r}", "labels", "none that is known")
        elif output.kind == "softmax" and not output.parent and len(np.unique(values[values >= 0])) < 2:
            only = output.classes[int(values.max())]
            yield Problem(f"{sheet.name} output {output.name!r}", "at least 2 classes", f"1: {only!r}")
