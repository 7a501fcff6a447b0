"""Intervals for shares."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.scores import Interval

LEVEL = 0.05  # of tests, below which two are told apart; intervals hold with one less that


def wilson(successes: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Wilson's score interval for a share, which stays inside [0, 1] and is honest for few trials.

    With p = successes / trials and z the normal quantile, the bounds are

        (p + z^2 / 2n  ±  z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    Raises:
        ValueError: unless 0 <= successes <= trials and trials > 0.

    Source: Wilson (1927), JASA 22, 209-212.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    return _around(successes / trials, trials, confidence)


def wilson_of_groups(
    right: NDArray[np.bool_ | np.floating[Any]], groups: NDArray[np.integer], *, confidence: float = 0.95
) -> Interval:
    """Wilson's interval for a share of examples of which those of a group are alike, several pictures of one cat, say.

    They tell as much as n' that are not, as many as leave the share the same variance:

        n' = p (1 - p) / v        v = G / (G - 1) sum_g (right_g - p n_g)² / n²

    at most n and at least 1; where the groups do not differ, as many as there are groups, G.

    Args:
        right: (n,), n > 0; of examples that were asked several times the share that was right.
        groups: (n,), numbers of groups.
        confidence: of the interval.

    Source: Kish (1965), "Survey sampling", section 8.2; Dean & Pagano (2015), "Evaluating confidence interval methods
    for binomial proportions in clustered surveys".
    """
    _, places = np.unique(groups, return_inverse=True)
    share, count = float(right.mean()), int(places.max()) + 1
    apart = np.bincount(places, right - share)
    variance = float((apart**2).sum()) * count / max(count - 1, 1) / len(right) ** 2
    alike = count if variance <= 0 or share in (0, 1) else share * (1 - share) / variance
    return _around(share, float(np.clip(alike, 1, len(right))), confidence)


def _around(share: float, trials: float, confidence: float) -> Interval:
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    weight = z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z * sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    low = 0.0 if share == 0 else middle - half  # exact where rounding would leave a trace
    high = 1.0 if share == 1 else middle + half
    return Interval(share, max(0.0, low), min(1.0, high), confidence)
