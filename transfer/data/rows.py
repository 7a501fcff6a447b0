"""Rows of a table of one label each: which cell is a picture's path, which its label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transfer.data.column_names import LABELS, PATHS, plain_name
from transfer.data.sheets import Sheet, parse_sheet, sheet_error, show_cells
from transfer.errors import DataError, Problem

NO_LABEL = " has no label"
_COLUMNS = "one column named file (or path, image, filename) and one named label (or class)"


@dataclass(frozen=True, slots=True)
class Row:
    """One picture of a table.

    Attributes:
        line: where the row begins, from 1.
        path: as it stands there, without spaces around it.
        label: likewise; empty where there is none.
    """

    line: int
    path: str
    label: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table, read.

    Attributes:
        rows: in their order; blank lines are passed over.
        unused: names of columns that hold neither path nor label.
        faults: rows that cannot be read.
        label: name of the column of labels; empty without a header.
    """

    rows: tuple[Row, ...]
    unused: tuple[str, ...] = ()
    faults: tuple[Problem, ...] = ()
    label: str = ""


def parse_table(content: bytes, name: str, is_picture: Callable[[str], bool]) -> Table:
    """The rows of a table of paths and labels, as `parse_sheet` takes it.

    A header tells the columns by their names; where one of two is known, the other is the other. Without a header there
    are two columns, the path first.

    Raises:
        DataError: if it is not such a text, or its columns cannot be told.
    """
    return label_table(parse_sheet(content, name, is_picture))


def label_table(sheet: Sheet) -> Table:
    """Paths and labels of a table with one label each.

    Raises:
        DataError: if its columns cannot be told, or it has no row.
    """
    columns = label_columns(sheet)
    if columns is None:
        raise sheet_error(sheet.name, [Problem(f"{sheet.name} line {sheet.line}", _COLUMNS, show_cells(sheet.header))])
    if not sheet.records and not sheet.faults:
        raise sheet_error(sheet.name, [Problem(sheet.name, "rows of a path and a label", "a header and no row")])
    path, label = columns
    rows = tuple(Row(each.line, each.cells[path], each.cells[label]) for each in sheet.records)
    unused = (cell for place, cell in enumerate(sheet.header) if place not in columns and cell)
    return Table(rows, tuple(unused), sheet.faults, sheet.header[label] if sheet.is_header else "")


def label_columns(sheet: Sheet) -> tuple[int, int] | None:
    """The places of path and label where each picture has one; None where there is no telling, or there are more."""
    header = sheet.header
    if not sheet.is_header:
        return (0, 1) if len(header) == 2 and sheet.begins_with_picture else None
    names = [plain_name(cell) for cell in header]
    paths = path_columns(sheet)
    labels = [place for place, name in enumerate(names) if name in LABELS and place not in paths]
    if len(names) == 2 and len(paths) + len(labels) == 1:
        known = (paths or labels)[0]
        return (known, 1 - known) if paths else (1 - known, known)
    return (paths[0], labels[0]) if len(paths) == len(labels) == 1 else None


def path_columns(sheet: Sheet) -> list[int]:
    """The places of columns that are said, or by their names known, to hold paths."""
    if sheet.paths is not None:
        return [sheet.paths]
    return [place for place, name in enumerate(sheet.header) if plain_name(name) in PATHS]


def columns_error(sheet: Sheet) -> DataError:
    """What is raised where the columns of a table cannot be told."""
    return sheet_error(sheet.name, [Problem(f"{sheet.name} line {sheet.line}", _COLUMNS, show_cells(sheet.header))])
