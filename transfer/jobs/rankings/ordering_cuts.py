"""Cuts of networks put in order: what is told apart, what is no worse for less, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np

from transfer.evidence.corrected_comparison import compare_over_folds
from transfer.evidence.enough_labels import LITTLE
from transfer.evidence.intervals import LEVEL
from transfer.evidence.repeated_folds import RepeatedFolds
from transfer.evidence.tiers import Ordering, holm, order_over_folds
from transfer.jobs.rankings.opening_candidates import Candidate
from transfer.jobs.rankings.scoring_cuts import ScoredCut
from transfer.rankings import Cost, RankedCut


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A cut that was scored, and the candidate that it is of."""

    candidate: Candidate = field(repr=False)
    cut: ScoredCut

    @property
    def name(self) -> str:
        """Candidate and layer."""
        return f"{self.candidate.name} at {self.cut.features.at}"


@dataclass(frozen=True, slots=True)
class OrderedCuts:
    """All cuts in order.

    Attributes:
        rows: the best first; of equal ones those that were trained, then the quickest.
        tiers: of candidates, each at its best cut.
        line: the same, written out.
        notes: what follows from it.
    """

    rows: tuple[RankedCut, ...]
    tiers: tuple[tuple[str, ...], ...]
    line: str
    notes: tuple[str, ...]


def order_cuts(scored: Sequence[Placed], folds: RepeatedFolds) -> OrderedCuts:
    """Put cuts in order by the probe's accuracy on the same folds.

    Args:
        scored: at least one; their order changes nothing.
        folds: on which.
    """
    rows = sorted(map(_row, scored), key=_place)
    best: dict[str, RankedCut] = {}
    for row in rows:
        best.setdefault(row.candidate, row)
    of_candidates = _order(best, folds)
    ties, front = _ties(rows, best, of_candidates, folds), _front(rows)
    rows = [replace(row, ties_best=row.name in ties, on_front=row.name in front) for row in rows]
    return OrderedCuts(tuple(rows), of_candidates.tiers, str(of_candidates), tuple(_notes(rows, of_candidates)))


def _order(best: Mapping[str, RankedCut], folds: RepeatedFolds) -> Ordering:
    scores = {name: np.array(row.folds) for name, row in best.items()}
    return order_over_folds(scores, folds.train_sizes, folds.test_sizes)


def _ties(
    rows: Sequence[RankedCut], best: Mapping[str, RankedCut], of_candidates: Ordering, folds: RepeatedFolds
) -> set[str]:
    """Names of those that are not told apart from the first.

    What is said of candidates decides of their best cuts, and no other cut ties where its candidate does not.
    """
    first = rows[0]
    others = [row for row in rows if row is not best[row.candidate]]
    worse = _worse(first, others, folds) if others else set()
    near = {name for name in best if not _apart(of_candidates, first.candidate, name)}
    return {row.name for row in rows if row.candidate in near and row.name not in worse}


def _worse(first: RankedCut, others: Sequence[RankedCut], folds: RepeatedFolds) -> set[str]:
    """Names of those that are told apart from the first, their p-values adjusted for being many."""
    p_values = [
        compare_over_folds(np.array(first.folds), np.array(row.folds), folds.train_sizes, folds.test_sizes).p_value
        for row in others
    ]
    return {row.name for row, value in zip(others, holm(np.array(p_values)), strict=True) if value < LEVEL}


def _apart(ordering: Ordering, one: str, other: str) -> bool:
    p_values = ordering.p_values
    return min(p_values.get((one, other), 1.0), p_values.get((other, one), 1.0)) < LEVEL


def _row(placed: Placed) -> RankedCut:
    candidate, cut = placed.candidate, placed.cut
    return RankedCut(
        candidate=candidate.name,
        at=cut.features.at,
        features=cut.features.values.shape[1],
        accuracy=cut.accuracy,
        folds=tuple(cut.folds.tolist()),
        scores=cut.scores,
        cost=cut.features.cost,
        ties_best=False,
        on_front=False,
        is_random=candidate.is_random,
    )


def _place(row: RankedCut) -> tuple[float, bool, float, int, str]:
    return -row.accuracy.value, row.is_random, *cost_key(row.cost), row.name


def cost_key(cost: Cost) -> tuple[float, int]:
    """What is less for a network that is quicker, then smaller; FLOPs that are not known count as most."""
    return inf if cost.flops is None else cost.flops, cost.size_bytes


def _front(rows: Sequence[RankedCut]) -> set[str]:
    """Names of those that no other equals in accuracy, FLOPs and size, being better in one of these."""
    points = {row.name: (-row.accuracy.value, *cost_key(row.cost)) for row in rows}
    return {
        name
        for name, own in points.items()
        if not any(other != own and all(a <= b for a, b in zip(other, own, strict=True)) for other in points.values())
    }


def _notes(rows: Sequence[RankedCut], of_candidates: Ordering) -> Iterator[str]:
    first = rows[0]
    best = next((row for row in rows if not row.is_random), None)
    if best is None:
        return
    if not best.ties_best:
        yield f"{first.name} has random weights and is better than all that were trained: look at what goes in"
        return
    near = (row for row in rows if row.ties_best and best.accuracy.value - row.accuracy.value <= LITTLE)
    cheapest = min((row for row in near if not row.is_random), key=lambda row: cost_key(row.cost))
    if cheapest.cost.flops is not None and best.cost.flops and cheapest.cost.flops < best.cost.flops:
        share = 100 * cheapest.cost.flops / best.cost.flops
        beside = f"{cheapest.accuracy.value:.3f} beside {best.accuracy.value:.3f}"
        yield f"{cheapest.name} is not told apart from the best ({beside}) and takes {share:.2g} % of its FLOPs"
    controls = dict.fromkeys(row.candidate for row in rows if row.is_random)
    as_good = [name for name in controls if not _apart(of_candidates, name, best.candidate)]
    if as_good:
        names = ", ".join(as_good)
        yield f"{names}: not told apart from {best.candidate}, so nothing shows that pretraining helps here"
