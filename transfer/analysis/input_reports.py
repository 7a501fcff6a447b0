"""What reaches a network's first layer that learns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from transfer.analysis.moments import Moments

_MOST_CHANNELS = 65_536  # that are reported one by one


@dataclass(frozen=True, slots=True)
class InputReport:
    """What reaches the first layer that learns.

    Attributes:
        mean: over all values.
        std: likewise.
        low: the smallest.
        high: the largest.
        channels: (mean, std) of each channel, or of each value of a vector.
    """

    mean: float
    std: float
    low: float
    high: float
    channels: tuple[tuple[float, float], ...] = field(default=(), repr=False)

    @property
    def rms(self) -> float:
        """Root mean square."""
        return math.hypot(self.mean, self.std)


def report_input(moments: Moments) -> InputReport:
    """What entered, from the moments of each channel."""
    whole = moments.pooled
    channels = zip(moments.mean.tolist(), moments.std.tolist(), strict=True)
    return InputReport(
        float(whole.mean[0]) if whole.count[0] else math.nan,
        float(whole.std[0]),
        float(whole.low[0]),
        float(whole.high[0]),
        tuple(channels) if moments.units <= _MOST_CHANNELS else (),
    )
