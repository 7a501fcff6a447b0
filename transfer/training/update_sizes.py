"""How far a step moves the weights of each layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

Weights = Mapping[str, NDArray[np.float32]]


def copy_weights(variables: Mapping[str, Any]) -> Weights:
    """Kernels and what else has at least two axes, in one vector for each layer that holds some.

    Args:
        variables: by `layer/role`.
    """
    found: dict[str, list[NDArray[np.float32]]] = {}
    for name, each in variables.items():
        if len(each.shape) >= 2:
            values = np.asarray(keras.ops.convert_to_numpy(each), np.float32).ravel()
            found.setdefault(name.rpartition("/")[0], []).append(values)
    return {layer: np.concatenate(parts) for layer, parts in found.items()}


def update_sizes(before: Weights, after: Weights) -> dict[str, float]:
    """Norm of the change over the norm before it, of each layer; 0 where the weights were."""
    norms = {layer: _norm(values) for layer, values in before.items()}
    return {
        layer: _norm(after[layer] - values) / norms[layer] if norms[layer] else 0.0 for layer, values in before.items()
    }


def _norm(values: NDArray[np.float32]) -> float:
    """In double precision: squares of single ones overflow."""
    return float(np.sqrt(np.einsum("i,i->", values, values, dtype=np.float64)))
