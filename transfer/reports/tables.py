"""Tables of a page: cells as they are read, and what they are sorted by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from transfer.reports.shown_text import shown

_NUMBER = re.compile(r"^[≥~]?\s*([-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?|inf\b)\s*([kMGT%]?)")
_FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "%": 0.01}

_NOTHING = Markup()
_SHORT, _LONG = 16, 24  # letters of a cell, and of a word


@dataclass(frozen=True, slots=True)
class Cell:
    """One of them.

    Attributes:
        text: that is read.
        key: a number to sort by; None where the text is.
        note: in small below the text.
        drawn: markup of our own beside it.
    """

    text: str
    key: float | None = None
    note: str = ""
    drawn: Markup = _NOTHING

    @property
    def width(self) -> str:
        """How it may be broken: `short` nowhere, `long` within words, else between them; of several lines `wide`."""
        if len(self.text) <= _SHORT:
            return "short"
        if max(map(len, self.text.split()), default=0) > _LONG:
            return "long"
        return "wide" if len(self.text) > _LONG else ""


@dataclass(frozen=True, slots=True)
class Table:
    """What a table holds.

    Attributes:
        caption: what it is of, for those who hear it.
        columns: their headings.
        numbers: for each column, whether it holds numbers.
        rows: cells.
        marked: places of rows that stand out.
    """

    caption: str
    columns: tuple[str, ...]
    numbers: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marked: frozenset[int] = frozenset()


def table_of(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Cell]],
    numbers: Sequence[str] = (),
    marked: Iterable[int] = (),
) -> Table:
    """A table from printed cells; those of numbers are sorted as numbers.

    Args:
        caption: what it is of.
        columns: their headings.
        rows: printed cells, from outside or not.
        numbers: headings of columns that hold numbers.
        marked: places of rows that stand out.
    """
    holds = tuple(column in numbers for column in columns)
    cells = tuple(
        tuple(
            each if isinstance(each, Cell) else Cell(shown(each), read_number(each) if number else None)
            for each, number in zip(row, holds, strict=True)
        )
        for row in rows
    )
    return Table(shown(caption), tuple(map(shown, columns)), holds, cells, frozenset(marked))


def read_number(text: str) -> float | None:
    """The number that a printed cell begins with, `15.47 G` or `1,280`; None where it begins with none."""
    found = _NUMBER.match(text.strip())
    return float(found[1].replace(",", "")) * _FACTORS[found[2]] if found else None
