"""The result of a run at one glance: a number for each output, with its interval, beside the best baseline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from markupsafe import Markup

from transfer.output_scores import Measure
from transfer.reports.answering_ways import baselines_of, is_error, kept_of
from transfer.reports.interval_charts import Line, draw_intervals
from transfer.reports.scales import number
from transfer.reports.shown_text import shown
from transfer.results import Result


@dataclass(frozen=True, slots=True)
class Headline:
    """A number that stands for a run.

    Attributes:
        output: its name; empty where there is one.
        value: as it is read, large.
        about: what it is.
        bounds: its interval; empty for none.
        baseline: the best of them, with its value; empty for none.
        drawn: the interval on its scale.
    """

    output: str
    value: str
    about: str
    bounds: str
    baseline: str
    drawn: Markup


def find_headlines(result: Result) -> tuple[Headline, ...]:
    """One for each output that has a measure."""
    if result.labelling is None and result.score is not None:
        score = result.score
        about = f"right on {score.correct} of {score.examples} test examples"
        share = score.accuracy
        own = Measure("accuracy", share.value, share.low, share.high, score.examples)
        others = [(each.name, Measure("accuracy", each.accuracy.value, None, None, 0)) for each in result.baselines]
        return (_headline("", own, others, about, fewer_is_better=False),)
    return tuple(_of_outputs(result))


def _of_outputs(result: Result) -> Iterator[Headline]:
    kept, simple = kept_of(result), baselines_of(result)
    for place, output in enumerate(kept.outputs if kept else ()):
        own = output.foremost
        if own is None or not isfinite(own.value):
            continue
        others = [way for way in result.outputs if way.name in simple and place < len(way.outputs)]
        known = [(way.name, each) for way in others if (each := way.outputs[place].foremost) is not None]
        about = f"{own.name} on {own.examples} test examples"
        yield _headline(output.name, own, known, about, fewer_is_better=is_error(output.kind))


def _headline(
    output: str, own: Measure, others: list[tuple[str, Measure]], about: str, *, fewer_is_better: bool
) -> Headline:
    ends = [each for each in (own.value, own.low, own.high) if each is not None]
    is_share = all(0 <= each <= 1 for each in ends)
    text = _percent if is_share and own.name == "accuracy" else number
    bounds = "" if own.low is None or own.high is None else f"95 % interval {text(own.low)} to {text(own.high)}"
    lines = [Line(own.name, own.value, own.low, own.high, "kept", f"{text(own.value)} {bounds}")]
    finite = [(name, each) for name, each in others if isfinite(each.value)]
    baseline = ""
    if finite:
        name, best = (min if fewer_is_better else max)(finite, key=lambda each: each[1].value)
        lines.append(Line(name, best.value, None, None, "baseline", text(best.value)))
        baseline = f"best baseline: {shown(name, 60)}, {text(best.value)}"
    chart = draw_intervals(lines, own.name, low=0.0, high=1.0 if is_share else None, fewer_is_better=fewer_is_better)
    return Headline(shown(output, 60), text(own.value), shown(about), bounds, baseline, chart.rows[0].drawn)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
