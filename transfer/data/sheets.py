"""Text tables: their rows as cells, and the lines on which they stand, whatever program wrote them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from transfer.data.addresses import hide_secrets
from transfer.data.column_names import names_both
from transfer.errors import DataError, Problem

_DELIMITERS = ",;\t|"
_LONGEST_LINE = 2**17  # characters; the csv module allows as many in one cell
_MAX_ROWS = 10**7
_MOST_TOLD = 1000  # lines that are no text

_Raw = tuple[int, list[str]]  # the line on which a row begins, and its cells


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a table.

    Attributes:
        line: where it begins, from 1.
        cells: one for each column, without spaces around it; empty where there is none.
    """

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table, read.

    Attributes:
        name: of the table, for messages.
        line: where its first row begins.
        header: names of the columns; the cells of the first row where `is_header` is false.
        is_header: whether the first row names the columns, and is no picture.
        begins_with_picture: whether the first cell of all is one.
        records: all other rows, in their order; blank lines are passed over.
        faults: rows that cannot be read.
        unit: what rows are counted by: `line` of a text, `row` of a table in memory.
        paths: the place of the column of paths where that is said; None where names tell it.
    """

    name: str
    line: int
    header: tuple[str, ...]
    is_header: bool
    begins_with_picture: bool
    records: tuple[Record, ...]
    faults: tuple[Problem, ...] = ()
    unit: str = "line"
    paths: int | None = None

    def where(self, line: int) -> str:
        """The row that begins on a line, for messages."""
        return f"{self.name} {self.unit} {line}"


def parse_sheet(content: bytes, name: str, is_picture: Callable[[str], bool]) -> Sheet:
    """The rows of a table of pictures, separated by commas, semicolons, tabs or bars.

    The first row is no header if a cell of it is a picture.

    Args:
        content: UTF-8, with or without a byte order mark; lines end in any of the three ways.
        name: of the table, for messages.
        is_picture: whether a cell names a picture.

    Raises:
        DataError: if it is not such a text, or has no row.
    """
    _refuse_other_texts(content, name)
    start = next((line for line in _lines(content) if line.strip()), "")
    raw = _records(content, _delimiter(start, is_picture), name)
    first = next(raw, None)
    if first is None:
        raise sheet_error(name, [Problem(name, "rows of a path and a label", "an empty table")])
    if isinstance(first, Problem):
        raise sheet_error(name, [first])
    header = tuple(cell.strip() for cell in first[1])
    is_header = names_both(header) or not any(map(is_picture, header))
    read = [_record(each, len(header), name) for each in (raw if is_header else chain([first], raw))]
    records = tuple(each for each in read if isinstance(each, Record))
    faults = tuple(each for each in read if isinstance(each, Problem))
    return Sheet(name, first[0], header, is_header, is_picture(header[0]), records, faults)


def looks_like_sheet(start: bytes, is_picture: Callable[[str], bool]) -> bool:
    """Whether a file that starts so is a table of pictures: by its header, or by a picture in its first cell."""
    line = start.removeprefix(b"\xef\xbb\xbf").lstrip().decode(errors="replace").splitlines()[:1]
    if not line or "\0" in line[0]:
        return False
    cells = [cell.strip() for cell in _cells(line[0], _delimiter(line[0], is_picture))]
    return len(cells) > 1 and (is_picture(cells[0]) or names_both(cells))


def sheet_error(name: str, problems: Sequence[Problem]) -> DataError:
    """What is raised where a text is no table of pictures."""
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
        raise sheet_error(name, list(islice(_not_text(content, name), _MOST_TOLD))) from error
    if content.count(b"\n") + content.count(b"\r") > 4 * _MAX_ROWS:
        raise sheet_error(name, [Problem(name, f"at most {_MAX_ROWS} rows", "several times as many lines")])
    problems = (
        Problem(f"{name} line {number}", f"at most {_LONGEST_LINE} characters, none of them NUL", found)
        for number, line in enumerate(_lines(content), 1)
        if (found := "a NUL" if "\0" in line else str(len(line)) if len(line) > _LONGEST_LINE else "")
    )
    told = list(islice(problems, _MOST_TOLD))
    if told:
        raise sheet_error(name, told)


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
        return several and names_both(cells), several and is_picture(cells[0]), len(cells)

    return max(_DELIMITERS, key=sense)


def _records(content: bytes, delimiter: str, name: str) -> Iterator[_Raw | Problem]:
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
                    raise sheet_error(name, [Problem(name, f"at most {_MAX_ROWS} rows", "more")])
                yield first, cells
            first = reader.line_num + 1
    except csv.Error as error:
        yield Problem(f"{name} line {first}", found=f"no row of a table: {error}; a quote may be open")


def _record(raw: _Raw | Problem, count: int, name: str) -> Record | Problem:
    """A row; or its fault, if it has more cells than there are columns: a separator in a name that is not quoted."""
    if isinstance(raw, Problem):
        return raw
    line, cells = raw
    if len(cells) > count and any(map(str.strip, cells[count:])):
        found = f"{show_cells(cells)}; quote a cell that holds the separator"
        return Problem(f"{name} line {line}", f"{count} cells", found)
    stripped = [cell.strip() for cell in cells[:count]]
    return Record(line, (*stripped, *[""] * (count - len(stripped))))


def show_cells(cells: Sequence[str]) -> str:
    """How many there are, and the first of them."""
    shown = ", ".join(repr(hide_secrets(cell)[:40]) for cell in cells[:12]) + (", …" if len(cells) > 12 else "")
    return f"{len(cells)}: {shown}"
