"""One point of accuracy against the number of labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from transfer.evidence.corrected_comparison import FoldDifference, compare_over_folds

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
