"""One step of pretraining: every player's loss, gradients and update, in turn, as one function.

A player whose loss or gradients are not finite moves nothing, nor does who comes after him in that step. Whatever is
drawn comes from the seed and the number of the step, so that nothing has to be kept of generators.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.models.variables import name_variables
from transfer.training.pretraining.objectives import Batch, Objective, Player
from transfer.training.updating import Adam, Target, is_decayed, may_overflow


@dataclass(frozen=True, slots=True)
class Taken:
    """What a step came to.

    Attributes:
        measures: of all players.
        finite: whether all was, the weights after it among that. If not, no weight that is trained has been moved by
            whom it went wrong for.
    """

    measures: tuple[float, ...]
    finite: bool


class Steps:
    """Takes an objective's steps, in place.

    Attributes:
        measures: names of what a step tells, the first player's first; `player/measure` where there are several.
        variables: all that a step changes, in an order that the objective settles.
    """

    def __init__(
        self,
        objective: Objective,
        rows: NDArray[np.float32],
        *,
        seed: int,
        weight_decay: float = 0.0,
        highest_rate: float = 0.0,
    ) -> None:
        """Set it up.

        Args:
            objective: what is trained.
            rows: some, as many as a batch has; nothing is learnt from them.
            seed: of what is drawn.
            weight_decay: of kernels.
            highest_rate: of all steps; weights are looked at after a step where it could make them overflow.
        """
        self._objective, self._seed = objective, seed
        self._moved = [_moved_by(player) for player in objective.players]
        self._optimizers = [
            Adam(
                [
                    Target(each, player.rate_share, weight_decay * is_decayed(name, len(each.shape)))
                    for name, each in moved.items()
                ],
                player.beta_1,
            )
            for player, moved in zip(objective.players, self._moved, strict=True)
        ]
        self._guarded = [may_overflow(each.targets, highest_rate) for each in self._optimizers]
        held = [each for model in objective.models.values() for each in model.variables]
        own = [each for optimizer in self._optimizers for each in optimizer.variables]
        self.variables = [*held, *objective.variables, *own]
        self._drifting = [each for model in objective.models.values() for each in model.non_trainable_variables]
        self.measures: tuple[str, ...] = ()
        shapes = (tf.TensorSpec(rows.shape, tf.float32), tf.TensorSpec((), tf.float32), tf.TensorSpec((), tf.int32))
        self._step = tf.function(self._take).get_concrete_function(*shapes)

    def take(self, rows: NDArray[np.float32], rate: float, number: int) -> Taken:
        """One step.

        Args:
            rows: (b, …).
            rate: the learning rate.
            number: of the step, from 0 over the whole run.
        """
        found, finite = self._step(tf.constant(rows), tf.constant(rate, tf.float32), tf.constant(number, tf.int32))
        return Taken(tuple(np.asarray(found, np.float64).tolist()), bool(finite))

    def drifting(self) -> list[NDArray[Any]]:
        """Statistics that a step moves without gradients, as they are now."""
        return [np.array(keras.ops.convert_to_numpy(each)) for each in self._drifting]

    def put_back(self, values: list[NDArray[Any]]) -> None:
        """Give these statistics values that they had, where those they have are not finite."""
        for variable, value in zip(self._drifting, values, strict=True):
            if not np.isfinite(np.asarray(keras.ops.convert_to_numpy(variable), np.float64)).all():
                variable.assign(value)

    def _take(self, rows: Any, rate: Any, number: Any) -> tuple[Any, Any]:
        """One step as operations; what it tells is named as they are made."""
        finite, told, names = tf.constant(True), list[Any](), list[str]()
        for place, (player, moved) in enumerate(zip(self._objective.players, self._moved, strict=True)):
            seed = tf.random.experimental.stateless_fold_in(tf.constant([_signed(self._seed), place], tf.int32), number)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                values = [each.value for each in moved.values()]
                tape.watch(values)
                found = player.loss(Batch(rows, seed))
            measures = list(found.values())
            gradients = tape.gradient(measures[0], values)
            finite &= tf.math.is_finite(measures[0]) & _are_finite(gradients)
            finite = tf.cond(finite, partial(self._apply, place, gradients, rate), lambda: tf.constant(False))
            told += [tf.cast(each, tf.float32) for each in measures]
            names += [name if len(self._moved) == 1 else f"{player.name}/{name}" for name in found]
        self.measures = tuple(names)
        return tf.stack(told), finite

    def _apply(self, place: int, gradients: list[Any], rate: Any) -> Any:
        """Move what a player moves; whether all of it is finite after that. If not, it is as it was."""
        optimizer, variables = self._optimizers[place], list(self._moved[place].values())
        if not self._guarded[place]:
            optimizer.apply(gradients, rate)
            return tf.constant(True)
        before = [tf.identity(each.value) for each in variables]
        with tf.control_dependencies(before):
            optimizer.apply(gradients, rate)
        is_whole = tf.reduce_all([tf.reduce_all(tf.math.is_finite(each.value)) for each in variables])
        for variable, value in zip(variables, before, strict=True):
            variable.assign(tf.where(is_whole, variable.value, value))
        return is_whole


def _signed(seed: int) -> int:
    """One to one, as 32 bits with a sign."""
    return int(np.array(seed, np.uint32).view(np.int32))


def _are_finite(gradients: list[Any]) -> Any:
    """Whether those are that there are, and the sum of their squares."""
    there = [tf.cast(each, tf.float32) for each in gradients if each is not None]
    return tf.math.is_finite(tf.linalg.global_norm(there))


def _moved_by(player: Player) -> dict[str, Any]:
    """The trainable weights of his models, by model and name."""
    return {
        f"{place}/{name}": each
        for place, model in enumerate(player.models)
        for name, each in name_variables(model).items()
        if each.trainable
    }
