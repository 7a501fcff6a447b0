"""The learning rate at each step."""

from __future__ import annotations

from math import cos, pi

from transfer.recipes import Stage

DROPS = (3, 6, 9)  # tenths of the steps after which the rate falls to a tenth


def rate_at(stage: Stage, step: int, steps: int) -> float:
    """The rate with which a step is taken.

    With s steps, of which the first w = round(warmup * s) warm up, the rate at its highest is r and

        step < w      r * (step + 1) / w
        constant      r
        linear        r * (1 - p)               where p = (step - w) / (s - w)
        cosine        r * (1 + cos(pi p)) / 2
        steps         r / 10 for each of 30, 60 and 90 % of s that have passed

    Args:
        stage: its rate is a number.
        step: from 0.
        steps: all there are.

    Raises:
        ValueError: if there is no such step, or the rate has not been found yet.

    Sources: Goyal et al. (2017), section 2.2; Loshchilov & Hutter (2017), section 3; Kolesnikov et al. (2020),
        section 3.3.
    """
    if not 0 <= step < steps:
        raise ValueError(f"step {step} of {steps}")
    if isinstance(stage.rate, str):
        raise ValueError(f"the rate is a number here, not {stage.rate!r}")
    warming = round(stage.warmup * steps)
    if step < warming:
        return stage.rate * ((step + 1) / warming)
    return stage.rate * _share(stage.schedule, step, steps, warming)


def _share(schedule: str, step: int, steps: int, warming: int) -> float:
    passed = (step - warming) / (steps - warming)
    if schedule == "linear":
        return 1 - passed
    if schedule == "cosine":
        return (1 + cos(pi * passed)) / 2
    if schedule == "steps":
        return float(0.1 ** sum(10 * step >= tenths * steps for tenths in DROPS))
    return 1.0
