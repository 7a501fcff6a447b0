"""Updates are told of the layers that gradients are told of, and are those of plain arithmetic."""

import keras
import numpy as np
import pytest

from transfer.models.variables import kernels_by_layer
from transfer.training.update_sizes import copy_weights, trained_kernels, update_sizes

L = keras.layers


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 6))
    x = L.MultiHeadAttention(2, 3, name="mha")(inputs, inputs)
    x = L.Dense(3, trainable=False, name="frozen")(x)
    return keras.Model(inputs, L.Dense(2, name="out")(x))


def test_a_layer_goes_by_one_name_in_gradients_and_updates() -> None:
    model = network()
    assert list(kernels_by_layer(model)) == ["mha", "frozen", "out"]
    assert list(trained_kernels(model)) == ["mha", "out"]


def test_an_update_is_the_norm_of_the_change_over_that_of_the_weights() -> None:
    kernels = trained_kernels(network())
    before = copy_weights(kernels)
    for found in kernels.values():
        for each in found:
            each.assign(each * 1.25)
    expected = [
        np.linalg.norm(np.concatenate([np.ravel(each.numpy()) for each in found])) for found in kernels.values()
    ]
    assert [np.linalg.norm(values) * 1.25 for values in before.values()] == pytest.approx(expected, rel=1e-5)
    assert update_sizes(before, copy_weights(kernels)) == pytest.approx({"mha": 0.25, "out": 0.25}, rel=1e-5)
