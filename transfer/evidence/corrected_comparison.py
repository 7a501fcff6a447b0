"""Two candidates compared over repeated folds, which share most of what is learnt from.

With differences d_j of their scores on J folds, the usual t test takes the variance of the mean for var(d) / J, as if
folds were new examples each time, and finds differences where there are none. Corrected for what folds share,

    t = mean(d) / sqrt((1 / J + n_test / n_train) v)        v = var(d), with J - 1 degrees of freedom

Scores that are shares of the test examples, as accuracy is, differ by 1, 0 or -1 on each, which leaves d at least the
variance |mean| (1 - |mean|) / n_test. v is no less, so that a few folds that happen to agree prove nothing, and p is no
less than what n coins prove that fall alike, 2^(1 - n).

Where no score differs, no two answers may: of n test examples none that tells the two apart leaves, with 95 %
confidence, at most a share q of such ones in the world, where (1 - q)^n = 0.05. The difference is no larger than that
share, so that its interval is -q to q. Of divisions that leave examples out, those that are tested on once or more in
the mean are counted as n.

Of 1,000 drawn pairs of candidates that do not differ (100 examples, 5 x 5 folds, accuracy 0.77) it tells 3.6 % apart,
the usual test 43 %; of pairs with 0.85 against 0.77 it tells 28 % apart, with 0.92 against 0.77 76 %.

Source: Nadeau & Bengio (2003), "Inference for the generalization error", Machine Learning 52, section 4; Bouckaert &
Frank (2004), "Evaluating the replicability of significance tests for comparing learning algorithms", PAKDD, for
repeated folds; Hanley & Lippman-Hand (1983), "If nothing goes wrong, is everything all right?", JAMA 249, for q.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.intervals import LEVEL
from transfer.evidence.resampling import Floats

_ROUNDING = 1e-12  # of the scores


@dataclass(frozen=True, slots=True)
class FoldDifference:
    """How the scores of two candidates differ over the same folds.

    Attributes:
        mean: of the differences, first less second.
        low: of its 95 % interval, not adjusted for how many are compared; None where there is nothing to tell it by, as
            with one fold or five examples.
        high: likewise.
        p_value: two-sided; 1 where there is nothing to tell it by.
        folds: J.
    """

    mean: float
    low: float | None
    high: float | None
    p_value: float
    folds: int

    @property
    def told_apart(self) -> bool:
        """Whether the two differ by more than chance explains."""
        return self.p_value < LEVEL

    def describe(self, first: str, second: str) -> str:
        """What it says, in a sentence, with the names of the two."""
        bounds = "" if self.low is None or self.high is None else f" [{self.low:+.3f}, {self.high:+.3f}]"
        verdict = "" if self.told_apart else "; that does not tell the two apart"
        return (
            f"{first} - {second} = {self.mean:+.3f}{bounds} over the same {self.folds} folds "
            f"(corrected for their overlap, p {self.p_value:.2g}){verdict}"
        )


def compare_over_folds(
    first: Floats,
    second: Floats,
    train_sizes: NDArray[np.integer[Any]],
    test_sizes: NDArray[np.integer[Any]],
    *,
    shares: bool = True,
) -> FoldDifference:
    """Hold the scores of two candidates on the same folds against each other.

    Args:
        first: (J,).
        second: (J,).
        train_sizes: (J,), examples learnt from, as `RepeatedFolds` has them: those of a group count as one.
        test_sizes: (J,), examples tested on, likewise.
        shares: whether a score is a share of the test examples; otherwise differences that are all the same tell
            nothing, as their spread is not known.

    Raises:
        ValueError: if there are none, their numbers differ, or one is not finite.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.ndim != 1 or not one.size or not one.shape == other.shape == train_sizes.shape == test_sizes.shape:
        raise ValueError(f"scores of shapes {one.shape} and {other.shape} on folds of shape {test_sizes.shape}")
    if not np.isfinite([one, other]).all():
        raise ValueError("some scores are not finite")
    differences, rounding = one - other, _ROUNDING * max(float(abs(one).max()), float(abs(other).max()))
    if abs(differences).max() <= rounding:
        bound = _unseen(train_sizes, test_sizes) if shares else None
        return FoldDifference(0.0, -bound if bound else None, bound, 1.0, len(one))
    mean, spread = float(differences.mean()), float(np.ptp(differences))
    variance = float(differences.var(ddof=1)) if len(one) > 1 and spread > rounding else 0.0
    if shares:
        variance = max(variance, abs(mean) * (1 - abs(mean)) / float(test_sizes.mean()))
    if len(one) < 2 or (variance == 0 and not shares):
        return FoldDifference(mean, None, None, 1.0, len(one))
    error = sqrt((1 / len(one) + float((test_sizes / train_sizes).mean())) * variance)
    least = 2.0 ** (1 - int(train_sizes[0] + test_sizes[0])) if shares else 0.0
    return _judge(mean, error, len(one), least, shares=shares)


def _unseen(train_sizes: NDArray[np.integer[Any]], test_sizes: NDArray[np.integer[Any]]) -> float | None:
    """q, how large a difference may be of which nothing was seen; None where hardly anything could be."""
    if len(test_sizes) < 2:
        return None
    whole = train_sizes + test_sizes
    tested = float(whole.mean() * (1 - (train_sizes / whole).prod()))
    return None if 2.0 ** (1 - tested) >= LEVEL else float(1 - LEVEL ** (1 / tested))


def _judge(mean: float, error: float, folds: int, least: float, *, shares: bool) -> FoldDifference:
    from scipy.special import stdtr, stdtrit

    p_value = min(1.0, max(least, 2 * float(stdtr(folds - 1, -abs(mean) / error)) if error else 0.0))
    if not error or least >= LEVEL:
        return FoldDifference(mean, None, None, p_value, folds)
    half = error * float(stdtrit(folds - 1, 1 - LEVEL / 2))
    low, high = (max(-1.0, mean - half), min(1.0, mean + half)) if shares else (mean - half, mean + half)
    return FoldDifference(mean, low, high, p_value, folds)
