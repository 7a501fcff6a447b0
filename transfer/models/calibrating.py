"""Batch normalization that has seen no data yet, which is given the statistics of some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray

from transfer.models.walking_calls import walk_calls


def calibrate(model: keras.Model, load: Callable[[], NDArray[Any]]) -> tuple[str, ...]:
    """Let each batch normalization that still holds its initial statistics take those of a batch.

    They follow one another: each sees what training would show it, were nothing drawn. Everything runs as in inference,
    so that the same batch gives the same statistics.

    Args:
        model: with one input, nested models opened; is changed. Normalization inside other layers is left alone.
        load: gives some examples (n, …), as the model takes them; it is called where they are needed.

    Returns:
        Names of the layers that took them: all or none.
    """
    norms = [each for each in model.operations if isinstance(each, keras.layers.BatchNormalization)]
    if not norms or not all(map(_is_fresh, norms)):
        return ()

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(operation, keras.layers.BatchNormalization):
            _take(operation, args[0])
        if isinstance(operation, keras.layers.Layer):
            kwargs["training"] = False
        return operation(*args, **kwargs)

    walk_calls(model, tf.convert_to_tensor(load(), tf.float32), call)
    return tuple(norm.name for norm in norms)


def _take(norm: keras.layers.BatchNormalization, values: Any) -> None:
    """Statistics as training has them: those of what a mask lets through."""
    mask = getattr(values, "_keras_mask", None)
    mean, variance = norm._moments(keras.ops.cast(values, "float32"), mask)
    norm.moving_mean.assign(mean)
    norm.moving_variance.assign(variance)


def _is_fresh(norm: keras.layers.BatchNormalization) -> bool:
    mean, variance = (keras.ops.convert_to_numpy(each) for each in (norm.moving_mean, norm.moving_variance))
    return bool((mean == 0).all() and (variance == 1).all())
