"""The line between the weights before and after tuning, and the point of it that validates best.

Source: Wortsman et al. (2022), "Robust fine-tuning of zero-shot models", section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.models.variables import assign_variables
from transfer.training.temperatures import Tempered

ALPHAS = tuple(place / 10 for place in range(11))
Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A point on the line.

    Attributes:
        alpha: 0 for the weights before, 1 for those after.
        tried: for each alpha, the temperatures that suit the model's logits there, and the validation loss at them.
    """

    alpha: float
    tried: Mapping[float, Tempered]


def interpolate(before: Weights, after: Weights, alpha: float) -> dict[str, NDArray[Any]]:
    """(1 - alpha) before + alpha after, each in its type; at 0 and 1 to the bit.

    What is no floating number is that before, save at 1.

    Raises:
        ValueError: if the two are not of the same names and shapes, or alpha is not in [0, 1].
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha lies in [0, 1]: {alpha}")
    if {name: each.shape for name, each in before.items()} != {name: each.shape for name, each in after.items()}:
        raise ValueError("the weights before and after are not the same tensors")
    return {name: _between(values, after[name], alpha) for name, values in before.items()}


def choose_alpha(losses: Mapping[float, float]) -> float:
    """The alpha of the lowest loss; the smallest of several, so that 0, the weights before, wins ties.

    Raises:
        ValueError: if 0 is not among them.
    """
    if 0.0 not in losses:
        raise ValueError("alpha 0, the weights before, takes part")
    return min((loss if isfinite(loss) else float("inf"), alpha) for alpha, loss in losses.items())[1]


def keep_best(
    model: keras.Model,
    before: Weights,
    after: Weights,
    measure: Callable[[], Tempered],
    *,
    alphas: Sequence[float] = ALPHAS,
) -> Chosen:
    """Give a model the weights on the line that validate best.

    Args:
        model: its variables have these names.
        before: of the probe, say.
        after: tuned from them.
        measure: validates the model as it is by then.
        alphas: the points to try, 0 among them.
    """
    tried = {}
    for alpha in alphas:
        assign_variables(model, interpolate(before, after, alpha))
        tried[alpha] = measure()
    chosen = choose_alpha({alpha: each.loss for alpha, each in tried.items()})
    assign_variables(model, interpolate(before, after, chosen))
    return Chosen(chosen, tried)


def _between(before: NDArray[Any], after: NDArray[Any], alpha: float) -> NDArray[Any]:
    if alpha in (0, 1) or not _is_floating(before):
        return after if alpha == 1 else before
    values = (1 - alpha) * before.astype(np.float64) + alpha * after.astype(np.float64)
    return values.astype(before.dtype)


def _is_floating(values: NDArray[Any]) -> bool:
    return np.issubdtype(values.dtype, np.floating) or values.dtype.name == "bfloat16"
