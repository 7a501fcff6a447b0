"""One step: loss, gradients, update, moving average, as one function of the whole run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.graphs.blocks import head_of
from transfer.models.building import read_model
from transfer.models.variables import name_variables
from transfer.recipes import Stage
from transfer.training.batching import Batch
from transfer.training.layer_shares import layer_shares, shares_of
from transfer.training.losses import cross_entropy, distance_penalty
from transfer.training.updating import make_optimizer

_SEEDING = 2  # tells the seeds of layers from the draws of orders and mixing


class Stepping:
    """Takes a model's trainable variables from step to step, in place. They start, for L2-SP, where they are now.

    Attributes:
        model: features (b, …) to logits (b, k); regularizers of its layers are left out.
        trained: its trainable variables by name.
        optimizer: with all its variables.
        averages: the moving average of each that is trained; empty where the stage has none.
    """

    def __init__(self, model: keras.Model, stage: Stage) -> None:
        """Set everything up.

        Args:
            model: what is trainable is set already.
            stage: its rate is a number.

        Raises:
            ValueError: if nothing is trainable.
        """
        names = {id(variable): name for name, variable in name_variables(model).items()}
        self.model = model
        self.trained = {names[id(each)]: each for each in model.trainable_variables}
        if not self.trained:
            raise ValueError(f"nothing is trainable in {model.name!r}")
        self.optimizer = make_optimizer(stage, self.trained, _shares(model, self.trained, stage.layer_decay))
        self.averages = [tf.Variable(each) for each in copy_values([*self.trained.values()])] if stage.ema else []
        self._step = _make_step(self, stage)

    def take(self, batch: Batch, rate: float) -> tuple[float, bool]:
        """One step.

        Returns:
            The batch's cross-entropy, in nats an example; whether it and all it led to was finite. If not, all weights
            are what they were before.
        """
        self.optimizer.learning_rate = rate
        loss, finite = self._step(
            tf.convert_to_tensor(batch.features), tf.convert_to_tensor(batch.targets), tf.constant(batch.count)
        )
        return float(loss), bool(finite)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the moving averages in the place of the weights for a while."""
        kept = copy_values(list(self.trained.values())) if self.averages else []
        self.keep_averages()
        try:
            yield
        finally:
            if kept:
                assign_values(list(self.trained.values()), kept)

    def keep_averages(self) -> None:
        """Put the moving averages, where there are some, in the place of the weights."""
        if self.averages:
            assign_values(list(self.trained.values()), self.averages)


def copy_values(variables: Sequence[Any]) -> tuple[NDArray[Any], ...]:
    """The values of variables, apart from them."""
    return tuple(np.array(keras.ops.convert_to_numpy(each)) for each in variables)


def assign_values(variables: Sequence[Any], values: Sequence[Any]) -> None:
    """Give variables values, in their order."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def seed_layers(model: keras.Model, seed: int) -> None:
    """Let every layer that draws random numbers begin where the seed says, whatever it drew before."""
    weights = {id(each) for each in model.weights}
    states = [each for each in model.variables if id(each) not in weights]
    for place, state in enumerate(states):
        drawn = np.random.SeedSequence((seed, place, 0, _SEEDING)).generate_state(1)[0] >> 1  # fits signed types
        state.assign([int(drawn), 0])


def _shares(model: keras.Model, trained: Mapping[str, Any], decay: float) -> dict[str, float]:
    return shares_of(trained, layer_shares(read_model(model).graph, decay)) if decay != 1 else {}


def _make_step(stepping: Stepping, stage: Stage) -> Any:
    """A function of (features, targets, count) to (loss, whether all was finite)."""
    model, optimizer, averages = stepping.model, stepping.optimizer, stepping.averages
    trained = list(stepping.trained.values())
    followed = trained if averages else []
    pulled = _pulled(stepping) if stage.l2_sp else []
    starts = [tf.convert_to_tensor(value) for value in copy_values(pulled)]
    changing = [*trained, *_statistics(model)]

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(features: Any, targets: Any, count: Any) -> Any:
        before = [tf.identity(each) for each in changing]
        with tf.GradientTape() as tape:
            loss = cross_entropy(model(features, training=True), targets, count)
            whole = loss + distance_penalty(pulled, starts, stage.l2_sp)
        gradients = tape.gradient(whole, trained)
        finite = _are_finite([whole, *(each for each in gradients if each is not None)])
        if finite:
            _apply(optimizer, gradients, trained)
            finite = _are_finite(changing)
            for average, each in zip(averages, followed, strict=True):
                average.assign(stage.ema * average + (1 - stage.ema) * each)
        if not finite:
            for each, value in zip(changing, before, strict=True):
                each.assign(value)
        return loss, finite

    return step


def _pulled(stepping: Stepping) -> list[Any]:
    """What is trained and not of the head."""
    head = head_of(read_model(stepping.model).graph)
    return [each for name, each in stepping.trained.items() if not any(name.startswith(f"{path}/") for path in head)]


def _statistics(model: keras.Model) -> list[Any]:
    """What a step changes without a gradient: statistics of normalizations that are not frozen."""
    frozen = {id(each) for layer in model._flatten_layers() if not layer.trainable for each in layer.weights}
    return [each for each in model.non_trainable_weights if id(each) not in frozen]


def _apply(optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any]) -> None:
    """Update what has a gradient: an output that the logits do not depend on gives none."""
    pairs = [pair for pair in zip(gradients, variables, strict=True) if pair[0] is not None]
    optimizer.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])


def _are_finite(values: Sequence[Any]) -> Any:
    """Whether all are, and the sums of their squares too: Adam squares gradients. It takes no copy."""
    dense = [each.values if isinstance(each, tf.IndexedSlices) else each for each in values]
    floating = [tf.convert_to_tensor(each) for each in dense if tf.as_dtype(each.dtype).is_floating]
    return tf.reduce_all([tf.math.is_finite(tf.nn.l2_loss(_at_least_single(each))) for each in floating])


def _at_least_single(values: Any) -> Any:
    return values if values.dtype.size >= 4 else tf.cast(values, tf.float32)
