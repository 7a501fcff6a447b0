"""Which class was taken for which: a map of counts for a few classes, and the pairs that are mixed up most."""

from __future__ import annotations

from dataclasses import dataclass

from transfer.reports.contents import OutputContents
from transfer.reports.shown_text import shown
from transfer.reports.tables import Cell, Table, table_of

MOST_CLASSES = 20  # on a map that can be read
_PAIRS, _BESIDE = 15, 5  # that are listed: by themselves, and below a map
_SHADES = 9


@dataclass(frozen=True, slots=True)
class Square:
    """A place on the map.

    Attributes:
        count: examples.
        shade: from 0 for none of the row to 9 for all.
        is_right: whether it is on the diagonal.
        told: the same in words.
    """

    count: int
    shade: int
    is_right: bool
    told: str


@dataclass(frozen=True, slots=True)
class ConfusionMap:
    """Counts of wanted classes (rows) by answered ones (columns).

    Attributes:
        name: of the output.
        classes: names.
        rows: squares, and how many examples the row has; empty where there are too many classes for a map.
        pairs: that are mixed up most, the worst first; None where nothing is.
        denied: test examples that are not counted, as the answer to the parent denies all of these classes.
        parent: name of that output; empty for none.
    """

    name: str
    classes: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Square, ...], int], ...]
    pairs: Table | None
    denied: int = 0
    parent: str = ""


def map_confusion(output: OutputContents) -> ConfusionMap | None:
    """What an output mixes up; None where it is no choice of one class."""
    if not output.confusion:
        return None
    classes = tuple(shown(each, 60) for each in output.classes)
    drawn = output.confusion if len(classes) <= MOST_CLASSES else ()
    rows = tuple((classes[place], _squares(place, counts, classes), sum(counts)) for place, counts in enumerate(drawn))
    pairs = _pairs(output.confusion, classes, _BESIDE if rows else _PAIRS)
    tested, counted = sum(each.wanted for each in output.per_class), sum(map(sum, output.confusion))
    denied = max(0, tested - counted) if output.parent else 0
    return ConfusionMap(shown(output.name), classes, rows, pairs, denied, shown(output.parent, 60))


def _squares(place: int, counts: tuple[int, ...], classes: tuple[str, ...]) -> tuple[Square, ...]:
    whole = sum(counts)
    return tuple(
        Square(
            count,
            0 if not count else max(1, round(_SHADES * count / whole)),
            place == other,
            f"{count} of {whole} of {classes[place]} answered {classes[other]}",
        )
        for other, count in enumerate(counts)
    )


def _pairs(confusion: tuple[tuple[int, ...], ...], classes: tuple[str, ...], most: int) -> Table | None:
    found = [
        (count, sum(counts), one, other)
        for one, counts in enumerate(confusion)
        for other, count in enumerate(counts)
        if count and one != other
    ]
    if not found:
        return None
    found.sort(key=lambda each: (-each[0], each[1], each[2], each[3]))
    rows = [
        (classes[one], classes[other], f"{count}", Cell(f"{100 * count / whole:.0f} % of {whole}", count / whole))
        for count, whole, one, other in found[:most]
    ]
    columns = ("class", "taken for", "times", "of the class")
    return table_of("classes most often mixed up", columns, rows, ("times", "of the class"))
