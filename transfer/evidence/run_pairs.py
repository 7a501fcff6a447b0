"""Runs on the test examples that they have in common.

An example is the same where its content is, if the runs kept digests of it, else where its name is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from transfer.evidence.corrected_comparison import LEVEL
from transfer.evidence.groups_of_ties import Ordering, order_by_pairs
from transfer.evidence.known_runs import KnownRun, numbered
from transfer.evidence.share_differences import ShareDifference, differ_on_others, differ_on_same


@dataclass(frozen=True, slots=True)
class RunPair:
    """Two runs on the examples that both were tested on.

    Attributes:
        first: name of a run.
        second: of the other.
        difference: share of right answers of the first less that of the second.
        p_value: adjusted for the number of pairs; 1 where it is not known which examples are alike.
    """

    first: str
    second: str
    difference: ShareDifference
    p_value: float

    @property
    def told_apart(self) -> bool:
        """Whether the two differ by more than chance explains."""
        return self.p_value < LEVEL


def comparable(one: KnownRun, other: KnownRun) -> bool:
    """Whether examples of both can be the same: they ask the same of them, and can be told by content or name."""
    if one.task != other.task:
        return False
    if one.answers and other.answers and one.answers.digests and other.answers.digests:
        return True
    same = one.test_set.get("digest") == other.test_set.get("digest")
    return same or not any(each.test_set.get("source") == "arrays" for each in (one, other))  # names there are places


def order_together(runs: Sequence[KnownRun]) -> tuple[tuple[RunPair, ...], Ordering | None]:
    """All pairs of runs and their order, on the examples that all of them were tested on; nothing where none are.

    Args:
        runs: that kept their answers, any two of them comparable.
    """
    rows = common_rows(runs)
    if rows is None:
        return (), None
    right = {run.name: run.own[rows[run.name]] for run in runs if run.own is not None}
    first = runs[0].answers
    groups = numbered(tuple(first.groups[place] for place in rows[runs[0].name])) if first and first.groups else None
    unsure = {run.name for run in runs if run.groups_unknown}
    pairs = list(combinations(right, 2))
    differences = {pair: differ_on_same(right[pair[0]], right[pair[1]], groups) for pair in pairs}
    p_values = {pair: 1.0 if unsure & set(pair) else each.p_value for pair, each in differences.items()}
    order = order_by_pairs({name: float(each.mean()) for name, each in right.items()}, p_values)
    adjusted = {frozenset(pair): each for pair, each in order.p_values.items()}
    return tuple(RunPair(*pair, differences[pair], adjusted[frozenset(pair)]) for pair in pairs), order


def differ(one: KnownRun, other: KnownRun) -> ShareDifference | None:
    """How far two runs lie apart that were tested on the same examples; None where they have numbers alone.

    Where one of them kept no answers, as if they had been tested on others: that tells them apart less often.
    """
    if one.score is None or other.score is None:
        return None
    if one.own is not None and other.own is not None:
        pairs, _ = order_together([one, other])
        if pairs:
            return pairs[0].difference
    return differ_on_others(*((each.correct, each.examples) for each in (one.score, other.score)))


def common_rows(runs: Sequence[KnownRun]) -> dict[str, list[int]] | None:
    """For each run the places of the examples that all have, in one order."""
    by_content = all(run.answers is not None and run.answers.digests for run in runs)
    keys = {run.name: _keys(run, by_content) for run in runs}
    common = set.intersection(*(set(each) for each in keys.values()))
    return {name: [each[key] for key in sorted(common)] for name, each in keys.items()} if common else None


def _keys(run: KnownRun, by_content: bool) -> dict[tuple[str, int], int]:
    """Place of each example by what tells it from others; equal ones are numbered."""
    if run.answers is None:
        return {}
    told: Counter[str] = Counter()
    keys = {}
    for place, each in enumerate(run.answers.digests if by_content else run.answers.examples):
        keys[each, told[each]] = place
        told[each] += 1
    return keys


def sharing(runs: Sequence[KnownRun]) -> list[list[KnownRun]]:
    """Runs that have examples in common, with one another or by way of others."""
    found: list[list[KnownRun]] = []
    for run in runs:
        near = [each for each in found if any(_share(run, other) for other in each)]
        found = [each for each in found if each not in near] + [[*(run for each in near for run in each), run]]
    places = {run.name: place for place, run in enumerate(runs)}
    return [sorted(each, key=lambda run: places[run.name]) for each in found]


def _share(one: KnownRun, other: KnownRun) -> bool:
    return comparable(one, other) and common_rows([one, other]) is not None
