"""Seconds that the steps of a job take, and those that it may take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from transfer.errors import TrainingError

_LEAST_SECONDS = 4.0  # for testing, and for saving and looking at what was saved, of a small network on a busy machine
_BYTES_A_SECOND = 50e6  # of saving
_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """A time by whose end a job has written its result.

    Attributes:
        seconds: it may take.
        started: of `time.monotonic`.
    """

    seconds: float
    started: float = field(default_factory=time.monotonic)

    def training_ends(self, size_bytes: int) -> float:
        """When training has to end, so that there is time to test and to save.

        Args:
            size_bytes: of the weights that will be saved.
        """
        rest = _LEAST_SECONDS + size_bytes / _BYTES_A_SECOND + _SHARE * self.seconds
        return self.started + max(0.0, self.seconds - rest)

    def left(self) -> float:
        """Seconds; below 0 once it has passed."""
        return self.started + self.seconds - time.monotonic()

    def refuse_hopeless(self, next_step: str = "give more time; --dry-run says how much the run takes") -> None:
        """Refuse a limit within which no run of any network can be written.

        Args:
            next_step: what to do then.

        Raises:
            TrainingError: if it is one.
        """
        least = _LEAST_SECONDS / (1 - _SHARE)
        if self.seconds <= least:
            raise TrainingError(
                f"A time limit of {self.seconds:g} s leaves none to learn in: {_LEAST_SECONDS:g} s and a tenth of it "
                "are for testing and saving.",
                next_step=next_step,
            )


class Clock:
    """Adds up seconds by name.

    Attributes:
        seconds: so far.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count what happens inside."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
