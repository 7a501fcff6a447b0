"""Points of accuracy against the number of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from transfer.evidence.corrected_comparison import FoldDifference, compare_over_folds
from transfer.evidence.tiers import holm
from transfer.specs import Json

COLUMNS = ("shots", "way", "accuracy", "95 % interval", "divisions")
NUMBERS = ("shots", "accuracy", "divisions")


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One way of learning with so many labels a class.

    Attributes:
        way: `probe`, the recipe's name, or the baseline's.
        shots: labels a class.
        accuracies: on the test part of each division.
        learnt: examples learnt from in each.
        pool: examples of which these were drawn: all that were not tested on.
        tested: examples tested on in each.
    """

    way: str
    shots: int
    accuracies: tuple[float, ...]
    learnt: tuple[int, ...]
    pool: tuple[int, ...]
    tested: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Of the accuracies."""
        return float(np.mean(self.accuracies))

    def less(self, other: CurvePoint | None = None) -> FoldDifference:
        """How far it lies above another point of the same divisions, or above 0.

        Corrected for what divisions share as those of whole pools: of few examples drawn from each even less is shared.
        """
        first = np.array(self.accuracies)
        second = np.zeros_like(first) if other is None else np.array(other.accuracies)
        return compare_over_folds(first, second, np.array(self.pool), np.array(self.tested))

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """A row under `COLUMNS`."""
        found = self.less()
        bounds = "-"
        if found.low is not None and found.high is not None:
            bounds = f"{max(0.0, found.low):.3f} to {min(1.0, found.high):.3f}"
        return f"{self.shots}", self.way, f"{self.mean:.3f}", bounds, f"{len(self.accuracies)}"


@dataclass(frozen=True, slots=True)
class CurvePoints:
    """Points of several ways of learning over the same divisions.

    Attributes:
        source: of the labelled examples.
        points: by shots, then way, in the order asked.
    """

    source: str
    points: tuple[CurvePoint, ...]

    def of(self, way: str) -> tuple[CurvePoint, ...]:
        """The points of one way, by shots."""
        return tuple(sorted((each for each in self.points if each.way == way), key=lambda each: each.shots))

    @property
    def ways(self) -> tuple[str, ...]:
        """In the order asked."""
        return tuple(dict.fromkeys(each.way for each in self.points))

    @property
    def described(self) -> list[Json]:
        """The points as plain values, with their intervals."""
        return [
            {**asdict(each), "mean": each.mean, "low": found.low, "high": found.high}
            for each in self.points
            for found in (each.less(),)
        ]


def adjusted(told: Sequence[tuple[str, int, FoldDifference]]) -> tuple[tuple[str, int, FoldDifference], ...]:
    """Differences by way and shots, p-values adjusted for the number of all (Holm); each interval stands for itself."""
    values = holm(np.array([found.p_value for _, _, found in told]))
    return tuple(
        (way, shots, replace(found, p_value=float(p))) for (way, shots, found), p in zip(told, values, strict=True)
    )
