"""Shares of right answers with their intervals, and how a table of them looks."""

from __future__ import annotations

from dataclasses import dataclass

NUMBERS = ("accuracy", "right")  # columns that are aligned to the right
BY_CLASS = ("class", "accuracy", "right")


def score_columns(whose: str) -> tuple[str, str, str, str]:
    """Above the cells of scores.

    Args:
        whose: what the first column names.
    """
    return whose, "accuracy", "95 % interval", "right"


ANSWERED = score_columns("examples")


@dataclass(frozen=True, slots=True)
class Interval:
    """A share with the bounds between which it lies with the stated confidence.

    Attributes:
        value: the estimate, in [0, 1].
        low: lower bound.
        high: upper bound.
        confidence: 0.95 for a 95 % interval.
    """

    value: float
    low: float
    high: float
    confidence: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Score:
    """How well one way of answering did on the test examples.

    Attributes:
        name: `probe`, `tuned`, or the baseline's name.
        correct: examples answered rightly.
        examples: examples asked.
        accuracy: `correct / examples` with its 95 % interval.
    """

    name: str
    correct: int
    examples: int
    accuracy: Interval

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """A row under `score_columns`."""
        share = self.accuracy
        bounds = f"{share.low:.3f} to {share.high:.3f}"
        return self.name, f"{share.value:.3f}", bounds, f"{self.correct}/{self.examples}"
