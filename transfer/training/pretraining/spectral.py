"""Spectral normalization from outside: kernels divided by their largest singular value, whatever layers hold them.

A kernel is a matrix with a column for each channel or unit that comes out; of convolutions in depth these are the
channels that go in, as often as each is multiplied. The value is followed by one step of power iteration at each use,
from where the last one ended. The gradient goes through the quotient, with the singular vectors held.

Source: Miyato et al. (2018), "Spectral normalization for generative adversarial networks", ICLR, sections 2.1 and 3,
algorithm 1.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_LEAST = 1e-12
_SEPARABLE = keras.layers.SeparableConv1D, keras.layers.SeparableConv2D
_DEPTHWISE = keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D


class SpectralCall:
    """Calls a model with normalized kernels; its own weights are left as they are.

    Attributes:
        variables: the singular vectors that are followed.
    """

    def __init__(self, model: keras.Model, seed: int) -> None:
        """Prepare it.

        Args:
            model: to call.
            seed: of the vectors to start from.
        """
        self._model, random = model, np.random.default_rng(seed)
        in_depth = _kernels_in_depth(model)
        self._columns = {
            place: int(np.prod(each.shape[-2:] if id(each) in in_depth else each.shape[-1:]))
            for place, each in enumerate(model.trainable_variables)
            if len(each.shape) >= 2 and each.path.endswith("kernel")
        }
        self._vectors = {
            place: tf.Variable(_unit(random.normal(size=count).astype(np.float32)), trainable=False)
            for place, count in self._columns.items()
        }
        self.variables = tuple(self._vectors.values())

    def __call__(self, rows: Any, *, follows: bool) -> Any:
        """The answers of the model as in training.

        Args:
            rows: (b, …).
            follows: whether singular vectors and statistics of batch normalizations move by this call.
        """
        weights = [
            self._normalized(place, each.value, follows=follows)
            for place, each in enumerate(self._model.trainable_variables)
        ]
        held = [each.value for each in self._model.non_trainable_variables]
        found, moved = self._model.stateless_call(weights, held, rows, training=True)
        for variable, value in zip(self._model.non_trainable_variables if follows else (), moved, strict=follows):
            variable.assign(value)
        return found

    def bake(self) -> None:
        """Give the model the normalized kernels for its own, also where they have grown beyond single precision."""
        for place, right in self._vectors.items():
            variable = self._model.trainable_variables[place]
            kernel = np.asarray(keras.ops.convert_to_numpy(variable), np.float64)
            norm = _norm(kernel.reshape(-1, self._columns[place]), np.asarray(right.numpy(), np.float64))
            variable.assign((kernel / max(norm, _LEAST)).astype(variable.dtype))

    def _normalized(self, place: int, weight: Any, *, follows: bool) -> Any:
        if place not in self._vectors:
            return tf.convert_to_tensor(weight)
        matrix = tf.reshape(tf.cast(weight, tf.float32), (-1, self._columns[place]))
        right = self._vectors[place]
        held = tf.stop_gradient(matrix)
        left = _unit(tf.linalg.matvec(held, right))
        vector = _unit(tf.linalg.matvec(held, left, transpose_a=True))
        if follows:
            right.assign(vector)
        sigma = tf.tensordot(left, tf.linalg.matvec(matrix, tf.stop_gradient(vector)), 1)
        return tf.cast(tf.cast(weight, tf.float32) / tf.maximum(sigma, _LEAST), weight.dtype)


def _kernels_in_depth(model: keras.Model) -> frozenset[int]:
    """Identities of the kernels (…, channels, multiplier) whose channels do not meet."""
    layers = model._flatten_layers(include_self=False)
    kernels = [each.depthwise_kernel for each in layers if isinstance(each, _SEPARABLE)]
    return frozenset(map(id, [*kernels, *(each.kernel for each in layers if isinstance(each, _DEPTHWISE))]))


def _norm(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """The largest singular value, as one step of power iteration finds it; computed anew where the vector is lost."""
    if not np.isfinite(right).all():
        return float(np.linalg.norm(matrix, 2))
    left = matrix @ right
    return float(np.linalg.norm(matrix.T @ (left / max(float(np.linalg.norm(left)), _LEAST))))


def _unit(vector: Any) -> Any:
    return vector / tf.maximum(tf.norm(vector), _LEAST)
