"""Round numbers along a scale, and numbers as they are read."""

from __future__ import annotations

from math import floor, log10

_STEPS = (1, 2, 2.5, 5, 10)
_TICKS = 5
_LEAST = 1e-300


def spread_ticks(low: float, high: float) -> list[float]:
    """About five round numbers, the first not above `low` and the last not below `high`."""
    span = (high - low) or abs(high) or 1.0
    if not _LEAST < span < 1 / _LEAST:  # too near or too far apart to be counted in steps
        return [low, high] if low < high else [low, low + 1.0]
    size = 10.0 ** floor(log10(span / _TICKS))
    step = next(size * each for each in _STEPS if size * each * _TICKS >= span)
    first = floor(low / step + 1e-9)
    ticks = [first * step]
    while ticks[-1] < high - step * 1e-9:
        ticks.append((first + len(ticks)) * step)
    return ticks if len(ticks) > 1 else [*ticks, (first + 1) * step]


def number(value: float) -> str:
    """Three places after the point, or four digits where these are too few or too many."""
    return f"{value:.3f}" if value == 0 or 0.001 <= abs(value) < 1000 else f"{value:.4g}"
