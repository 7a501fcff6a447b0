"""The learning-rate range test: the rate rises from step to step until the loss no longer falls. It leaves no trace.

Losses of single batches differ more than a few steps change them. So the same batches, with the same random numbers in
the layers, are looked at twice, without learning and with it, and what counts is the difference.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np

from transfer.errors import Problem, TrainingError
from transfer.labellings import Labelling
from transfer.recipes import Stage
from transfer.training.batching import Batching
from transfer.training.stepping import Stepping, assign_values, copy_values

STEPS = 60
LOWEST, HIGHEST = 1e-7, 1.0
SAFE = 1e-5  # where there is no time to look for one
_MARGIN = 10.0  # a rate so much below the one where the loss is lowest is still on its way down
_SMOOTHING = 0.8  # share of the past in the running mean


def find_rate(
    model: keras.Model,
    labelling: Labelling,
    batching: Batching,
    stage: Stage,
    *,
    steps: int = STEPS,
    deadline: float | None = None,
) -> float:
    """The rate that a range test from `LOWEST` to `HIGHEST` suggests.

    Weights, random generators and the order of examples are afterwards what they were, to the bit; the optimizer is
    one of its own.

    Args:
        model: features to logits; what is trainable is set already.
        labelling: what its logits say.
        batching: the run's; the batches of its first epochs are taken.
        stage: its rate does not matter.
        steps: at most so many.
        deadline: of `time.monotonic`; where the test would take more than half of the time until then, it is given up,
            and the rate is `SAFE`.

    Raises:
        TrainingError: if the first step is not finite, at the lowest rate already.

    Source: Smith (2017), section 3.3, but for the second look.
    """
    stepping = Stepping(model, labelling, replace(stage, rate=LOWEST, ema=0.0), highest_rate=HIGHEST)
    rates = [float(rate) for rate in np.geomspace(LOWEST, HIGHEST, steps)]
    learning = _losses(stepping, batching, rates, _quarter(deadline))
    if learning is None:
        return SAFE
    if not learning:
        raise TrainingError(
            "The loss is not finite at the start, so no rate can be found.",
            [Problem("first step", "a finite loss", "none")],
            "look for values that are not finite among the inputs and weights",
        )
    resting = _losses(stepping, batching, [0.0] * len(learning), _quarter(deadline))
    if resting is None:
        return SAFE
    return suggest_rate(rates, [after - before for after, before in zip(learning, resting, strict=False)])


def suggest_rate(rates: Sequence[float], changes: Sequence[float]) -> float:
    """A tenth of the rate at which the running mean of the changes is lowest, and at least the lowest rate.

    Args:
        rates: rising.
        changes: of the loss of a batch through the steps before it, at each rate, until one was not finite.
    """
    lowest, mean, best = 0.0, 0.0, rates[0]
    for rate, change in zip(rates, changes, strict=False):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * change
        if mean < lowest:
            lowest, best = mean, rate
    return max(best / _MARGIN, rates[0])


def _quarter(deadline: float | None) -> float | None:
    """When a quarter of the time until a deadline is over."""
    now = time.monotonic()
    return None if deadline is None else now + (deadline - now) / 4


def _losses(stepping: Stepping, batching: Batching, rates: Sequence[float], until: float | None) -> list[float] | None:
    """The loss of each step until one is not finite; None where time ran out. All variables are then what they were."""
    variables = [*stepping.model.variables, *stepping.own_variables]
    before, losses = copy_values(variables), list[float]()
    try:
        for place, rate in enumerate(rates):
            if until is not None and stepping.agree(time.monotonic() >= until):
                return None
            epoch, step = divmod(place, batching.steps)
            taken = stepping.take(batching.chunk(epoch + 1, step), [rate])
            if not taken.finite:
                break
            losses += map(stepping.losses.weighed, taken.losses)
    finally:
        assign_values(variables, before)
    return losses
