"""How many steps a call takes: enough that calling costs nothing, few enough that it is soon over."""

from __future__ import annotations

_SHORT, _LONG = 0.05, 0.2  # seconds
_MOST_STEPS, _MOST_BYTES = 64, 1 << 25


class Pace:
    """Settles it by the time that calls took; results do not depend on it.

    Attributes:
        steps: of the next call.
    """

    def __init__(self) -> None:
        self.steps = 1

    def note(self, seconds: float, batch_bytes: int) -> None:
        """Take one call into account.

        Args:
            seconds: that it took.
            batch_bytes: that each of its steps learnt from.
        """
        if seconds < _SHORT:
            self.steps = min(2 * self.steps, _MOST_STEPS, max(1, _MOST_BYTES // max(1, batch_bytes)))
        elif seconds > _LONG:
            self.steps = max(1, self.steps // 2)
