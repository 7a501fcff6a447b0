"""What a run will take in time and memory, part by part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from transfer.specs import Json
from transfer.tabulating import format_scaled

WIDTH = 92  # of a line


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of something that is done over and over.

    Attributes:
        first: what the first time takes beyond the others: building and compiling.
        each: every time, that one too.
    """

    first: float = 0.0
    each: float = 0.0

    def seconds(self, count: int) -> float:
        """Of so many times; nothing is built for none."""
        return self.first + count * self.each if count else 0.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take on this machine.

    Attributes:
        seconds: of each part of the run, in order.
        memory_bytes: of each part of what is in memory at its peak; empty where that cannot be told.
    """

    seconds: Mapping[str, float]
    memory_bytes: Mapping[str, int]

    @property
    def total_seconds(self) -> float:
        """Of the whole run."""
        return sum(self.seconds.values())

    @property
    def peak_bytes(self) -> int:
        """In memory at once."""
        return sum(self.memory_bytes.values())

    def __str__(self) -> str:
        times = [f"{name} {_rounded(seconds)}" for name, seconds in self.seconds.items() if seconds]
        lines = [f"about {spoken(self.total_seconds)} here: {', '.join(times)}"]
        if self.memory_bytes:
            held = [f"{name} {format_scaled(size)}B" for name, size in self.memory_bytes.items()]
            lines.append(f"about {format_scaled(self.peak_bytes)}B of memory: {', '.join(held)}")
        return "\n".join(lines)

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "seconds": {"total": self.total_seconds, **self.seconds},
            "memory_bytes": {"total": self.peak_bytes, **self.memory_bytes} if self.memory_bytes else None,
        }


def _rounded(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"


def spoken(seconds: float) -> str:
    """`45 s`, `12 min`, `3.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
