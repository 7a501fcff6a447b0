"""Rows of a text table: which cell is a picture's path, which its label, and on which line they stand."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from transfer.errors import DataError, Problem

_DELIMITERS = ",;\t|"
_LONGEST_LINE = 2**17  # characters; the csv module allows as many in one cell
_MAX_ROWS = 10**6
_MOST_TOLD = 1000  # lines that are no text
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
    _refuse_other_texts(content, name)
    start = next((line for line in _lines(content) if line.strip()), "")
    records = _records(content, _delimiter(start, is_picture), name)
    first = next(records, None)
    if first is None:
        raise _error(name, [Problem(name, "rows of a path and a label", "an empty table")])
    if isinstance(first, Problem):
        raise _error(name, [first])
    header = [cell.strip() for cell in first[1]]
    columns, is_header = _columns(header, is_picture)
    if columns is None:
        raise _error(name, [Problem(f"{name} line {first[0]}", _COLUMNS, _shown(header))])
    rows: list[Row] = []
    faults: list[Problem] = []
    for record in records if is_header else chain([first], records):
        each = record if isinstance(record, Problem) else _row(record, columns, len(header), name)
        if isinstance(each, Row):
            rows.append(each)
        else:
            faults.append(each)
    if not rows and not faults:
        raise _error(name, [Problem(name, "rows of a path and a label", "a header and no row")])
    unused = (cell for place, cell in enumerate(header) if place not in columns and cell)
    return Table(tuple(rows), tuple(unused), tuple(faults))


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


def _lines(content: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="")


def _refuse_other_texts(content: bytes, name: str) -> None:
    """Refuse what cannot be a table.

    Raises:
        DataError: if it is not UTF-8, holds a NUL, or a line is longer than any row needs.
    """
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise _error(name, list(islice(_not_text(content, name), _MOST_TOLD))) from error
    if content.count(b"\n") + content.count(b"\r") > 4 * _MAX_ROWS:
        raise _error(name, [Problem(name, f"at most {_MAX_ROWS} rows", "several times as many lines")])
    problems = (
        Problem(f"{name} line {number}", f"at most {_LONGEST_LINE} characters, none of them NUL", found)
        for number, line in enumerate(_lines(content), 1)
        if (found := "a NUL" if "\0" in line else str(len(line)) if len(line) > _LONGEST_LINE else "")
    )
    told = list(islice(problems, _MOST_TOLD))
    if told:
        raise _error(name, told)


def _not_text(content: bytes, name: str) -> Iterator[Problem]:
    lines = io.TextIOWrapper(io.BytesIO(content), "utf-8", "surrogateescape", newline="")
    for number, line in enumerate(lines, 1):
        stray = re.search("[\udc80-\udcff]", line)
        if stray:
            found = f"byte {ord(stray[0]) - 0xDC00:#04x} in {line[max(0, stray.start() - 20) :][:40]!r}"
            yield Problem(f"{name} line {number}", "text in UTF-8", found)


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _delimiter(line: str, is_picture: Callable[[str], bool]) -> str:
    """The one by which a first line makes most sense: known names, or a picture first; else the most cells."""

    def sense(delimiter: str) -> tuple[bool, bool, int]:
        cells = [cell.strip() for cell in _cells(line, delimiter)]
        several = len(cells) > 1
        return several and _names_both(cells), several and is_picture(cells[0]), len(cells)

    return max(_DELIMITERS, key=sense)


def _records(content: bytes, delimiter: str, name: str) -> Iterator[_Record | Problem]:
    """All rows that are not blank, up to the first that is none: behind a stray quote nothing can be told.

    Raises:
        DataError: past as many rows as are taken.
    """
    reader = csv.reader(_lines(content), delimiter=delimiter, skipinitialspace=True, strict=True)
    first = 1
    count = 0
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                count += 1
                if count > _MAX_ROWS:
                    raise _error(name, [Problem(name, f"at most {_MAX_ROWS} rows", "more")])
                yield first, cells
            first = reader.line_num + 1
    except csv.Error as error:
        yield Problem(f"{name} line {first}", found=f"no row of a table: {error}; a quote may be open")


def _columns(header: Sequence[str], is_picture: Callable[[str], bool]) -> tuple[tuple[int, int] | None, bool]:
    """The places of path and label, None where they cannot be told; and whether this is a header, not a picture."""
    if not _names_both(header) and any(map(is_picture, header)):
        return ((0, 1) if len(header) == 2 and is_picture(header[0]) else None), False
    names = [_plain(cell) for cell in header]
    paths = [place for place, name in enumerate(names) if name in _PATHS]
    labels = [place for place, name in enumerate(names) if name in _LABELS]
    if len(names) == 2 and len(paths) + len(labels) == 1:
        known = (paths or labels)[0]
        return ((known, 1 - known) if paths else (1 - known, known)), True
    return ((paths[0], labels[0]) if len(paths) == len(labels) == 1 else None), True


def _names_both(cells: Sequence[str]) -> bool:
    names = set(map(_plain, cells))
    return bool(names & _PATHS and names & _LABELS)


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _row(record: _Record, columns: tuple[int, int], count: int, name: str) -> Row | Problem:
    """A row; or its fault, if it has more cells than there are columns: a separator in a name that is not quoted."""
    line, cells = record
    if len(cells) > count and any(map(str.strip, cells[count:])):
        found = f"{_shown(cells)}; quote a cell that holds the separator"
        return Problem(f"{name} line {line}", f"{count} cells", found)
    path, label = (cells[place].strip() if place < len(cells) else "" for place in columns)
    return Row(line, path, label)


def _shown(cells: Sequence[str]) -> str:
    shown = ", ".join(repr(cell[:40]) for cell in cells[:12]) + (", …" if len(cells) > 12 else "")
    return f"{len(cells)}: {shown}"
