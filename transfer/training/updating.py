"""Optimizers that scale each variable's own update: its share of the rate, and of the decay.

With the rate r and, for one variable w, its share s and its decay d, a step is

    w <- w - s r d w,    then    w <- w + s (what the optimizer makes of the gradient at the rate r)

A smaller gradient would not do: Adam divides by its size. TensorFlow's fused kernels do it in one pass over the memory;
Keras's optimizers, which know no shares either, take about ten.

Sources: Howard & Ruder (2018), section 3.2; Loshchilov & Hutter (2019), section 2; Kingma & Ba (2015), algorithm 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from transfer.recipes import Stage
from transfer.training.devices import assign_here, handle_of, read_here

_NEVER_DECAYED = frozenset({"bias", "gamma", "beta"})
_BETA_1, _BETA_2, _EPSILON = np.float32(0.9), np.float32(0.999), 1e-7
_HIGHEST_RATE = 1e3


@dataclass(frozen=True, slots=True)
class Target:
    """A variable that is trained.

    Attributes:
        variable: of TensorFlow or Keras.
        share: of the rate.
        decay: a step, times the rate.
    """

    variable: Any
    share: float
    decay: float

    @property
    def dtype(self) -> Any:
        """TensorFlow's."""
        return tf.as_dtype(self.variable.dtype)


class Optimizer(ABC):
    """Updates variables in place from their gradients.

    Attributes:
        targets: in the order of the gradients.
        variables: its own: the number of steps taken, and what it remembers of the gradients before.
    """

    _memories = 0  # variables of a target's shape that it needs for each

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = tuple(targets)
        self._taken = tf.Variable(0, dtype=tf.int64, trainable=False, name="steps")
        self._kept = [
            [tf.Variable(tf.zeros(each.variable.shape, each.dtype), trainable=False) for _ in range(self._memories)]
            for each in self.targets
        ]
        self.variables = [self._taken, *(each for kept in self._kept for each in kept)]

    def apply(self, gradients: Sequence[Any], rate: Any) -> None:
        """One step.

        Args:
            gradients: of each target; None for one that nothing depends on, which is left alone.
            rate: the learning rate.
        """
        assign_here(self._taken, read_here(self._taken) + 1)
        factor = self._factor(tf.cast(read_here(self._taken), tf.float64))
        for target, kept, gradient in zip(self.targets, self._kept, gradients, strict=True):
            if gradient is None:
                continue
            own = tf.cast(rate, target.dtype) * target.share
            if target.decay:
                value = read_here(target.variable)
                assign_here(target.variable, value - value * (own * target.decay))
            own = tf.cast(tf.cast(rate, tf.float64) * factor, target.dtype) * target.share
            self._update(target, kept, tf.cast(gradient, target.dtype), own)

    def _factor(self, _step: Any) -> Any:
        """On the rate, in the step of a number from 1."""
        return tf.ones((), tf.float64)

    @abstractmethod
    def _update(self, target: Target, kept: Sequence[Any], gradient: Any, rate: Any) -> None:
        """Of one variable, at its share of the rate."""


class Adam(Optimizer):
    """Adam; each step moves a weight by less than ten times the rate."""

    _memories = 2

    def __init__(self, targets: Sequence[Target], beta_1: float = float(_BETA_1)) -> None:
        super().__init__(targets)
        self._beta_1 = np.float32(beta_1)

    def _factor(self, step: Any) -> Any:
        """Corrects both means for their start at 0; in double precision, where nothing is lost in the differences."""
        return tf.sqrt(1 - _BETA_2.astype(np.float64) ** step) / (1 - self._beta_1.astype(np.float64) ** step)

    def _update(self, target: Target, kept: Sequence[Any], gradient: Any, rate: Any) -> None:
        tf.raw_ops.ResourceApplyAdam(
            var=handle_of(target.variable),
            m=handle_of(kept[0]),
            v=handle_of(kept[1]),
            beta1_power=tf.zeros((), target.dtype),
            beta2_power=tf.zeros((), target.dtype),
            lr=rate,
            beta1=tf.cast(self._beta_1, target.dtype),
            beta2=tf.cast(_BETA_2, target.dtype),
            epsilon=tf.cast(_EPSILON, target.dtype),
            grad=gradient,
        )


class Descent(Optimizer):
    """Stochastic gradient descent without momentum."""

    def _update(self, target: Target, _kept: Sequence[Any], gradient: Any, rate: Any) -> None:
        tf.raw_ops.ResourceApplyGradientDescent(var=handle_of(target.variable), alpha=rate, delta=gradient)


class Momentum(Optimizer):
    """Stochastic gradient descent with momentum: v <- momentum v - rate g, then w <- w + v."""

    _memories = 1

    def __init__(self, targets: Sequence[Target], momentum: float) -> None:
        super().__init__(targets)
        self._momentum = momentum

    def _update(self, target: Target, kept: Sequence[Any], gradient: Any, rate: Any) -> None:
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=handle_of(target.variable),
            accum=handle_of(kept[0]),
            lr=rate,
            grad=gradient,
            momentum=tf.cast(self._momentum, target.dtype),
        )


def make_optimizer(stage: Stage, variables: Mapping[str, Any], shares: Mapping[str, float]) -> Optimizer:
    """The optimizer that a stage asks for.

    Args:
        stage: its rate does not matter.
        variables: those that are trained, by name, in the order in which their gradients come.
        shares: of the rate, by the same names; 1 where a name is missing.
    """
    targets = [
        Target(each, shares.get(name, 1.0), stage.weight_decay * is_decayed(name, len(each.shape)))
        for name, each in variables.items()
    ]
    if stage.optimizer != "sgd":
        return Adam(targets)
    return Momentum(targets, stage.momentum) if stage.momentum else Descent(targets)


def is_decayed(name: str, axes: int) -> bool:
    """Whether weight decay holds for a variable: kernels and embeddings, not biases, scales and offsets."""
    return axes >= 2 and name.rpartition("/")[2] not in _NEVER_DECAYED


def may_overflow(targets: Sequence[Target], rate: float) -> bool:
    """Whether gradients whose squares have a finite sum can take finite weights out of their type in a step.

    Such a gradient of single precision is below 2.7e19. At rates up to 1,000 weights then stay below 3e38 for a hundred
    million steps of gradient descent with any momentum, and for ever more of Adam's; a decay takes off no more than
    what is there.

    Args:
        targets: of an optimizer.
        rate: the highest that any step has.
    """
    decay = max(each.decay for each in targets)
    is_narrow = any(each.dtype not in (tf.float32, tf.float64) for each in targets)
    return is_narrow or rate > _HIGHEST_RATE or rate * decay > 1
