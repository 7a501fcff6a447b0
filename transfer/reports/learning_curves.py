"""How the losses went, from the lines of a run's history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from markupsafe import Markup

from transfer.reports.charts import Point, Series, draw_points, has_place
from transfer.reports.scales import number
from transfer.reports.shown_text import shown
from transfer.reports.tables import Table, table_of
from transfer.specs import Json

_SAID = {
    "trial": "on a part of the examples, to choose how far to go",
    "tune": "on all examples",
}
_COLUMNS = {
    "number": "epoch",
    "loss": "loss",
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
    "rate": "learning rate",
}


@dataclass(frozen=True, slots=True)
class Curve:
    """One stage of epochs.

    Attributes:
        stage: its name, and what it is.
        losses: picture of the losses.
        accuracies: of the validation accuracy; empty without such examples.
        ended: how it ended, in a sentence.
        paints: names of the lines and of their colours.
        table: the same in numbers.
    """

    stage: str
    losses: Markup
    accuracies: Markup
    ended: str
    paints: tuple[tuple[str, str], ...]
    table: Table


@dataclass(frozen=True, slots=True)
class LearningCurves:
    """What a history holds.

    Attributes:
        curves: of stages with epochs.
        remarks: of those without: what a solver chose.
    """

    curves: tuple[Curve, ...]
    remarks: tuple[str, ...]


def draw_learning(history: Sequence[Json]) -> LearningCurves | None:
    """Curves of each stage, as they follow one another; None of an empty history."""
    curves, remarks = [], []
    for stage, lines in _stages(history):
        if all("loss" in each and _is_number(each.get("number")) for each in lines):
            curves.append(_curve(stage, lines))
        else:
            remarks += [_remark(stage, each) for each in lines]
    return LearningCurves(tuple(curves), tuple(remarks)) if curves or remarks else None


def _stages(history: Sequence[Json]) -> Iterator[tuple[str, list[Json]]]:
    """Lines that follow one another under one name; where the epochs begin anew, so does the stage."""
    for stage, several in groupby(history, lambda each: str(each.get("stage", ""))):
        lines = list(several)
        starts = [0, *(k + 1 for k, (a, b) in enumerate(pairwise(lines)) if _restarts(a, b)), len(lines)]
        for start, end in pairwise(starts):
            yield stage, lines[start:end]


def _restarts(one: Json, other: Json) -> bool:
    before, after = one.get("number"), other.get("number")
    return _is_number(before) != _is_number(after) or (_is_number(after) and after < before)


def _curve(stage: str, lines: Sequence[Json]) -> Curve:
    learnt = _series("on what is learnt from", "learnt", lines, "loss")
    held = _series("on validation examples", "held", lines, "validation_loss")
    right = _series("validation accuracy", "held", lines, "validation_accuracy")
    several = tuple(each for each in (learnt, held) if each.points)
    name = _SAID.get(stage, "")
    losses = draw_points(
        several, label=f"loss by epoch: {shown(stage)}", x_title="epoch", y_title="loss, nats an example"
    )
    accuracies = draw_points(
        (right,),
        label=f"validation accuracy by epoch: {shown(stage)}",
        x_title="epoch",
        y_title="validation accuracy",
        y_range=(0.0, 1.0),
    )
    last = lines[-1]
    count = f"{len(lines)} epoch{'s' if len(lines) > 1 else ''}"
    ended = f"{count}; loss {_told(lines[0]['loss'])} in the first, {_told(last['loss'])} in the last"
    if _is_number(last.get("validation_loss")):
        ended += f"; validation loss {_told(last['validation_loss'])} in the last"
    title = f"{shown(stage)}: {name}" if name else shown(stage)
    paints = tuple((each.name, each.paint) for each in several)
    return Curve(title, losses, accuracies, ended, paints, _tabulate(stage, lines))


def _tabulate(stage: str, lines: Sequence[Json]) -> Table:
    held = [key for key in _COLUMNS if any(each.get(key) is not None for each in lines)]
    rows = [[_told(each[key]) if each.get(key) is not None else "" for key in held] for each in lines]
    columns = [_COLUMNS[key] for key in held]
    return table_of(f"epochs: {shown(stage)}", columns, rows, columns)


def _series(name: str, paint: str, lines: Sequence[Json], key: str) -> Series:
    points = tuple(
        Point(each["number"], float(each[key]), f"epoch {each['number']}: {name} {_told(each[key])}")
        for each in lines
        if _is_number(each.get(key))
    )
    return Series(name, paint, points)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and has_place(value)


def _told(value: Json) -> str:
    if isinstance(value, int):
        return f"{value}"
    return number(value) if isinstance(value, float) else shown(value)


def _remark(stage: str, line: Json) -> str:
    if stage == "choice" and {"alpha", "kept", "before", "after"} <= line.keys():
        way = f"kept {100 * line['alpha']:.0f} % of the way" if _is_number(line["alpha"]) else "kept"
        losses = f"{_told(line['kept'])} ({_told(line['before'])} before, {_told(line['after'])} after)"
        return f"choice: {way}; validation loss {losses}"
    told = [
        f"{shown(name).replace('_', ' ')} {_told(value)}"
        for name, value in line.items()
        if name != "stage" and isinstance(value, int | float | str)
    ]
    return f"{shown(stage)}: {', '.join(told)}"
