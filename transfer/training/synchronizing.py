"""Batch normalization over a batch that several devices share: its mean and variance are of the whole batch.

With rows x_i of weight w_i, 0 where they are masked and else 1, and sums over all devices,

    n = sum w_i        m = (sum w_i x_i) / n        v = (sum w_i (x_i - m)^2) / n

Keras's own layers take v = (sum x_i^2) / n - m^2, where most digits are lost if m is large beside the spread: on
pictures the statistics of one device and of two then differ in the third digit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from transfer.training.devices import strategy_of


@contextmanager
def synchronized(model: keras.Model) -> Iterator[None]:
    """Let batch normalizations that are trained see the whole batch for a while, not their device's part alone."""
    is_shared = strategy_of(model.variables) is not None
    norms = [
        layer
        for layer in (model._flatten_layers() if is_shared else ())
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable and not layer.synchronized
    ]
    for layer in norms:
        layer.synchronized = True
        vars(layer)["_moments"] = partial(_moments, layer, layer._moments)
    try:
        yield
    finally:
        for layer in norms:
            layer.synchronized = False
            vars(layer).pop("_moments", None)


def _moments(layer: keras.layers.BatchNormalization, own: Callable[[Any, Any], Any], inputs: Any, mask: Any) -> Any:
    """(mean, variance), each (channels,), over all devices.

    Args:
        layer: that asks.
        own: what it does alone.
        inputs: (b, …), this device's part.
        mask: (b, …) without channels; None for none.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return own(inputs, mask)
    axes, kind = list(layer._reduction_axes), inputs.dtype
    rows = tf.cast(inputs, tf.float32) if kind.size < 4 else inputs
    weights = tf.ones_like(rows) if mask is None else tf.cast(tf.expand_dims(mask, -1), rows.dtype) * tf.ones_like(rows)
    sums = [tf.reduce_sum(each, axes) for each in (weights, weights * rows)]
    count, total = context.all_reduce("sum", sums)
    mean = tf.math.divide_no_nan(total, count)
    shape = [1 if axis in axes else -1 for axis in range(len(rows.shape))]
    spread = tf.reduce_sum(weights * tf.math.squared_difference(rows, tf.reshape(mean, shape)), axes)
    variance = tf.math.divide_no_nan(context.all_reduce("sum", spread), count)
    return tf.cast(mean, kind), tf.cast(variance, kind)
