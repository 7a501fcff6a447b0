"""Intervals for shares."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

from transfer.scores import Interval


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
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = successes / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z * sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    low = 0.0 if successes == 0 else middle - half  # exact where rounding would leave a trace
    high = 1.0 if successes == trials else middle + half
    return Interval(share, max(0.0, low), min(1.0, high), confidence)
