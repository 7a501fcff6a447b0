"""What labels are, told from the columns of a table; whoever asks confirms it.

A column with several names in a cell is `sigmoid`, and so is one of yes and no; one of decimals, or of many numbers, is
`regression`; any other is `softmax`. A column that implies an earlier one, and is finer, stands under it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from transfer.data.cells import answer, is_unknown, known_cells, number, parts, separator_of
from transfer.data.column_names import output_name
from transfer.errors import DataError, Problem
from transfer.labellings import Kind, Labelling, Output

MANY_NUMBERS = 20  # distinct whole numbers; more are a quantity
FREE_TEXT = 10  # cells that all differ; more are no classes
OF_ANSWERS = "labels"  # the output of a table that has columns of yes and no alone


@dataclass(frozen=True, slots=True)
class Column:
    """A column of labels: its name, and its cells as texts."""

    name: str
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Draft:
    """An output, and the one column from which it comes where there is one."""

    output: Output
    column: Column | None = None


def infer_labelling(
    columns: Sequence[Column], *, kinds: Mapping[str, Kind | None] | None = None, separator: str | None = None
) -> Labelling:
    """The outputs of some columns, in their order.

    Columns called `tags.loud` and `tags.old` are one output `tags`, of yes and no or of numbers. Where all columns are
    of yes and no they are one output `labels`. A column that says nothing, always the same, or each time something
    else, is none.

    Args:
        columns: of labels.
        kinds: names of the outputs that are wanted, and their kinds, None where it is to be told from the column; all
            others are left out. None for all that can be found.
        separator: between the labels of a cell; None for `;` or `|`, whichever occurs.

    Raises:
        DataError: if no column is an output, a wanted one is none, or two would have one name.
    """
    together = _prefixes(columns, kinds)
    alone = [each for each in columns if _prefix(each.name) not in together]
    if kinds is None and not together and len(alone) > 1 and _is_one_output(alone):
        classes = tuple(each.name for each in alone)
        return Labelling((Output(OF_ANSWERS, "sigmoid", classes),))
    drafts: dict[int, _Draft] = {}
    for place, column in enumerate(columns):
        prefix = _prefix(column.name)
        name = output_name(column.name, place)
        if prefix in together:
            first, draft = together[prefix]
            drafts[first] = draft
        elif kinds is None or name in kinds:
            draft_of_one = _draft(column, name, kinds.get(name) if kinds else None, kinds is not None, separator)
            if draft_of_one is not None:
                drafts[place] = draft_of_one
    _refuse_twice([each.output.name for each in drafts.values()])
    _refuse_missing(kinds, [each.output.name for each in drafts.values()], columns)
    return Labelling(tuple(_with_parents([drafts[place] for place in sorted(drafts)])))


def tells_apart(column: Column) -> bool:
    """Whether a column is an output where nobody asks for one: not always the same, nor each time something else."""
    return _draft(column, output_name(column.name), None, is_wanted=False, separator=None) is not None


def _prefix(name: str) -> str:
    return name.partition(".")[0] if name.partition(".")[2] else ""


def _prefixes(columns: Sequence[Column], kinds: Mapping[str, Kind | None] | None) -> dict[str, tuple[int, _Draft]]:
    """By prefix: the place of the first column that has it, and the output that several make."""
    grouped: dict[str, list[int]] = {}
    for place, column in enumerate(columns):
        if _prefix(column.name):
            grouped.setdefault(_prefix(column.name), []).append(place)
    found = {}
    for prefix, places in grouped.items():
        several = [columns[place] for place in places]
        name = output_name(prefix)
        if kinds is not None and name not in kinds:
            continue
        kind = (kinds or {}).get(name)
        classes = tuple(each.name.partition(".")[2].strip() for each in several)
        if len(several) > 1 and all(map(_is_answers, several)) and kind in (None, "sigmoid"):
            found[prefix] = (places[0], _Draft(Output(name, "sigmoid", classes)))
        elif len(several) > 1 and all(map(_is_numbers, several)) and kind in (None, "regression"):
            found[prefix] = (places[0], _Draft(Output(name, "regression", classes)))
    return found


def _is_one_output(columns: Sequence[Column]) -> bool:
    return all(map(_is_answers, columns)) and all(output_name(each.name) != OF_ANSWERS for each in columns)


def _is_answers(column: Column) -> bool:
    known = known_cells(column.cells)
    return bool(known) and all(answer(cell) is not None for cell in known)


def _is_numbers(column: Column) -> bool:
    known = known_cells(column.cells)
    return bool(known) and all(number(cell) is not None for cell in known)


def _is_quantity(known: Sequence[str]) -> bool:
    values = [number(cell) for cell in known]
    if not values or None in values:
        return False
    return len(set(values)) > MANY_NUMBERS or any(value is not None and value != round(value) for value in values)


def _draft(column: Column, name: str, kind: Kind | None, is_wanted: bool, separator: str | None) -> _Draft | None:
    """The output of a column; None where it tells nothing apart and was not asked for."""
    known = known_cells(column.cells)
    if not known:
        return None
    found = kind or _kind(known, separator)
    if found == "regression":
        return _Draft(Output(name, "regression"), column)
    if found == "sigmoid":
        between = separator_of(known, separator)
        is_answer = all(answer(cell) is not None for cell in known)
        names = {part for cell in known for part in parts(cell, between)}
        classes = (column.name.strip() or name,) if is_answer else tuple(sorted(names))
        return _Draft(Output(name, "sigmoid", classes), column) if classes else None
    count = sum(not is_unknown(cell) for cell in column.cells)
    is_free_text = len(known) == count > FREE_TEXT
    if len(known) < 2 or (is_free_text and not is_wanted):
        return None
    return _Draft(Output(name, classes=known), column)


def _kind(known: Sequence[str], separator: str | None) -> Kind:
    between = separator_of(known, separator)
    if all(answer(cell) is not None for cell in known):
        return "sigmoid"
    if _is_quantity(known):
        return "regression"
    return "sigmoid" if between and any(between in cell for cell in known) else "softmax"


def _with_parents(drafts: Sequence[_Draft]) -> list[Output]:
    """The outputs, each under the finest of those before it that it implies."""
    outputs: list[Output] = []
    for place, draft in enumerate(drafts):
        output = draft.output
        if output.kind == "softmax":
            above = [(each, _implied(each, draft)) for each in drafts[:place]]
            fitting = [(each.output, implied) for each, implied in above if implied]
            if fitting:
                parent, implied = max(fitting, key=lambda each: len(each[0].classes))
                order = sorted(output.classes, key=lambda name: (parent.classes.index(implied[name]), name))
                under = tuple(implied[name] for name in order)
                output = replace(output, classes=tuple(order), parent=parent.name, under=under)
        outputs.append(output)
    return outputs


def _implied(coarse: _Draft, fine: _Draft) -> dict[str, str]:
    """The coarse class that each fine one implies; empty where one does not, or nothing would be finer."""
    if coarse.output.kind != "softmax" or coarse.column is None or fine.column is None:
        return {}
    return implied_classes(coarse.column.cells, fine.column.cells, len(coarse.output.classes), len(fine.output.classes))


def implied_classes(coarse: Sequence[str], fine: Sequence[str], coarse_count: int, fine_count: int) -> dict[str, str]:
    """The cell of one column that each cell of a finer one implies; empty where it is not finer throughout.

    Args:
        coarse: cells.
        fine: cells of the same rows.
        coarse_count: classes of the one.
        fine_count: classes of the other.
    """
    implied: dict[str, str] = {}
    for above, below in zip(coarse, fine, strict=True):
        if not (is_unknown(above) or is_unknown(below)) and implied.setdefault(below, above) != above:
            return {}
    counts = Counter(implied.values())
    is_finer = len(implied) == fine_count > coarse_count
    return implied if is_finer and min(counts.values()) > 1 else {}


def _refuse_twice(names: Sequence[str]) -> None:
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        raise DataError(
            "Two columns would be one output.",
            [Problem(name, "a name of its own for each output", "two columns of this name") for name in twice],
            "rename the columns",
        )


def _refuse_missing(kinds: Mapping[str, Kind | None] | None, found: Sequence[str], columns: Sequence[Column]) -> None:
    """Refuse columns that tell nothing apart where one of them is wanted, or all.

    Raises:
        DataError: in that case.
    """
    missing = [name for name in kinds or () if name not in found]
    if missing or not found:
        what = "labels that differ, at least two classes"
        named = missing or [each.name for each in columns]
        raise DataError(
            "There are no labels to tell apart.",
            [Problem(f"column {name!r}", what, "nothing, or always the same") for name in named],
            "fill in the column, or leave it out",
        )
