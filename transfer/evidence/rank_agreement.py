"""Whether a cheap score puts candidates in the order that measuring them does.

The weighted tau of Kendall's counts pairs of candidates that two orders put the same way round, less those they put
the other way round, a pair with ranks r and s from the best, 1 and on, having the weight 1 / r + 1 / s; so it asks
above all whether the best are right. It is 1 where the orders are the same, -1 where one is the other reversed, about
0 where they have nothing to do with each other. A pair tied in either order counts as neither.

How often orders that have nothing to do with each other would agree as well is found by exchanging the measured values:
all orders of them where these are few, else some that are drawn. Three candidates can never say enough.

Source: Vigna (2015), "A weighted correlation index for rankings with ties", WWW, sections 3 and 4 (the additive
hyperbolic weighting, averaged over the ranks by either); Good (2005), "Permutation, parametric and bootstrap tests of
hypotheses", chapter 3; Phipson & Smyth (2010), "Permutation p-values should never be zero".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np

from transfer.evidence.intervals import LEVEL
from transfer.evidence.resampling import Floats

LEAST_CANDIDATES = 3
_DRAWN = 1000  # orders, where there are more
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class RankAgreement:
    """How well two orders of the same candidates agree.

    Attributes:
        tau: weighted, from -1 to 1.
        p_value: how often orders that have nothing to do with each other agree as well; above 0.
        candidates: how many.
    """

    tau: float
    p_value: float
    candidates: int

    @property
    def trusted(self) -> bool:
        """Whether the cheap score may stand for the measured one: chance would seldom agree as well."""
        return self.tau > 0 and self.p_value < LEVEL

    def describe(self, score: str, measured: str) -> str:
        """What it says, in a sentence, with the names of the two."""
        verdict = "" if self.trusted else f"; {score} should not be trusted here"
        return (
            f"the orders by {score} and by {measured} agree with a weighted tau of {self.tau:+.2f} over "
            f"{self.candidates} candidates (p {self.p_value:.2g}){verdict}"
        )


def compare_ranks(
    scores: Sequence[float] | Floats, measured: Sequence[float] | Floats, *, seed: int = 0
) -> RankAgreement | None:
    """Hold the order by a cheap score against that by a measured one.

    Args:
        scores: (m,), higher is better.
        measured: (m,), likewise.
        seed: of the orders drawn.

    Returns:
        None where nothing can be said: fewer than three candidates, or all equal in either.

    Raises:
        ValueError: if their numbers differ, or one is not finite.
    """
    cheap, costly = np.asarray(scores, np.float64), np.asarray(measured, np.float64)
    if cheap.ndim != 1 or cheap.shape != costly.shape or not np.isfinite([cheap, costly]).all():
        raise ValueError(f"scores of shape {cheap.shape} and {costly.shape}, all of which should be finite")
    if len(cheap) < LEAST_CANDIDATES or np.ptp(cheap) == 0 or np.ptp(costly) == 0:
        return None
    tau = weighted_tau(cheap, costly)
    others = np.array([weighted_tau(cheap, order) for order in _orders(costly, seed)])
    as_well = int((others >= tau - _ROUNDING).sum())
    exact = factorial(len(cheap)) <= _DRAWN  # the order itself is among them
    return RankAgreement(tau, as_well / len(others) if exact else (as_well + 1) / (len(others) + 1), len(cheap))


def weighted_tau(scores: Floats, measured: Floats) -> float:
    """The weighted tau of two orders of candidates, (m,) each, in neither of which all are equal."""
    from scipy.stats import weightedtau

    return float(weightedtau(scores, measured).statistic)


def _orders(values: Floats, seed: int) -> Iterator[Floats]:
    if factorial(len(values)) <= _DRAWN:
        return (values[list(order)] for order in permutations(range(len(values))))
    random = np.random.default_rng(seed)
    return (random.permutation(values) for _ in range(_DRAWN))
