"""How many labels are enough: from how many on the most that were tried bring nothing that can be told.

Each number of shots of a way is held against its most, over the same divisions; all p-values are adjusted for being
many (Holm). The least number from which on none is told to lie below the most may be enough; it is called so only where
the interval says that the most bring little more. Of few examples a wide interval is all that can be had, and only what
is too few can be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from transfer.evidence.corrected_comparison import FoldDifference
from transfer.evidence.curve_points import CurvePoint
from transfer.evidence.tiers import holm
from transfer.tabulating import counted

LEAST_DIVISIONS = 3  # fewer leave one degree of freedom: an interval 25 times as wide as the spread
LITTLE = 0.05  # of the accuracy
TOO_FEW_DIVISIONS = "two divisions cannot tell how many labels are enough: ask for at least 3 (--divisions 5)"


@dataclass(frozen=True, slots=True)
class EnoughLabels:
    """How many labels are enough for one way of learning; printed, it is a sentence.

    Attributes:
        way: its name.
        shots: the least labels a class from which on none is told to lie below the most; None where even the last but
            one is, and with too few divisions to tell.
        too_few: the most labels a class that are told to lie below the most; None where none are.
        before: that the gain is counted from: `shots`, or the last number before the most.
        most: labels a class, of those tried.
        gain: of the most over `before`; its p-value is adjusted for being one of many.
    """

    way: str
    shots: int | None
    too_few: int | None
    before: int
    most: int
    gain: FoldDifference

    @property
    def is_sure(self) -> bool:
        """Whether the most bring little more than `shots`, at the upper end of the interval."""
        return self.shots is not None and self.gain.high is not None and self.gain.high <= LITTLE

    def __str__(self) -> str:
        bounds = (
            "" if self.gain.low is None or self.gain.high is None else f" [{self.gain.low:+.3f}, {self.gain.high:+.3f}]"
        )
        told = f"{self.gain.mean:+.3f}{bounds} from {self.before} to {counted(self.most, 'shot')}"
        if self.shots is None:
            return f"more labels still pay for {self.way}: {told}"
        if self.is_sure:
            return f"{counted(self.shots, 'shot')} for {self.way}: {told}"
        least = "cannot be told" if self.too_few is None else f"more than {counted(self.too_few, 'shot')}"
        p_value = f"p {self.gain.p_value:.2g}, adjusted for the number of comparisons"
        doubt = f"which chance may explain ({p_value}); more divisions tell more"
        return f"{least} for {self.way}: {told}, {doubt}"


def enough_labels(ways: Sequence[Sequence[CurvePoint]]) -> tuple[EnoughLabels, ...]:
    """For each way how many labels are enough.

    Args:
        ways: the points of each, at least two, by shots; all of the same divisions.
    """
    gains = [[points[-1].less(each) for each in points[:-1]] for points in ways]
    adjusted = iter(holm(np.array([each.p_value for several in gains for each in several])).tolist())
    found = []
    for points, several in zip(ways, gains, strict=True):
        told = [replace(each, p_value=next(adjusted)) for each in several]
        rising = [place for place, each in enumerate(told) if each.told_apart and each.mean > 0]
        first = rising[-1] + 1 if rising else 0
        is_open = first == len(told) or len(points[0].accuracies) < LEAST_DIVISIONS
        place = len(told) - 1 if is_open else first
        shots = None if is_open else points[place].shots
        too_few = points[first - 1].shots if first else None
        found.append(EnoughLabels(points[0].way, shots, too_few, points[place].shots, points[-1].shots, told[place]))
    return tuple(found)
