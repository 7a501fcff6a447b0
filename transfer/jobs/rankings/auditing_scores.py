"""Whether scores that need no training put cuts in the order that measuring them does.

Cuts with random weights are left out: any score puts these last, so that with them it would agree with what is measured
though it tells nothing of the trained ones, among which the choice is.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial

from transfer.evidence.intervals import LEVEL
from transfer.evidence.rank_agreement import LEAST_CANDIDATES, compare_ranks
from transfer.rankings import SCORES, Agreement, RankedCut

PROBE, TUNED = "the probe", "fine-tuning"


def audit_scores(cuts: Sequence[RankedCut]) -> tuple[Agreement, ...]:
    """Each score held against the probe, and all of these and the probe against fine-tuning where that was done.

    Args:
        cuts: in an order that does not depend on how the candidates were given; those with random weights do not count.
    """
    cuts = [cut for cut in cuts if not cut.is_random]
    cheap = {title: {cut.name: getattr(cut.scores, name) for cut in cuts} for name, title in SCORES.items()}
    cheap = {title: {name: value for name, value in own.items() if value is not None} for title, own in cheap.items()}
    cheap = {title: own for title, own in cheap.items() if own}
    probe = {cut.name: cut.accuracy.value for cut in cuts}
    tuned = {cut.name: cut.tuned.accuracy.value for cut in cuts if cut.tuned}
    found = [_agreement(title, own, PROBE, probe) for title, own in cheap.items()]
    if tuned:
        found += [_agreement(title, own, TUNED, tuned) for title, own in {PROBE: probe, **cheap}.items()]
    return tuple(found)


def tell_left_out(cuts: Sequence[RankedCut]) -> list[str]:
    """A note of how many cuts an audit leaves out, if it does."""
    random = sum(cut.is_random for cut in cuts)
    return [f"scores are audited on trained cuts alone, without {random} that have random weights"] if random else []


def _agreement(score: str, values: dict[str, float], measured: str, truth: dict[str, float]) -> Agreement:
    shared = [name for name in values if name in truth]
    both = compare_ranks([values[name] for name in shared], [truth[name] for name in shared]) if shared else None
    if both is None:
        few = f"fewer than {LEAST_CANDIDATES} cuts have both" if len(shared) < LEAST_CANDIDATES else "all are equal"
        sentence = f"nothing can be said of {score} beside {measured}: {few}"
        return Agreement(score, measured, None, None, len(shared), False, sentence)
    sentence = both.describe(score, measured).replace("candidates", "cuts")
    if factorial(len(shared)) * LEVEL <= 1:
        sentence = f"{sentence.partition(';')[0]}; so few can show nothing"
    return Agreement(score, measured, both.tau, both.p_value, both.candidates, both.trusted, sentence)
