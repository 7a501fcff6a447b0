"""The result of a run at one glance: a number for each output, with its interval, beside the best baseline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from markupsafe import Markup

from transfer.output_scores import Measure
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
        return (_headline("", own, others, about),)
    return tuple(_of_outputs(result))


def _of_outputs(result: Result) -> Iterator[Headline]:
    names = {each.name for each in result.baselines}
    if not result.outputs:
        return
    kept, *others = result.outputs
    for place, output in enumerate(kept.outputs):
        own = output.foremost
        if own is None or not isfinite(own.value):
            continue
        rest = [(way.name, way.outputs[place].foremost) for way in others if place < len(way.outputs)]
        known = [(name, each) for name, each in rest if each is not None and _is_baseline(name, names, result)]
        yield _headline(output.name, own, known, f"{own.name} on {own.examples} test examples")


def _is_baseline(name: str, baselines: set[str], result: Result) -> bool:
    return name in baselines or name not in {each.name for each in result.stages} | {"probe", "tuned"}


def _headline(output: str, own: Measure, others: list[tuple[str, Measure]], about: str) -> Headline:
    ends = [each for each in (own.value, own.low, own.high) if each is not None]
    is_share = all(0 <= each <= 1 for each in ends)
    text = _percent if is_share and own.name == "accuracy" else number
    bounds = "" if own.low is None or own.high is None else f"95 % interval {text(own.low)} to {text(own.high)}"
    lines = [Line(own.name, own.value, own.low, own.high, "kept", f"{text(own.value)} {bounds}")]
    finite = [(name, each) for name, each in others if isfinite(each.value)]
    baseline = ""
    if finite:
        pick = max if is_share else min
        name, best = pick(finite, key=lambda each: each[1].value)
        lines.append(Line(name, best.value, None, None, "baseline", text(best.value)))
        baseline = f"best baseline: {shown(name, 60)}, {text(best.value)}"
    chart = draw_intervals(lines, own.name, low=0.0, high=1.0 if is_share else None)
    return Headline(shown(output, 60), text(own.value), shown(about), bounds, baseline, chart.rows[0].drawn)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
