"""What is left of a limited time, shared among the parts of a run that are still to come."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(slots=True)
class TimeShares:
    """A deadline and the parts before it.

    Attributes:
        deadline: of `time.monotonic`; None for no limit.
        parts: still to come, each of which gets as much as any other.
    """

    deadline: float | None
    parts: int

    def take(self) -> float | None:
        """The deadline of the next part; time that one leaves goes to those after it."""
        if self.deadline is None:
            return None
        now = time.monotonic()
        share = max(0.0, self.deadline - now) / max(1, self.parts)
        self.parts -= 1
        return now + share

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self.deadline is not None and time.monotonic() >= self.deadline
