"""What columns of labels may be beyond what they were taken for: several labels in a cell, or finer classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from transfer.data.cells import holds_several, is_unknown, separator_of
from transfer.data.inferring import implied_classes
from transfer.labellings import Labelling, Output

_MOST_ROWS = 20  # that speak against finer classes
_MOST_SHARE = 0.05  # of the rows that say both
_SHOWN = 3

_Where = Callable[[int], str]


def find_misreadings(
    labelling: Labelling, columns: Mapping[str, Sequence[str]], where: _Where, *, settled: Collection[str] = ()
) -> tuple[str, ...]:
    """What a labelling that was told from columns may have missed, and what to do, in a sentence each.

    Args:
        labelling: of them.
        columns: the cells of each output that has one column of them, by its name.
        where: what a row is called.
        settled: outputs of which it is known whether a cell holds several labels.
    """
    open_ones = [each for each in labelling if each.name not in settled and each.kind != "regression"]
    commas = (note for each in open_ones for note in notes_of_commas(each.name, columns.get(each.name, ())))
    return (*commas, *_almost_finer(labelling, columns, where))


def notes_of_commas(column: str, cells: Sequence[str]) -> tuple[str, ...]:
    """What is said of a column whose cells look like several labels each, with commas between them."""
    if separator_of(cells) is None and holds_several(cells, ",", share=0.5):
        return (f"cells of {column!r} hold commas; with --separator ',' (separator=',') they are several labels",)
    return ()


def notes_of_cells(column: str, cells: Sequence[str]) -> tuple[str, ...]:
    """What is said of cells that were taken for one class each; without a header the column has no name."""
    if column:
        return notes_of_commas(column, cells)
    between = separator_of(cells)
    if holds_several(cells, between) or notes_of_commas(column, cells):
        return (f"cells hold {between or ','!r} between labels; under a header such as file,tags they can be several",)
    return ()


def _almost_finer(labelling: Labelling, columns: Mapping[str, Sequence[str]], where: _Where) -> Iterator[str]:
    """Outputs that would stand under another one but for a few rows; of several the finest one."""
    flat = [each for each in labelling if each.kind == "softmax" and each.name in columns]
    for place, fine in enumerate(flat):
        coarser = [] if fine.parent else sorted(flat[:place], key=lambda each: -len(each.classes))
        told = (_exceptions(coarse, fine, columns, where) for coarse in coarser)
        yield from [found for found in told if found][:1]


def _exceptions(coarse: Output, fine: Output, columns: Mapping[str, Sequence[str]], where: _Where) -> str:
    """What is said of the rows that speak against one output under another; empty where it stands otherwise."""
    pairs = list(zip(columns[coarse.name], columns[fine.name], strict=True))
    known = [row for row, pair in enumerate(pairs) if not any(map(is_unknown, pair))]
    usual = {below: above for (above, below), _ in reversed(Counter(pairs[row] for row in known).most_common())}
    against = [row for row in known if pairs[row][0] != usual[pairs[row][1]]]
    if not 0 < len(against) <= min(_MOST_ROWS, _MOST_SHARE * len(known)):
        return ""
    mended = list(columns[fine.name])
    for row in against:
        mended[row] = ""
    if not implied_classes(columns[coarse.name], mended, len(coarse.classes), len(fine.classes)):
        return ""
    rows = [
        f"{where(row)} ({pairs[row][1]!r} with {pairs[row][0]!r}; {usual[pairs[row][1]]!r} elsewhere)"
        for row in against[:_SHOWN]
    ]
    more = [f"{len(against) - _SHOWN} more"] if len(against) > _SHOWN else []
    return (
        f"{fine.name} would stand under {coarse.name} but for {len(against)} of {len(known)} rows: "
        f"{', '.join([*rows, *more])}; mend {'it' if len(against) == 1 else 'them'}, or write a labelling with "
        f"parent = {coarse.name!r} (transfer labelling DATA > l.toml; --labelling l.toml)"
    )
