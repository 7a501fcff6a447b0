"""How far a step moves the weights of each layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.models.variables import kernels_by_layer

Weights = Mapping[str, Sequence[Any]]  # tensors of single precision, by layer
_BLOCK = 1 << 15  # numbers of which the difference is taken at once: it stays in the processor's cache


def trained_kernels(model: keras.Model) -> dict[str, list[Any]]:
    """Those of `kernels_by_layer` that are trained, without layers that train none."""
    trained = {id(each) for each in model.trainable_variables}
    kernels = {
        layer: [each for each in found if id(each) in trained] for layer, found in kernels_by_layer(model).items()
    }
    return {layer: found for layer, found in kernels.items() if found}


def read_weights(kernels: Mapping[str, Sequence[Any]]) -> Weights:
    """The values of each layer's kernels as they are now.

    Nothing is copied but where a step then changes them while this is held: the step makes the copy.
    """
    return {
        layer: [tf.cast(tf.convert_to_tensor(each.value), tf.float32) for each in found]
        for layer, found in kernels.items()
    }


def update_sizes(before: Weights, after: Weights) -> dict[str, float]:
    """Norm of the change over the norm before it, of each layer; 0 where the weights were."""
    sizes = {}
    for layer, olds in before.items():
        pairs = [(_vector(old), _vector(new)) for old, new in zip(olds, after[layer], strict=True)]
        norm = sqrt(sum(_square(old) for old, _ in pairs))
        sizes[layer] = sqrt(sum(_squared_distance(*each) for each in pairs)) / norm if norm else 0.0
    return sizes


def _vector(values: Any) -> NDArray[np.float32]:
    """The numbers of a tensor; on a processor where they lie."""
    return np.asarray(memoryview(values)).reshape(-1)


def _squared_distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    starts = range(0, len(one), _BLOCK)
    return sum(_square(other[start : start + _BLOCK] - one[start : start + _BLOCK]) for start in starts)


def _square(values: NDArray[np.float32]) -> float:
    """The sum of squares, in double precision: those of single ones overflow."""
    return float(np.einsum("i,i->", values, values, dtype=np.float64))
