"""Rows of a text table: which cell is a picture's path, which its label, and on which line they stand."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from transfer.errors import DataError, Problem

DELIMITERS = ",;\t|"
_LONGEST_LINE = 2**17  # characters; the csv module allows as many in one cell
_PATHS = frozenset(
    [
        "file",
        "files",
        "filename",
        "file_name",
        "filepath",
        "file_path",
        "path",
        "paths",
        "image",
        "images",
        "image_file",
        "image_name",
        "image_path",
        "img",
        "img_path",
        "picture",
        "pictures",
        "photo",
        "photos",
    ]
)
_LABELS = frozenset(["label", "labels", "class", "classes", "class_name", "category", "target"])
_COLUMNS = "one column named file (or path, image, filename) and one named label (or class)"

_Record = tuple[int, list[str]]  # the line on which it begins, and its cells


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
    """

    rows: tuple[Row, ...]
    unused: tuple[str, ...] = ()
    faults: tuple[Problem, ...] = ()


def parse_table(content: bytes, name: str, is_picture: Callable[[str], bool]) -> Table:
    """The rows of a table of paths and labels, separated by commas, semicolons, tabs or bars.

    A header tells the columns by their names; where one of two is known, the other is the other. The first row is no
    header if a cell of it is a picture: then there are two columns, the path first.

    Args:
        content: UTF-8, with or without a byte order mark; lines end in any of the three ways.
        name: of the table, for messages.
        is_picture: whether a cell names a picture.

    Raises:
        DataError: if it is not such a text, or its columns cannot be told.
    """
    lines = _lines(content, name)
    start = next((line for line in lines if line.strip()), None)
    if start is None:
        raise _error(name, [Problem(name, "rows of a path and a label", "an empty table")])
    records, faults = _records(lines, _delimiter(start, is_picture), name)
    if not records:
        raise _error(name, faults)
    first, header = records[0][0], [cell.strip() for cell in records[0][1]]
    columns = _columns(header)
    if not _names_both(header) and any(map(is_picture, header)):
        columns = (0, 1) if len(header) == 2 and is_picture(header[0]) else None
    elif columns:
        records = records[1:]
    if columns is None:
        raise _error(name, [Problem(f"{name} line {first}", _COLUMNS, _shown(header))])
    unused = tuple(cell for place, cell in enumerate(header) if place not in columns and cell)
    if not records and not faults:
        raise _error(name, [Problem(name, "rows of a path and a label", "a header and no row")])
    wide = {line for line, cells in records if any(map(str.strip, cells[len(header) :]))}
    faults = [*(_too_wide(record, len(header), name) for record in records if record[0] in wide), *faults]
    return Table(tuple(_row(record, columns) for record in records if record[0] not in wide), unused, tuple(faults))


def is_table(start: bytes, is_picture: Callable[[str], bool]) -> bool:
    """Whether a file that starts so is a table of pictures: by its header, or by a picture in its first cell."""
    line = start.removeprefix(b"\xef\xbb\xbf").lstrip().decode(errors="replace").splitlines()[:1]
    if not line or "\0" in line[0]:
        return False
    cells = [cell.strip() for cell in _cells(line[0], _delimiter(line[0], is_picture))]
    return len(cells) > 1 and (is_picture(cells[0]) or _names_both(cells))


def _error(name: str, problems: Sequence[Problem]) -> DataError:
    step = "write it as UTF-8 text with a header such as file,label and one row a picture"
    return DataError(f"{name} cannot be read as a table of pictures and labels.", problems, step)


def _lines(content: bytes, name: str) -> list[str]:
    """The lines of a text, with their ends.

    Raises:
        DataError: if it is not UTF-8, holds a NUL, or a line is longer than any row needs.
    """
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        lines = list(io.StringIO(content.decode(), newline=""))
    except UnicodeDecodeError as error:
        raise _error(name, _not_text(content, name)) from error
    problems = [
        Problem(f"{name} line {number}", f"at most {_LONGEST_LINE} characters, none of them NUL", found)
        for number, line in enumerate(lines, 1)
        if (found := "a NUL" if "\0" in line else str(len(line)) if len(line) > _LONGEST_LINE else "")
    ]
    if problems:
        raise _error(name, problems)
    return lines


def _not_text(content: bytes, name: str) -> list[Problem]:
    problems = []
    for number, line in enumerate(re.split(rb"\r\n|\r|\n", content), 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            found = f"byte {line[error.start]:#04x} in {line[:60]!r}"
            problems.append(Problem(f"{name} line {number}", "text in UTF-8", found))
    return problems


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _delimiter(line: str, is_picture: Callable[[str], bool]) -> str:
    """The one by which a first line makes most sense: known names, or a picture first; else the most cells."""

    def sense(delimiter: str) -> tuple[bool, bool, int]:
        cells = [cell.strip() for cell in _cells(line, delimiter)]
        several = len(cells) > 1
        return several and _names_both(cells), several and is_picture(cells[0]), len(cells)

    return max(DELIMITERS, key=sense)


def _records(lines: list[str], delimiter: str, name: str) -> tuple[list[_Record], list[Problem]]:
    """All rows that are not blank, and the first that is none: behind a stray quote nothing can be told."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    records: list[_Record] = []
    first = 1
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                records.append((first, cells))
            first = reader.line_num + 1
    except csv.Error as error:
        found = f"no row of a table: {error}; a quote may be open"
        return records, [Problem(f"{name} line {first}", found=found)]
    return records, []


def _columns(header: Sequence[str]) -> tuple[int, int] | None:
    """The places of path and label by their names; None where these do not tell."""
    names = [re.sub(r"[\s-]+", "_", cell.lower()) for cell in header]
    paths = [place for place, name in enumerate(names) if name in _PATHS]
    labels = [place for place, name in enumerate(names) if name in _LABELS]
    if len(names) == 2 and len(paths) + len(labels) == 1:
        known = (paths or labels)[0]
        return (known, 1 - known) if paths else (1 - known, known)
    return (paths[0], labels[0]) if len(paths) == len(labels) == 1 else None


def _names_both(cells: Sequence[str]) -> bool:
    names = {re.sub(r"[\s-]+", "_", cell.lower()) for cell in cells}
    return bool(names & _PATHS and names & _LABELS)


def _row(record: _Record, columns: tuple[int, int]) -> Row:
    line, cells = record
    path, label = (cells[place].strip() if place < len(cells) else "" for place in columns)
    return Row(line, path, label)


def _too_wide(record: _Record, count: int, name: str) -> Problem:
    found = f"{_shown(record[1])}; quote a cell that holds the separator"
    return Problem(f"{name} line {record[0]}", f"{count} cells", found)


def _shown(cells: Sequence[str]) -> str:
    shown = ", ".join(repr(cell[:40]) for cell in cells[:12]) + (", …" if len(cells) > 12 else "")
    return f"{len(cells)}: {shown}"
