"""Going on from a solved head: Adam at a small rate on the unfrozen layers. The simple form.

The order of examples comes from (seed, epoch), so that a run repeats. `trainable=False` on each batch norm is what
holds its statistics still; frozen dropout and noise are switched off while the rest is trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.errors import TrainingError
from transfer.models.variables import name_variables
from transfer.recipes import Stage
from transfer.specs import Progress, silent


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the training examples gave.

    Attributes:
        number: from 1.
        loss: mean cross-entropy, in nats an example.
        updates: for each layer that is trained, how far the last step moved its weights: norm of the change over the
            norm of the weights. Biases and scales are left out.
    """

    number: int
    loss: float
    updates: Mapping[str, float] = field(default_factory=dict)


def tune(
    network: keras.Model,
    inputs: NDArray[Any],
    labels: NDArray[np.integer[Any]],
    stage: Stage,
    *,
    seed: int,
    progress: Progress = silent,
) -> tuple[Epoch, ...]:
    """Train a network's trainable variables in place.

    Args:
        network: raw input to logits (n, k); what is trainable is set already.
        inputs: (n, …), as the network takes them.
        labels: (n,), each in 0 … k - 1.
        stage: epochs, rate, batch size.
        seed: of the order of examples, and of layers that draw random numbers.
        progress: told of each epoch.

    Raises:
        TrainingError: if the loss stops being finite; the network keeps the values it had before that step.
    """
    keras.utils.set_random_seed(seed)
    optimizer = keras.optimizers.Adam(stage.rate)
    optimizer.build(network.trainable_variables)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(batch: Any, wanted: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(wanted, network(batch, training=True))
        gradients = tape.gradient(loss, network.trainable_variables)
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(each)) for each in [loss, *gradients]])
        if finite:
            optimizer.apply(gradients, network.trainable_variables)
        return loss, finite

    history = []
    weights = _trained_weights(network)
    with _stilled(network):
        for epoch in range(1, stage.epochs + 1):
            order = np.random.default_rng((seed, epoch)).permutation(len(labels))
            total = 0.0
            for start in range(0, len(order), stage.batch_size):
                chosen = order[start : start + stage.batch_size]
                before = _copied(weights) if start + stage.batch_size >= len(order) else {}
                loss, finite = step(
                    tf.convert_to_tensor(inputs[chosen], tf.float32), tf.convert_to_tensor(labels[chosen])
                )
                if not bool(finite):
                    raise TrainingError(
                        f"The loss stopped being finite in epoch {epoch}; the last finite values were kept.",
                        next_step="choose a smaller rate",
                    )
                total += float(loss) * len(chosen)
            history.append(Epoch(epoch, total / len(order), _moved(before, _copied(weights))))
            progress(f"tuning, loss {history[-1].loss:.4f}", epoch, stage.epochs)
    return tuple(history)


def _trained_weights(network: keras.Model) -> dict[str, list[Any]]:
    """Kernels and what else has at least two axes, by the layer that holds them."""
    trained, found = {id(each) for each in network.trainable_variables}, dict[str, list[Any]]()
    for name, variable in name_variables(network).items():
        if id(variable) in trained and len(variable.shape) >= 2:
            found.setdefault(name.rpartition("/")[0], []).append(variable)
    return found


def _copied(weights: Mapping[str, list[Any]]) -> dict[str, NDArray[np.float32]]:
    return {
        layer: np.concatenate([np.asarray(each, np.float32).ravel() for each in variables])
        for layer, variables in weights.items()
    }


def _moved(before: Mapping[str, NDArray[Any]], after: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """Norm of the change over the norm before it; 0 where the weights were."""
    norms = {layer: float(np.linalg.norm(values)) for layer, values in before.items()}
    return {
        layer: float(np.linalg.norm(after[layer] - values)) / norms[layer] if norms[layer] else 0.0
        for layer, values in before.items()
    }


@contextmanager
def _stilled(network: keras.Model) -> Iterator[None]:
    """Let frozen layers that draw random numbers pass their input on, as they did when the features were computed.

    Keras looks at `training` alone there, not at `trainable`.
    """
    kept = [
        (layer, name, getattr(layer, name))
        for layer in network._flatten_layers()
        for name in ("rate", "stddev")
        if not layer.trainable and getattr(layer, name, None)
    ]
    for layer, name, _ in kept:
        setattr(layer, name, 0.0)
    try:
        yield
    finally:
        for layer, name, value in kept:
            setattr(layer, name, value)
