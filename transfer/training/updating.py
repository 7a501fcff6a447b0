"""Optimizers that scale each variable's own update: its share of the rate, and of the decay.

With the rate r and, for one variable w, its share s and its decay d, a step is

    w <- w - s r d w,    then    w <- w + s (what the optimizer makes of the gradient at the rate r)

A smaller gradient would not do: Adam divides by its size. Keras's own weight decay knows no shares and is left off.

Sources: Howard & Ruder (2018), section 3.2; Loshchilov & Hutter (2019), section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from transfer.recipes import Stage

_NEVER_DECAYED = frozenset({"bias", "gamma", "beta"})


class _Shared:
    """What the optimizers below have in common; stands before Keras's own class.

    Attributes:
        shares: of the rate, for each variable in the order in which they are built.
        decays: of each variable, a step, times the rate.
    """

    def __init__(self, learning_rate: float, *, shares: Sequence[float], decays: Sequence[float], **options: Any):
        super().__init__(learning_rate, **options)  # type: ignore[call-arg]
        self.shares, self.decays = tuple(shares), tuple(decays)

    def build(self, variables: list[Any]) -> None:
        """Make the optimizer's own variables.

        Raises:
            ValueError: if there is not one share and one decay for each.
        """
        if not len(variables) == len(self.shares) == len(self.decays):
            counts = f"{len(self.shares)} shares and {len(self.decays)} decays"
            raise ValueError(f"{len(variables)} variables, but {counts}")
        super().build(variables)  # type: ignore[misc]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One variable's decay and update, at its share of the rate."""
        place = self._get_variable_index(variable)  # type: ignore[attr-defined]
        rate = keras.ops.cast(learning_rate, variable.dtype) * self.shares[place]
        if self.decays[place]:
            self.assign_sub(variable, variable * (rate * self.decays[place]))  # type: ignore[attr-defined]
        super().update_step(gradient, variable, rate)  # type: ignore[misc]

    def get_config(self) -> dict[str, Any]:
        """What makes the same optimizer again."""
        config: dict[str, Any] = super().get_config()  # type: ignore[misc]
        return {**config, "shares": list(self.shares), "decays": list(self.decays)}


@keras.saving.register_keras_serializable("transfer")
class SharedAdam(_Shared, keras.optimizers.Adam):  # type: ignore[misc]
    """Adam with a share of the rate, and a decoupled decay, for each variable."""


@keras.saving.register_keras_serializable("transfer")
class SharedSGD(_Shared, keras.optimizers.SGD):  # type: ignore[misc]
    """Stochastic gradient descent likewise."""


def make_optimizer(
    stage: Stage, variables: Mapping[str, Any], shares: Mapping[str, float]
) -> keras.optimizers.Optimizer:
    """The optimizer that a stage asks for, built.

    Args:
        stage: its rate is a number.
        variables: those that are trained, by name, in the order in which their gradients come.
        shares: of the rate, by the same names; 1 where a name is missing.
    """
    options: dict[str, Any] = {
        "shares": [shares.get(name, 1.0) for name in variables],
        "decays": [stage.weight_decay * is_decayed(name, len(each.shape)) for name, each in variables.items()],
    }
    rate = float(stage.rate)
    if stage.optimizer == "sgd":
        optimizer = SharedSGD(rate, momentum=stage.momentum, name="sgd", **options)
    else:
        optimizer = SharedAdam(rate, name="adam", **options)
    optimizer.build(list(variables.values()))
    return optimizer


def is_decayed(name: str, axes: int) -> bool:
    """Whether weight decay holds for a variable: kernels and embeddings, not biases, scales and offsets."""
    return axes >= 2 and name.rpartition("/")[2] not in _NEVER_DECAYED
