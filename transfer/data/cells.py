"""What a cell of a table says: nothing, no label, yes or no, a number, or names."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from math import isfinite

SEPARATORS = ("\x1f", ";", "|")  # between the labels of a cell, where none is given; the first in lists of pandas
NONE = frozenset({"-", "none"})
_LONGEST = 255  # of the labels of a cell, as long as a folder's name may be
_UNKNOWN = frozenset({"", "nan", "na", "n/a", "#n/a", "<na>"})  # as spreadsheets and pandas write nothing
_ANSWERS = {"1": 1, "0": 0, "1.0": 1, "0.0": 0, "yes": 1, "no": 0, "true": 1, "false": 0}


def is_unknown(cell: str) -> bool:
    """Whether a cell says nothing."""
    return cell.lower() in _UNKNOWN


def known_cells(cells: Iterable[str]) -> tuple[str, ...]:
    """The distinct cells that say something, in order."""
    return tuple(sorted({cell for cell in cells if not is_unknown(cell)}))


def answer(cell: str) -> int | None:
    """1 for yes, 0 for no, None where it is neither."""
    return _ANSWERS.get(cell.lower())


def number(cell: str) -> float | None:
    """The finite number that a cell is; None where it is none."""
    try:
        value = float(cell) if "_" not in cell else float("nan")
    except ValueError:
        return None
    return value if isfinite(value) else None


def separator_of(cells: Iterable[str], given: str | None = None) -> str | None:
    """What stands between the labels of a cell: as given, or the first that occurs; None where none does."""
    if given:
        return given
    joined = "\n".join(cells)
    return next((each for each in SEPARATORS if each in joined), None)


def parts(cell: str, separator: str | None) -> tuple[str, ...]:
    """The names in a cell, none of them empty; none where it says that there are none."""
    if cell.lower() in NONE:
        return ()
    several = cell.split(separator) if separator else [cell]
    return tuple(name for each in several if (name := each.strip()))


def holds_several(cells: Iterable[str], separator: str | None, *, share: float = 0.0) -> bool:
    """Whether cells are several names each: of those with a separator in them, names come again in other cells.

    Args:
        cells: any.
        separator: between names; None for none.
        share: of the names in those cells that come again at least.
    """
    if not separator:
        return False
    known = known_cells(cells)
    divided = [set(parts(cell, separator)) for cell in known if separator in cell]
    if separator == SEPARATORS[0]:
        return bool(divided)
    counts = Counter(name for cell in known for name in set(parts(cell, separator)))
    names = set().union(*divided)
    again = sum(counts[name] > 1 for name in names)
    return len(divided) > 1 and again > 0 and again >= share * len(names)


def fault_of_name(cell: str) -> str:
    """Why no class can be called so; empty where one can."""
    longest = max(map(len, parts(cell, separator_of([cell]))), default=0)
    if longest > _LONGEST:
        return f"a label of {longest} characters; a class's name has at most {_LONGEST}"
    if any(unicodedata.category(character) == "Cc" for character in cell if character != SEPARATORS[0]):
        return f"a label with control characters: {cell!r}"
    return ""
