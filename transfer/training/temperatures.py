"""A temperature for logits: dividing by it changes no answer, and makes probabilities as sure as they should be.

Training by small steps makes a network too sure of itself long before its answers get worse. So the loss of two sets of
weights is compared at the temperature that suits each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.training.validating import score_logits

_LOGARITHMS = np.linspace(-3, 3, 121)


@dataclass(frozen=True, slots=True)
class Tempered:
    """The temperature that suits some logits.

    Attributes:
        temperature: to divide them by; from 0.05 to 20.
        loss: cross-entropy at it, in nats an example; infinite where logits are not finite.
    """

    temperature: float
    loss: float


def find_temperature(logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> Tempered:
    """The temperature T at the largest posterior, log T being standard normal before the examples are seen.

    Without that, a few examples that are all answered rightly would be answered with certainty.

    Args:
        logits: (n, k), n > 0.
        labels: (n,), each in 0 … k - 1.

    Source: Guo et al. (2017), "On calibration of modern neural networks", section 4.2, but for the prior.
    """
    if not np.isfinite(logits).all():
        return Tempered(1.0, float("inf"))
    losses = [float(score_logits(logits / np.exp(each), labels)[0].mean()) for each in _LOGARITHMS]
    best = int(np.argmin(losses + _LOGARITHMS**2 / (2 * len(labels))))
    return Tempered(float(np.exp(_LOGARITHMS[best])), losses[best])
