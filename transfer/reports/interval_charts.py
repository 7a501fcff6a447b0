"""Values with their intervals, one below the other on a common scale.

Drawn in shares of the width and without a frame of coordinates, so that names wrap and lines stay sharp on every width
of a page: text in a picture that is shrunk to the width of a phone cannot be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from markupsafe import Markup

from transfer.output_scores import Measure
from transfer.reports.answering_ways import baselines_of, is_error, kept_of
from transfer.reports.scales import number, spread_ticks
from transfer.reports.shown_text import shown
from transfer.results import Result
from transfer.scores import Score


@dataclass(frozen=True, slots=True)
class Line:
    """A value.

    Attributes:
        name: of what has it.
        value: the estimate.
        low: lower bound; None where there is none.
        high: upper bound, likewise.
        role: `kept`, `stage` or `baseline`.
        text: the numbers as they are read.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A drawn line.

    Attributes:
        name: of what has the value.
        role: as of the line.
        text: the numbers.
        drawn: the picture.
    """

    name: str
    role: str
    text: str
    drawn: Markup


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """Drawn lines and their scale.

    Attributes:
        rows: from top to bottom.
        scale: the picture of the ticks.
        measure: what the scale is of.
        reference: name of the baseline that the dashed line stands for; empty for none.
    """

    rows: tuple[Row, ...]
    scale: Markup
    measure: str
    reference: str


def chart_scores(scores: Sequence[Score], baselines: int, kept: str, measure: str = "accuracy") -> IntervalChart:
    """Ways of answering.

    Args:
        scores: as they stand in print, baselines at the end.
        baselines: how many of them are.
        kept: name of the way that the run keeps.
        measure: what is shared out.
    """
    first = len(scores) - baselines
    lines = [line_of(each.name, each, _role(place, first, each.name, kept)) for place, each in enumerate(scores)]
    return draw_intervals(lines, measure, low=0.0, high=1.0)


def chart_ways(result: Result, place: int) -> IntervalChart | None:
    """Ways of answering one of several outputs, by its foremost measure; None where it has none.

    Args:
        result: of several outputs.
        place: of the output.
    """
    kept, simple = kept_of(result), baselines_of(result)
    found = [(way, way.outputs[place].foremost) for way in result.outputs if place < len(way.outputs)]
    lines = [
        _line(
            *(way.name, each.value, each.low, each.high),
            "baseline" if way.name in simple else "kept" if way is kept else "stage",
        )
        for way, each in found
        if each is not None and isfinite(each.value)
    ]
    if kept is None or not lines:
        return None
    output = kept.outputs[place]
    is_share = all(0 <= each <= 1 for line in lines for each in _ends(line))
    measure = output.foremost.name if output.foremost else "value"
    return draw_intervals(
        lines, measure, low=0.0, high=1.0 if is_share else None, fewer_is_better=is_error(output.kind)
    )


def draw_measure(measure: Measure) -> Markup:
    """A share with its bounds, small enough for a cell; nothing for what is no share."""
    line = _line(measure.name, measure.value, measure.low, measure.high, "stage")
    if not isfinite(measure.value) or not all(0 <= each <= 1 for each in _ends(line)):
        return Markup()
    return _draw(line, 0.0, 1.0, None)


def draw_intervals(
    lines: Sequence[Line],
    measure: str,
    *,
    low: float | None = None,
    high: float | None = None,
    fewer_is_better: bool = False,
) -> IntervalChart:
    """Draw values on one scale, with a dashed line at the best of the baselines.

    Args:
        lines: from top to bottom, finite.
        measure: what the scale is of.
        low: where the scale begins, if no value lies below.
        high: where it ends; by default where the values do.
        fewer_is_better: whether the best baseline is the lowest.
    """
    ends = [end for line in lines for end in _ends(line)]
    start = min(ends if low is None else [*ends, low])
    ticks = spread_ticks(start, max(ends if high is None else [*ends, high]))
    baselines = [line for line in lines if line.role == "baseline"]
    best = (min if fewer_is_better else max)(baselines, key=lambda line: line.value, default=None)
    mark = None if best is None else best.value
    rows = tuple(Row(shown(line.name), line.role, line.text, _draw(line, ticks[0], ticks[-1], mark)) for line in lines)
    return IntervalChart(rows, _draw_scale(ticks), shown(measure), "" if best is None else shown(best.name))


def line_of(name: str, score: Score, role: str) -> Line:
    """The line of a score.

    Args:
        name: of what has it.
        score: of it.
        role: as of a `Line`.
    """
    return _line(name, score.accuracy.value, score.accuracy.low, score.accuracy.high, role)


def _line(name: str, value: float, low: float | None, high: float | None, role: str) -> Line:
    bounds = "" if low is None or high is None else f" ({number(low)} to {number(high)})"
    return Line(name, value, low, high, role, f"{number(value)}{bounds}")


def _role(place: int, first: int, name: str, kept: str) -> str:
    return "baseline" if place >= first else "kept" if name == kept else "stage"


def _ends(line: Line) -> list[float]:
    return [each for each in (line.low, line.value, line.high) if each is not None and isfinite(each)]


def _draw(line: Line, start: float, end: float, mark: float | None) -> Markup:
    def place(value: float) -> str:
        return f"{100 * min(1.0, max(0.0, (value - start) / (end - start))):.2f}%"

    label = f"{shown(line.name)}: {line.text}"
    parts = [Markup('<line class="track" x1="0" x2="100%" y1="10" y2="10"/>')]
    if mark is not None:
        at = place(mark)
        parts.append(Markup('<line class="reference" x1="{0}" x2="{0}" y1="0" y2="20"/>').format(at))
    if line.low is not None and line.high is not None:
        low, high = place(line.low), place(line.high)
        parts.append(Markup('<line class="range" x1="{}" x2="{}" y1="10" y2="10"/>').format(low, high))
        parts += [Markup('<line class="range" x1="{0}" x2="{0}" y1="5" y2="15"/>').format(each) for each in (low, high)]
    parts.append(Markup('<circle class="value" cx="{}" cy="10" r="4.5"/>').format(place(line.value)))
    return Markup(
        '<svg class="interval {}" width="100%" height="20" role="img" aria-label="{}">'
        '<g class="hover"><title>{}</title><rect class="area" width="100%" height="20"/>{}</g></svg>'
    ).format(line.role, label, label, Markup().join(parts))


def _draw_scale(ticks: Sequence[float]) -> Markup:
    span = ticks[-1] - ticks[0]
    parts = []
    for place, tick in enumerate(ticks):
        anchor = "start" if place == 0 else "end" if place == len(ticks) - 1 else "middle"
        at = f"{100 * (tick - ticks[0]) / span:.2f}%"
        parts.append(Markup('<text x="{}" y="14" text-anchor="{}">{}</text>').format(at, anchor, f"{tick:.4g}"))
    return Markup('<svg class="scale" width="100%" height="18" aria-hidden="true">{}</svg>').format(
        Markup().join(parts)
    )
