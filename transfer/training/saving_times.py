"""When a run writes down where it stands. Clocks settle that, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable

from transfer.training.training_state import States, TrainingState

_SHARE = 10  # between epochs, writing takes at most one tenth of the time
_LEAST_SECONDS = 1.0  # of work between them: less is sooner done again


class SavingTimes:
    """Saves a run's state after steps and epochs, if it is time."""

    def __init__(self, folder: States | None, *, every_seconds: float, every_steps: int = 0) -> None:
        """Set the times.

        Args:
            folder: where states go; None saves nothing.
            every_seconds: at the next step after so long.
            every_steps: besides, after so many steps; 0 for never.
        """
        self._folder, self._every_seconds, self._every_steps = folder, every_seconds, every_steps
        self._steps, self._cost, self._last = 0, 0.0, time.monotonic()

    @property
    def steps(self) -> int | None:
        """That may be taken before the next save; None where their number does not matter."""
        return max(1, self._every_steps - self._steps) if self._every_steps else None

    def after_steps(self, count: int, state: Callable[[], TrainingState]) -> None:
        """Save in the midst of an epoch."""
        self._steps += count
        due = time.monotonic() - self._last >= self._every_seconds
        if due or (self._every_steps and self._steps >= self._every_steps):
            self.save(state)

    def after_epoch(self, state: Callable[[], TrainingState]) -> None:
        """Save at the end of an epoch; where epochs are over at once, not at each."""
        waited = time.monotonic() - self._last
        if self._every_steps or waited >= min(self._every_seconds, max(_LEAST_SECONDS, _SHARE * self._cost)):
            self.save(state)

    def save(self, state: Callable[[], TrainingState]) -> None:
        """Save in any case."""
        if self._folder is not None:
            start = time.monotonic()
            self._folder.save(state())
            self._cost = time.monotonic() - start
        self._steps, self._last = 0, time.monotonic()
