"""Gradients of a live model's weights, a batch at a time, in inference mode: nothing of the model changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Loss = Literal["softmax", "sigmoid"]
Compute = Callable[[NDArray[Any], NDArray[np.integer[Any]]], "BatchGradients"]


@dataclass(frozen=True, slots=True)
class BatchGradients:
    """What one batch gave.

    Attributes:
        layers: for each layer the gradients of its weights, of their shapes.
        loss: mean cross-entropy over the examples, in nats.
        error: mean over the examples of the norm of the loss's derivative by the logits.
    """

    layers: Mapping[str, tuple[NDArray[np.float32], ...]]
    loss: float
    error: float


def norms(weights: Mapping[str, Iterable[Any]]) -> dict[str, float]:
    """Norm of each layer's weights."""
    return {
        layer: float(
            np.sqrt(sum(float(tf.reduce_sum(tf.square(tf.cast(each.value, tf.float64)))) for each in variables))
        )
        for layer, variables in weights.items()
    }


def stream_gradients(
    model: keras.Model,
    loss: Loss,
    weights: Mapping[str, list[Any]],
    batches: Iterable[tuple[NDArray[Any], NDArray[np.integer[Any]]]],
) -> Iterator[BatchGradients]:
    """The gradients for each batch; frozen weights have theirs too.

    Args:
        model: one input to logits (n, k); a single logit is that of the second of two classes.
        loss: cross-entropy of a softmax over the logits, or the sum of those of a sigmoid on each.
        weights: of each layer; those that the loss does not depend on are left out of what is given.
        batches: inputs (n, …) as the model takes them, and labels (n,).
    """
    watched = [variable.value for variables in weights.values() for variable in variables]

    def step(batch: Any, wanted: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(watched)
            logits = tf.cast(model(batch, training=False), tf.float32)
            each, error = _cross_entropy(logits, wanted, loss)
            mean = tf.reduce_mean(each)
        found = tape.gradient(mean, watched)
        dense = [None if one is None else tf.cast(tf.convert_to_tensor(one), tf.float32) for one in found]
        return dense, mean, tf.reduce_mean(tf.norm(error, axis=-1))

    shape = tf.TensorSpec([None, *model.inputs[0].shape[1:]], tf.float32)
    run = tf.function(step, autograph=False).get_concrete_function(shape, tf.TensorSpec([None], tf.int64))
    for batch, labels in batches:
        dense, mean, error = run(tf.convert_to_tensor(batch, tf.float32), tf.convert_to_tensor(labels, tf.int64))
        rest = iter(dense)
        layers = {layer: [next(rest) for _ in variables] for layer, variables in weights.items()}
        reached = {
            layer: tuple(np.asarray(one) for one in each if one is not None)
            for layer, each in layers.items()
            if any(one is not None for one in each)
        }
        yield BatchGradients(reached, float(mean), float(error))


def _cross_entropy(logits: Any, wanted: Any, loss: Loss) -> tuple[Any, Any]:
    """(n,) of the loss, and (n, k) of its derivative by the logits."""
    k = logits.shape[-1]
    truth = tf.cast(wanted[:, None], tf.float32) if k == 1 else tf.one_hot(wanted, k)
    if loss == "softmax" and k > 1:
        return tf.nn.softmax_cross_entropy_with_logits(truth, logits), tf.nn.softmax(logits) - truth
    each = tf.nn.sigmoid_cross_entropy_with_logits(truth, logits)
    return tf.reduce_sum(each, axis=-1), tf.sigmoid(logits) - truth
