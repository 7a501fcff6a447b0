"""What a run came to, in a sentence or two for readers who know nothing of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.grouping import number_groups
from transfer.evidence.known_runs import KeptAnswers
from transfer.evidence.share_differences import ShareDifference, differ_on_same
from transfer.output_scores import Measure, WayScores
from transfer.results import Result
from transfer.scores import Score

_SHOWN = 4  # outputs


def tell_verdict(result: Result, answers: KeptAnswers | None = None, seconds: Mapping[str, Any] | None = None) -> str:
    """How good the model is, whether it is better than the best baseline, and what it cost.

    Args:
        result: of the run.
        answers: which of the test examples each way of answering has right; None where that was not kept.
        seconds: by what they were spent on; None where that is not known.
    """
    sentences = [*_accuracy(result), *_against_baselines(result, answers), *_outputs(result)]
    return " ".join([*sentences, _cost(result, seconds or {})])


def _accuracy(result: Result) -> Iterator[str]:
    score = result.score
    if score is None:
        return
    share = score.accuracy
    bounds = f"{share.value:.3f}, 95 % interval {share.low:.3f} to {share.high:.3f}"
    if result.labelling is None:
        yield f"{score.correct} of {score.examples} test examples are answered rightly: accuracy {bounds}."
    else:
        yield f"{score.correct} of {score.examples} test examples are right in every output that is known: {bounds}."


def _against_baselines(result: Result, answers: KeptAnswers | None) -> Iterator[str]:
    """Beside the baseline with the most right answers."""
    score = result.score
    best = max(result.baselines, key=lambda each: each.correct, default=None)
    if score is None or best is None:
        return
    told = _difference(score, best, answers)
    counted = f"{best.name}, has {best.correct} of {best.examples} right"
    if told is None:
        yield f"The best baseline, {counted}."
    elif told.told_apart:
        than = "better" if told.value > 0 else "worse"
        yield f"The best baseline, {counted}: the model is {than} by {_points(told)}."
        yield f"Chance hardly explains that: {_chance(told.p_value)}."
    elif told.value == 0:
        yield f"The best baseline, {counted} too: these examples do not show which is better."
    else:
        apart = (
            f"{100 * told.value:+.1f} percentage points (95 % interval {100 * told.low:+.1f} to {100 * told.high:+.1f})"
        )
        yield f"The best baseline, {counted}: the model differs by {apart}."
        yield f"Chance may explain that, so these examples do not show which is better: {_chance(told.p_value)}."


def _points(told: ShareDifference) -> str:
    """How far two shares are apart, whichever is larger, in points of 100 with the interval."""
    sign = -1 if told.value < 0 else 1
    low, high = sorted((sign * told.low, sign * told.high))
    return f"{100 * abs(told.value):.1f} percentage points (95 % interval {100 * low:.1f} to {100 * high:.1f})"


def _chance(p_value: float) -> str:
    """What a p-value says, in words."""
    if p_value < 0.001:
        often = "in fewer than 1 of 1,000 tests"
    elif p_value < 0.01:
        often = f"in about {1000 * p_value:.0f} of 1,000 tests"
    elif p_value < 0.995:
        often = f"in about {100 * p_value:.0f} of 100 tests"
    else:
        often = "in nearly every test"
    return f"were both equally good, a difference as large would come up {often} (p {p_value:.2g})"


def _difference(score: Score, other: Score, answers: KeptAnswers | None) -> ShareDifference | None:
    """On the same examples; None where it is not known which of them each has right, or that is of other scores."""
    own, theirs = (None if answers is None else answers.ways.get(each.name) for each in (score, other))
    if answers is None or own is None or theirs is None or len(own) != len(theirs) or not len(own):
        return None
    if any(
        int(ways.sum()) != one.correct or len(ways) != one.examples for ways, one in ((own, score), (theirs, other))
    ):
        return None
    groups = _groups(answers)
    return differ_on_same(own, theirs, groups)


def _groups(answers: KeptAnswers) -> NDArray[np.int64] | None:
    if not answers.groups:
        return None
    numbered = np.unique(np.array(answers.groups), return_inverse=True)[1].astype(np.int64)
    return number_groups(numbered, len(numbered))


def _outputs(result: Result) -> Iterator[str]:
    """The foremost measure of each output of several."""
    if not result.outputs:
        return
    kept, *others = result.outputs
    simple = [each for each in others if each.name in {score.name for score in result.baselines}] or others[-1:]
    parts = []
    for place, output in enumerate(kept.outputs):
        if (own := output.foremost) is not None:
            parts.append(f"{output.name} {own}{_best_of(own, output.kind, place, simple)}")
    if parts:
        rest = [f"and {len(parts) - _SHOWN} more"] if len(parts) > _SHOWN else []
        yield f"By output: {'; '.join([*parts[:_SHOWN], *rest])}."


def _best_of(own: Measure, kind: str, place: int, others: list[WayScores]) -> str:
    """The best baseline in the same measure."""
    found = [
        (measure.value, each.name)
        for each in others
        for measure in each.outputs[place].measures
        if measure.name == own.name
    ]
    if not found:
        return ""
    value, name = min(found) if kind == "regression" else max(found)
    return f" ({name} {value:.3g})"


def _cost(result: Result, seconds: Mapping[str, Any]) -> str:
    spent = sum(each for each in seconds.values() if isinstance(each, int | float))
    took = f", in {spent:.1f} s" if spent else ""
    return f"It learnt from {result.train_examples} examples{took}."
