"""How far a step moves the weights of each layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.models.variables import kernels_by_layer

Weights = Mapping[str, NDArray[np.float32]]


def trained_kernels(model: keras.Model) -> dict[str, list[Any]]:
    """Those of `kernels_by_layer` that are trained, without layers that train none."""
    trained = {id(each) for each in model.trainable_variables}
    kernels = {
        layer: [each for each in found if id(each) in trained] for layer, found in kernels_by_layer(model).items()
    }
    return {layer: found for layer, found in kernels.items() if found}


def copy_weights(kernels: Mapping[str, Sequence[Any]]) -> Weights:
    """The values of each layer's kernels in one vector."""
    return {
        layer: np.concatenate([np.asarray(keras.ops.convert_to_numpy(each), np.float32).ravel() for each in found])
        for layer, found in kernels.items()
    }


def update_sizes(before: Weights, after: Weights) -> dict[str, float]:
    """Norm of the change over the norm before it, of each layer; 0 where the weights were."""
    norms = {layer: _norm(values) for layer, values in before.items()}
    return {
        layer: _norm(after[layer] - values) / norms[layer] if norms[layer] else 0.0 for layer, values in before.items()
    }


def _norm(values: NDArray[np.float32]) -> float:
    """In double precision: squares of single ones overflow."""
    return float(np.sqrt(np.einsum("i,i->", values, values, dtype=np.float64)))
