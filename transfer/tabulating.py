"""Tables, large numbers, counts and many names as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

Table: TypeAlias = tuple[Sequence[str], Sequence[Sequence[str]], Sequence[str]]  # columns, rows, columns of numbers
Part: TypeAlias = str | Table

_SHOWN = 8  # names in a line; the others are counted


def format_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str] = ()) -> str:
    """Columns side by side, two spaces between them; those in `numbers` are aligned to the right."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in (columns, *rows)
    )


def format_parts(parts: Iterable[Part]) -> str:
    """What a result prints: its lines and tables, one below the other."""
    return "\n".join(
        part if isinstance(part, str) else format_table(part[0], part[1], numbers=part[2]) for part in parts
    )


def spaced(tables: Sequence[Table]) -> list[Part]:
    """Tables with an empty line between one and the next."""
    return [part for place, table in enumerate(tables) for part in ([""] if place else []) + [table]]


def format_scaled(number: float) -> str:
    """Four digits and a prefix: `15.47 G` for 15,470,264,320."""
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= factor:
            return f"{number / factor:.4g} {prefix}"
    return f"{number:.4g} "


def counted(count: int, name: str) -> str:
    """`1 shot`, `12,000 shots`."""
    return f"{count:,} {name}{'s' * (count != 1)}"


def shorten(names: Sequence[str], *, separator: str = ", ") -> str:
    """The first names of many, and how many more there are."""
    more = f"{separator}and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return separator.join(names[:_SHOWN]) + more
