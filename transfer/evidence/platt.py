"""A slope and an offset for the logits of one label, that make its probabilities as sure as they should be.

    p = 1 / (1 + exp(-(slope f + offset)))

are the most likely ones when an example that has the label counts as (N+ + 1) / (N+ + 2) of one, and one that lacks it
as 1 / (N- + 2): so that few examples which are all answered rightly are not answered with certainty.

Source: Platt (1999), "Probabilistic outputs for support vector machines", section 2.2; Lin, Lin & Weng (2007), "A note
on Platt's probabilistic outputs for support vector machines", section 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.calibration_error import sigmoid
from transfer.evidence.resampling import Floats

_STEPS = 100
_FLAT = 1e-9  # slope of the loss, an example, at which it is solved
_RIDGE = 1e-12


def fit_platt(logits: Floats, has: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset, by Newton's method with steps that are halved until the loss falls enough.

    Args:
        logits: (n,), finite.
        has: (n,), whether an example has the label; some have, and some have not.
    """
    positives = int(has.sum())
    targets = np.where(has, (positives + 1) / (positives + 2), 1 / (len(has) - positives + 2))
    middle, spread = float(logits.mean()), float(logits.std()) or 1.0
    columns = np.stack([(logits - middle) / spread, np.ones(len(logits))], axis=1)
    found = np.array([0.0, np.log((positives + 1) / (len(has) - positives + 1))])
    for _ in range(_STEPS):
        p = sigmoid(columns @ found)
        slopes = columns.T @ (p - targets)
        if np.abs(slopes).max() < _FLAT * len(logits):
            break
        curvature = (columns * (p * (1 - p))[:, None]).T @ columns + _RIDGE * np.eye(2)
        found = _descend(columns, targets, found, np.asarray(np.linalg.solve(curvature, -slopes), np.float64), slopes)
    return float(found[0] / spread), float(found[1] - found[0] * middle / spread)


def _descend(columns: Floats, targets: Floats, found: Floats, step: Floats, slopes: Floats) -> Floats:
    """The first of `found + step`, `found + step / 2`, … at which the loss falls by enough."""
    before, fall = _loss(columns @ found, targets), float(slopes @ step)
    size = 1.0
    while size > 1e-10 and _loss(columns @ (found + size * step), targets) > before + 1e-4 * size * fall:
        size /= 2
    return found + size * step


def _loss(logits: Floats, targets: Floats) -> float:
    """Cross-entropy in nats: sum log(1 + exp(f)) - t f."""
    return float((np.logaddexp(0, logits) - targets * logits).sum())
