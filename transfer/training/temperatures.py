"""A temperature for logits: dividing by it changes no answer, and makes probabilities as sure as they should be.

Training by small steps makes a network too sure of itself long before its answers get worse. So the loss of two sets of
weights is compared at the temperature that suits each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.labellings import Output
from transfer.training.labels import Labels, logit_places
from transfer.training.scoring_logits import score_output

_LOGARITHMS = np.linspace(-3, 3, 121)


@dataclass(frozen=True, slots=True)
class Tempered:
    """The temperatures that suit some logits.

    Attributes:
        temperatures: to divide those of each output by; from 0.05 to 20, and 1 for numbers.
        losses: of each output at them, in nats an example; infinite where logits are not finite.
        loss: their weighed sum.
    """

    temperatures: tuple[float, ...]
    losses: tuple[float, ...]
    loss: float


def find_temperatures(logits: NDArray[np.floating[Any]], labels: Labels) -> Tempered:
    """For each output the temperature T at the largest posterior, log T being standard normal beforehand.

    Without that, a few examples that are all answered rightly would be answered with certainty.

    Args:
        logits: (n, K), n > 0.
        labels: of n examples.

    Source: Guo et al. (2017), "On calibration of modern neural networks", section 4.2, but for the prior.
    """
    found = [
        find_temperature(output, logits[:, places], values)
        for output, places, values in zip(labels.labelling, logit_places(labels.labelling), labels.targets, strict=True)
    ]
    whole = sum(output.weight * loss for output, (_, loss) in zip(labels.labelling, found, strict=True))
    return Tempered(tuple(each for each, _ in found), tuple(each for _, each in found), float(whole))


def find_temperature(output: Output, logits: NDArray[Any], values: NDArray[Any]) -> tuple[float, float]:
    """The temperature of one output, and the loss at it: logits (n, k), and its labels."""
    if not np.isfinite(logits).all():
        return 1.0, float("inf")
    plain = score_output(output, logits, values)
    if output.kind == "regression" or not plain.known:
        return 1.0, plain.loss
    losses = [score_output(output, logits / np.exp(each), values).loss for each in _LOGARITHMS]
    best = int(np.argmin(losses + _LOGARITHMS**2 / (2 * plain.known)))
    return float(np.exp(_LOGARITHMS[best])), losses[best]
