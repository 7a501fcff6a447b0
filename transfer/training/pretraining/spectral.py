"""Spectral normalization from outside: kernels divided by their largest singular value, whatever layers hold them.

The value is followed by one step of power iteration at each use, from where the last one ended. The gradient goes
through the quotient, with the singular vectors held.

Source: Miyato et al. (2018), "Spectral normalization for generative adversarial networks", ICLR, sections 2.1 and 3,
algorithm 1.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

_LEAST = 1e-12


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
        self._vectors = {
            place: tf.Variable(_unit(random.normal(size=int(each.shape[-1])).astype(np.float32)), trainable=False)
            for place, each in enumerate(model.trainable_variables)
            if len(each.shape) >= 2 and each.path.endswith("kernel")
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
        """Give the model the normalized kernels for its own."""
        for place, variable in enumerate(self._model.trainable_variables):
            variable.assign(self._normalized(place, variable.value, follows=False))

    def _normalized(self, place: int, weight: Any, *, follows: bool) -> Any:
        if place not in self._vectors:
            return tf.convert_to_tensor(weight)
        matrix = tf.reshape(tf.cast(weight, tf.float32), (-1, tf.shape(weight)[-1]))
        right = self._vectors[place]
        held = tf.stop_gradient(matrix)
        left = _unit(tf.linalg.matvec(held, right))
        vector = _unit(tf.linalg.matvec(held, left, transpose_a=True))
        if follows:
            right.assign(vector)
        sigma = tf.tensordot(left, tf.linalg.matvec(matrix, tf.stop_gradient(vector)), 1)
        return tf.cast(tf.cast(weight, tf.float32) / tf.maximum(sigma, _LEAST), weight.dtype)


def _unit(vector: Any) -> Any:
    return vector / tf.maximum(tf.norm(vector), _LEAST)
