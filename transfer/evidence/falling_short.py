"""Where what was learnt is worse than a baseline."""

from __future__ import annotations

from collections.abc import Sequence

from transfer.output_scores import Measure, OutputScore, WayScores
from transfer.scores import Score


def falling_short(score: Score, baselines: Sequence[Score]) -> tuple[str, ...]:
    """A sentence where a baseline has more right answers; nothing otherwise.

    Args:
        score: of what was learnt.
        baselines: on the same examples.
    """
    best = max(baselines, key=lambda each: each.correct, default=None)
    if best is None or best.correct <= score.correct:
        return ()
    return (_told("", "accuracy", score.name, score.accuracy.value, best.name, best.accuracy.value),)


def outputs_falling_short(way: WayScores, baselines: Sequence[WayScores]) -> tuple[str, ...]:
    """A sentence for each output on which a baseline's foremost measure is better.

    Args:
        way: what was learnt.
        baselines: on the same examples and outputs.
    """
    return tuple(line for place, own in enumerate(way.outputs) for line in _of_output(way.name, own, place, baselines))


def _of_output(name: str, own: OutputScore, place: int, baselines: Sequence[WayScores]) -> tuple[str, ...]:
    if own.foremost is None:
        return ()
    measure, sign = own.foremost, -1 if own.kind == "regression" else 1
    others = [(each.name, _alike(each.outputs[place], measure)) for each in baselines]
    found = [(sign * other.value, other, called) for called, other in others if other is not None]
    best = max(found, key=lambda each: each[0], default=None)
    if best is None or best[0] <= sign * measure.value:
        return ()
    return (_told(f"{own.name}: ", measure.name, name, measure.value, best[2], best[1].value),)


def _alike(other: OutputScore, measure: Measure) -> Measure | None:
    return next((each for each in other.measures if each.name == measure.name), None)


def _told(where: str, what: str, name: str, value: float, other: str, its: float) -> str:
    return f"{where}{what} of {name} ({value:.4g}) is worse than that of {other!r} ({its:.4g})"
