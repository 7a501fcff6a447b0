"""Where what was learnt is worse than a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.share_differences import differ_on_same
from transfer.output_scores import Measure, OutputScore, WayScores

Right = NDArray[np.bool_]


def falling_short(
    name: str, right: Right, baselines: Mapping[str, Right], groups: NDArray[np.integer[Any]] | None = None
) -> tuple[str, ...]:
    """A sentence where a baseline has more right answers; nothing otherwise.

    Args:
        name: of what was learnt.
        right: (n,) of the test examples whether it answers them rightly.
        baselines: the same of these by name; those that answered others are passed over.
        groups: (n,), numbers of groups whose examples are alike; None where there are none.
    """
    counts = {each: int(answers.sum()) for each, answers in baselines.items() if len(answers) == len(right) > 0}
    best = max(counts, key=lambda each: counts[each], default="")
    if not best or counts[best] <= right.sum():
        return ()
    told = differ_on_same(right, baselines[best], groups)
    counted = f"{counts[best]} of {len(right)} right against {right.sum()} (p {told.p_value:.2g})"
    if told.told_apart:
        return (f"{best!r} is better than {name} on the test examples: {counted}",)
    return (
        f"{best!r} has more of the test examples right than {name}: {counted}; that may be chance, and does not tell "
        "the two apart",
    )


def outputs_falling_short(way: WayScores, baselines: Sequence[WayScores]) -> tuple[str, ...]:
    """A sentence, with both intervals, for each output on which a baseline's foremost measure is better.

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
    return (f"{own.name}: {best[2]!r} ({best[1]}) is better than {name} ({measure})",)


def _alike(other: OutputScore, measure: Measure) -> Measure | None:
    return next((each for each in other.measures if each.name == measure.name), None)
