"""Many candidates put in order without a winner that chance may have made.

All pairs are compared over the same folds, and their p-values adjusted for being many (Holm). Candidates stand by their
mean; between two neighbours stands `>` where everyone before is told apart from everyone after, else `≈`:

    A ≈ B > C

That B is not told apart from A nor from C does not make A and C alike. Where A and C then are told apart, no `>` can
stand anywhere without claiming something of B; all three are one tier, and that one pair is named behind it:

    A ≈ B ≈ C (of these A > C)

Source: Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian J. Statistics 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.corrected_comparison import compare_over_folds
from transfer.evidence.intervals import LEVEL
from transfer.evidence.resampling import Floats


@dataclass(frozen=True, slots=True)
class Ordering:
    """Candidates, the best first.

    Attributes:
        tiers: names of those between which nothing can be said for sure, each tier better than the next; within one
            by their mean, and equals by their name.
        apart: pairs within a tier that are told apart nevertheless, the better one first.
        means: of each candidate.
        p_values: of each pair of names in the order of `tiers`, adjusted for their number.
    """

    tiers: tuple[tuple[str, ...], ...]
    apart: tuple[tuple[str, str], ...]
    means: dict[str, float]
    p_values: dict[tuple[str, str], float]

    @property
    def winner(self) -> str | None:
        """The one that is told apart from all others; None where there is none, or nobody else."""
        return self.tiers[0][0] if len(self.tiers) > 1 and len(self.tiers[0]) == 1 else None

    def __str__(self) -> str:
        line = " > ".join(" ≈ ".join(tier) for tier in self.tiers)
        pairs = ", ".join(f"{better} > {worse}" for better, worse in self.apart)
        return f"{line} (of these {pairs})" if pairs else line


def order_over_folds(
    scores: Mapping[str, Floats],
    train_sizes: NDArray[np.integer[Any]],
    test_sizes: NDArray[np.integer[Any]],
    *,
    shares: bool = True,
) -> Ordering:
    """Put candidates in order by their scores on the same folds, higher being better.

    Args:
        scores: of each candidate, (J,).
        train_sizes: as for `compare_over_folds`.
        test_sizes: likewise.
        shares: likewise.

    Raises:
        ValueError: if there is no candidate, and as `compare_over_folds`.
    """
    p_values = {
        (one, other): compare_over_folds(scores[one], scores[other], train_sizes, test_sizes, shares=shares).p_value
        for one, other in combinations(scores, 2)
    }
    return order_by_pairs({name: float(np.mean(found)) for name, found in scores.items()}, p_values)


def order_by_pairs(means: Mapping[str, float], p_values: Mapping[tuple[str, str], float]) -> Ordering:
    """Put candidates in order, however each pair of them was compared.

    Args:
        means: of each candidate; higher is better.
        p_values: of each pair, in either order, not adjusted.

    Raises:
        ValueError: if there is no candidate, or a pair is missing.
    """
    names = sorted(means, key=lambda name: (-means[name], name))
    pairs = list(combinations(names, 2))
    missing = [pair for pair in pairs if pair not in p_values and pair[::-1] not in p_values]
    if not names or missing:
        raise ValueError(f"candidates {names} without a comparison of {missing}")
    found = np.array([p_values[pair] if pair in p_values else p_values[pair[::-1]] for pair in pairs])
    return order_by_adjusted(means, dict(zip(pairs, holm(found).tolist(), strict=True)))


def order_by_adjusted(means: Mapping[str, float], p_values: Mapping[tuple[str, str], float]) -> Ordering:
    """Put candidates in order by p-values of all pairs, in either order, that are adjusted already."""
    names = sorted(means, key=lambda name: (-means[name], name))
    pairs = list(combinations(names, 2))
    adjusted = {pair: p_values[pair] if pair in p_values else p_values[pair[::-1]] for pair in pairs}
    told = {pair for pair in pairs if adjusted[pair] < LEVEL}
    tiers = _tiers(names, told)
    inner = {pair for tier in tiers for pair in combinations(tier, 2)}
    return Ordering(tiers, tuple(pair for pair in pairs if pair in told & inner), dict(means), adjusted)


def holm(p_values: Floats) -> Floats:
    """Adjust p-values (q,) so that of all that fall below a level none is false but with that probability."""
    rising = np.argsort(p_values, kind="stable")
    steps = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[rising] = np.minimum(1, np.maximum.accumulate(p_values[rising] * steps))
    return adjusted


def _tiers(names: Sequence[str], told: set[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    cuts = [
        place
        for place in range(1, len(names))
        if all((one, other) in told for one in names[:place] for other in names[place:])
    ]
    return tuple(tuple(names[start:end]) for start, end in zip([0, *cuts], [*cuts, len(names)], strict=True))
