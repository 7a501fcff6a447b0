"""Runs on the test examples that they have in common.

An example is the same where its content is, if the runs kept digests of it, else where its name is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.intervals import LEVEL
from transfer.evidence.known_runs import KnownRun
from transfer.evidence.share_differences import ShareDifference, differ_on_others, differ_on_same
from transfer.evidence.tiers import Ordering, holm, order_by_adjusted
from transfer.tabulating import shorten

Key: TypeAlias = tuple[str, int]


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


def pair_runs(runs: Sequence[KnownRun]) -> tuple[RunPair, ...]:
    """Each pair of runs that share examples, on those that both were tested on.

    Args:
        runs: that kept their answers.
    """
    unsure = {run.name for run in runs if run.groups_unknown}
    names, differences = [], []
    for one, other in combinations(runs, 2):
        found = differ_on_common(one, other, runs)
        if found is not None:
            names.append((one.name, other.name))
            differences.append(found)
    raw = [1.0 if unsure & set(pair) else each.p_value for pair, each in zip(names, differences, strict=True)]
    adjusted = holm(np.array(raw)).tolist()
    return tuple(RunPair(*pair, *found) for pair, *found in zip(names, differences, adjusted, strict=True))


def order_together(runs: Sequence[KnownRun], pairs: Sequence[RunPair]) -> Ordering | str:
    """Runs by their shares on the examples that all of them were tested on, or a sentence why there is no order.

    Args:
        runs: as for `pair_runs`, at least one.
        pairs: what that found.
    """
    rows = common_rows(runs)
    if rows is None or len(pairs) < len(runs) * (len(runs) - 1) // 2:
        return f"no example is common to all {len(runs)} of {shorten([run.name for run in runs])}: they have no order"
    means = {run.name: float(run.own[rows[run.name]].mean()) for run in runs if run.own is not None}
    order = order_by_adjusted(means, {(each.first, each.second): each.p_value for each in pairs})
    places = {name: place for place, name in enumerate(name for tier in order.tiers for name in tier)}
    for each in pairs:
        if each.told_apart and (each.difference.value > 0) != (places[each.first] < places[each.second]):
            return (
                f"{each.first} and {each.second} stand the other way round on the {len(rows[each.first])} examples "
                f"that are common to all {len(runs)}: they have no order"
            )
    return order


def differ(one: KnownRun, other: KnownRun, runs: Sequence[KnownRun]) -> ShareDifference | None:
    """How far two runs lie apart that were tested on the same examples; None where they have numbers alone.

    Where one of them kept no answers, as if they had been tested on others: that tells them apart less often.

    Args:
        one: a run.
        other: likewise.
        runs: these and others, any of which may have kept the groups of the examples.
    """
    if one.score is None or other.score is None:
        return None
    if one.own is not None and other.own is not None:
        found = differ_on_common(one, other, runs)
        if found is not None:
            return found
    return differ_on_others(*((each.correct, each.examples) for each in (one.score, other.score)))


def differ_on_common(one: KnownRun, other: KnownRun, runs: Sequence[KnownRun]) -> ShareDifference | None:
    """How far two runs lie apart on the examples that both were tested on; None where there are none, or no answers.

    Args:
        one: a run.
        other: likewise.
        runs: these and others, any of which may have kept the groups of the examples.
    """
    rows = common_rows([one, other]) if comparable(one, other) else None
    if rows is None or one.own is None or other.own is None:
        return None
    first, second = rows[one.name], rows[other.name]
    return differ_on_same(one.own[first], other.own[second], groups_on_common(one, other, runs))


def groups_on_common(one: KnownRun, other: KnownRun, runs: Sequence[KnownRun]) -> NDArray[np.integer] | None:
    """Groups of the examples that both were tested on, in the order of `common_rows`; arguments as above."""
    rows = common_rows([one, other])
    if rows is None:
        return None
    keys = list(_numbered(_told(one, _by_content([one, other]))))
    kept = [run for run in runs if comparable(run, one) and comparable(run, other)]
    return _joined_groups([keys[place] for place in rows[one.name]], kept, _by_content([one, other]))


def _joined_groups(examples: Sequence[Key], runs: Sequence[KnownRun], by_content: bool) -> NDArray[np.integer] | None:
    """Groups of examples as any run kept them; those that share an example are one. None where no run kept any."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    answers = [run.answers for run in runs if run.answers and run.answers.groups]
    kept = {(each.digests if by_content else each.examples, each.groups) for each in answers}
    kept -= {each for each in kept if not each[0]}  # where contents tell examples apart and a run has names alone
    if not kept:
        return None
    places: dict[object, int] = {}

    def place(node: object) -> int:
        return places.setdefault(node, len(places))

    links = [
        (place(key), place((number, group)))
        for number, (told, groups) in enumerate(sorted(kept))
        for key, group in zip(_numbered(told), groups, strict=True)
    ]
    asked = [place(key) for key in examples]
    graph = coo_array((np.ones(len(links)), tuple(np.array(links).T)), shape=(len(places), len(places)))
    return np.asarray(connected_components(graph, directed=False)[1])[asked]


def common_rows(runs: Sequence[KnownRun]) -> dict[str, list[int]] | None:
    """For each run the places of the examples that all have, in one order."""
    told = {run.name: _told(run, _by_content(runs)) for run in runs}
    if len(alike := set(told.values())) == 1:
        return {name: list(range(len(each))) for name, each in told.items()} if all(alike) else None
    keys = {name: _numbered(each) for name, each in told.items()}
    common = set.intersection(*(set(each) for each in keys.values()))
    return {name: [each[key] for key in sorted(common)] for name, each in keys.items()} if common else None


def _by_content(runs: Sequence[KnownRun]) -> bool:
    return all(run.answers is not None and run.answers.digests for run in runs)


def _told(run: KnownRun, by_content: bool) -> tuple[str, ...]:
    """What tells each example from others."""
    if run.answers is None:
        return ()
    return run.answers.digests if by_content else run.answers.examples


def _numbered(told: Sequence[str]) -> dict[Key, int]:
    """Place of each example, in order; equal ones are numbered."""
    seen: Counter[str] = Counter()
    keys = {}
    for place, each in enumerate(told):
        keys[each, seen[each]] = place
        seen[each] += 1
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
