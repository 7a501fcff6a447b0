"""Which columns of a table give which output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transfer.data.column_names import LABELS, output_name, plain_name
from transfer.errors import DataError, Problem, near_names
from transfer.labellings import Labelling, Output


@dataclass(frozen=True, slots=True)
class Bound:
    """An output and its columns.

    Attributes:
        output: what the labels are.
        places: of its columns: one, or one for each class in their order.
        is_divided: whether each class has a column of its own.
    """

    output: Output
    places: tuple[int, ...]
    is_divided: bool = False


def bind_columns(labelling: Labelling, header: Sequence[str], where: str, *, free: Sequence[int]) -> tuple[Bound, ...]:
    """The columns of each output: called as the output is, `tags.loud` for a class of it, or as all its classes are.

    Where examples have one class and nothing else, the only column that may hold it is taken, whatever it is called.

    Args:
        labelling: the outputs.
        header: names of the columns.
        where: the table, for messages.
        free: places of the columns that hold neither path nor group.

    Raises:
        DataError: if an output has no column; names all of these.
    """
    bound = [_bind(output, header, free) for output in labelling]
    if labelling.is_single and bound[0] is None:
        likely = [place for place in free if plain_name(header[place]) in LABELS] or list(free)
        if len(likely) == 1:
            return (Bound(labelling.outputs[0], (likely[0],)),)
    names = [header[place] for place in free]
    problems = [
        Problem(where, f"a column for the output {output.name!r}", near_names(output.name, names) or "none like it")
        for output, each in zip(labelling, bound, strict=True)
        if each is None
    ]
    if problems:
        raise DataError(f"{where} lacks columns of labels.", problems, "name a column as its output is called")
    return tuple(each for each in bound if each is not None)


def find_column(name: str, header: Sequence[str], free: Sequence[int]) -> int | None:
    """The place of the column of a name: to the letter, else as an output may be called, else in other case."""
    for same in (str, output_name, plain_name):
        found = [place for place in free if same(header[place]) == (plain_name(name) if same is plain_name else name)]
        if len(found) == 1:
            return found[0]
    return None


def _bind(output: Output, header: Sequence[str], free: Sequence[int]) -> Bound | None:
    if output.kind != "softmax":
        dotted = [find_column(f"{output.name}.{name}", header, free) for name in output.classes]
        if None not in dotted:
            return Bound(output, tuple(place for place in dotted if place is not None), is_divided=True)
    own = find_column(output.name, header, free)
    if own is not None:
        return Bound(output, (own,), is_divided=output.kind == "regression" and len(output.classes) == 1)
    if output.kind != "softmax":
        named = [find_column(name, header, free) for name in output.classes]
        if None not in named:
            return Bound(output, tuple(place for place in named if place is not None), is_divided=True)
    return None
