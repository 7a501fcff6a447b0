"""How far two shares of right answers lie apart: on the same examples, or on others.

With p1 = x1 / n and p2 = x2 / n, Wilson bounds (l1, u1) and (l2, u2), and phi, the correlation of the two answers,

    low  = p1 - p2 - sqrt((p1 - l1)² - 2 phi (p1 - l1)(u2 - p2) + (u2 - p2)²)
    high = p1 - p2 + sqrt((p2 - l2)² - 2 phi (p2 - l2)(u1 - p1) + (u1 - p1)²)

On the same examples phi comes from how many are right by both (a), by one alone (b, c) and by none (d): ad - bc, less
n / 2 but not below 0 where it is above 0, over the root of the product of the four sums. On others phi is 0. The test
is another: of the same examples McNemar's exact one, so that an interval may just leave 0 out where the test tells
nothing; the test decides.

Source: Newcombe (1998), "Improved confidence intervals for the difference between binomial proportions based on paired
data", Statistics in Medicine 17, 2635-2650, method 10; and "Interval estimation for the difference between independent
proportions", 873-890, method 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.comparing import compare_answers
from transfer.evidence.intervals import LEVEL, wilson
from transfer.scores import Interval


@dataclass(frozen=True, slots=True)
class ShareDifference:
    """One share of right answers less another.

    Attributes:
        value: the difference.
        low: of its 95 % interval.
        high: likewise.
        p_value: two-sided, not adjusted for being one of many.
        examples: that both answered; 0 where each answered its own.
        first_alone: of these, right by the first alone.
        second_alone: likewise.
    """

    value: float
    low: float
    high: float
    p_value: float
    examples: int = 0
    first_alone: int = 0
    second_alone: int = 0

    def __str__(self) -> str:
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"

    @property
    def told_apart(self) -> bool:
        """Whether the two differ by more than chance explains."""
        return self.p_value < LEVEL

    def describe(self, first: str, second: str, groups: NDArray[np.integer] | None = None) -> str:
        """What it says of answers to the same examples, in a sentence.

        Args:
            first: name of the first way of answering.
            second: of the second.
            groups: (n,), that it was told by, if any.
        """
        of = "" if groups is None else f" of {len(np.unique(groups))} groups"
        verdict = "" if self.told_apart else "; that does not tell the two apart"
        return (
            f"{first} - {second} = {self.value:+.3f} on the same {self.examples} examples{of}: {self.first_alone} are "
            f"right by {first} alone, {self.second_alone} by {second} alone (exact p {self.p_value:.2g}){verdict}"
        )


def differ_on_same(
    first: NDArray[np.bool_], second: NDArray[np.bool_], groups: NDArray[np.integer] | None = None
) -> ShareDifference:
    """Hold two answers to the same examples against each other.

    Args:
        first: (n,), n > 0, whether each is right.
        second: the same of the other.
        groups: (n,), numbers of groups whose examples are alike, several pictures of one cat, say. The difference of a
            whole group then is what a coin may turn round, and the interval is no narrower than that of Student's t
            over groups.

    Raises:
        ValueError: if there are none, or their numbers differ.
    """
    paired, count = compare_answers(first, second), first.size
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    product = both * neither - paired.first_alone * paired.second_alone
    right, others = int(first.sum()), int(second.sum())
    scale = sqrt(right * (count - right) * others * (count - others))
    alike = (max(0.0, product - count / 2) if product > 0 else product) / scale if scale else 0.0
    low, high = _bounds(wilson(right, count), wilson(others, count), alike)
    value, p_value = (paired.first_alone - paired.second_alone) / count, paired.p_value
    if groups is not None:
        differences = first.astype(int) - second.astype(int)
        p_value = _flipped(differences, groups)
        half = _half_width(differences, groups)
        low, high = max(-1.0, min(low, value - half)), min(1.0, max(high, value + half))
    return ShareDifference(value, low, high, p_value, count, paired.first_alone, paired.second_alone)


def differ_on_others(first: tuple[int, int], second: tuple[int, int]) -> ShareDifference:
    """Hold right answers against those to other examples, or to the same where nobody knows which are right.

    Args:
        first: right answers and examples.
        second: likewise.

    Raises:
        ValueError: unless 0 <= right answers <= examples and examples > 0.

    Source: Fisher (1935) for the test.
    """
    from scipy.stats import fisher_exact

    low, high = _bounds(wilson(*first), wilson(*second), 0.0)
    table = [[first[0], first[1] - first[0]], [second[0], second[1] - second[0]]]
    return ShareDifference(first[0] / first[1] - second[0] / second[1], low, high, float(fisher_exact(table).pvalue))


def differ_by_bounds(first: Interval, second: Interval) -> ShareDifference:
    """Hold a share against one of other examples by their own 95 % intervals, of groups, say.

    The distance from the difference to its bound on the side of 0 stands for 1.96 standard errors of the test.
    """
    value, (low, high) = first.value - second.value, _bounds(first, second, 0.0)
    reach = value - low if value > 0 else high - value
    normal = NormalDist()
    errors = abs(value) / reach * normal.inv_cdf(1 - LEVEL / 2) if reach > 0 else 0.0
    p_value = 2 * normal.cdf(-errors) if reach > 0 or value == 0 else 0.0
    return ShareDifference(value, low, high, p_value)


def _bounds(one: Interval, other: Interval, alike: float) -> tuple[float, float]:
    value = one.value - other.value
    down, up = (one.value - one.low, other.high - other.value), (other.value - other.low, one.high - one.value)
    below, above = (sqrt(max(0.0, a * a - 2 * alike * a * b + b * b)) for a, b in (down, up))
    return max(-1.0, value - below), min(1.0, value + above)


def _flipped(differences: NDArray[np.integer], groups: NDArray[np.integer]) -> float:
    """How often coins, thrown for each group, would part the two as far: McNemar's test where groups are of one."""
    sums = abs(_sums(differences, groups))
    sums = sums[sums > 0]
    chances, reach = np.ones(1), int(sums.sum())  # of each sum from -reach to reach
    for each in sums.tolist():
        wider = np.zeros(len(chances) + 2 * each)
        wider[: len(chances)] += chances / 2
        wider[2 * each :] += chances / 2
        chances = wider
    places = np.arange(-reach, reach + 1)
    return min(1.0, float(chances[abs(places) >= abs(int(differences.sum()))].sum()))


def _half_width(differences: NDArray[np.integer], groups: NDArray[np.integer]) -> float:
    from scipy.special import stdtrit

    sums, sizes = _sums(differences, groups), _sums(np.ones_like(differences), groups)
    count, examples = len(sums), len(differences)
    if count < 2:
        return 2.0
    apart = sums - differences.mean() * sizes
    error = sqrt(count / (count - 1) * float((apart**2).sum())) / examples
    return error * float(stdtrit(count - 1, 1 - LEVEL / 2))


def _sums(values: NDArray[np.integer], groups: NDArray[np.integer]) -> NDArray[np.int64]:
    _, places = np.unique(groups, return_inverse=True)
    return np.bincount(places, values).round().astype(np.int64)
