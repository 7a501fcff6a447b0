"""Batch normalization that has seen no data yet, which is given the statistics of some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


def calibrate(model: keras.Model, load: Callable[[], NDArray[Any]]) -> tuple[str, ...]:
    """Let each batch normalization that still holds its initial statistics take those of a batch, as in training.

    All of them work on the batch's statistics in that one pass, so each sees what training would show it. Dropout and
    noise are off meanwhile.

    Args:
        model: is changed; every layer holds its old options again afterwards.
        load: gives some examples (n, …), as the model takes them; it is called where they are needed.

    Returns:
        Names of the layers that took them: all or none.
    """
    norms = [each for each in model._flatten_layers() if isinstance(each, keras.layers.BatchNormalization)]
    if not norms or not all(map(_is_fresh, norms)):
        return ()
    batch = tf.convert_to_tensor(load(), tf.float32)
    options = [(norm, name, getattr(norm, name)) for norm in norms for name in ("momentum", "trainable")]
    options += [
        (layer, name, getattr(layer, name))
        for layer in model._flatten_layers()
        for name in ("rate", "stddev")
        if isinstance(getattr(layer, name, None), float)
    ]
    try:
        for owner, name, _ in options:
            setattr(owner, name, True if name == "trainable" else 0.0)
        model(batch, training=True)
    finally:
        for owner, name, value in options:
            setattr(owner, name, value)
    return tuple(norm.name for norm in norms)


def _is_fresh(norm: keras.layers.BatchNormalization) -> bool:
    mean, variance = (np.asarray(each) for each in (norm.moving_mean, norm.moving_variance))
    return bool((mean == 0).all() and (variance == 1).all())
