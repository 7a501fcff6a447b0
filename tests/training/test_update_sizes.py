"""Updates are told of the layers that gradients are told of, and are those of plain arithmetic."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from transfer.models.variables import kernels_by_layer
from transfer.training.update_sizes import read_weights, trained_kernels, update_sizes
from transfer.training.updating import Adam, Descent, Momentum, Target

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
    before = read_weights(kernels)
    norms = {layer: np.linalg.norm(flat(found)) for layer, found in kernels.items()}
    for found in kernels.values():
        for each in found:
            each.assign(each * 1.25)
    after = read_weights(kernels)
    changes = {layer: np.linalg.norm(flat(after[layer]) - flat(before[layer])) for layer in kernels}
    expected = {layer: changes[layer] / norms[layer] for layer in kernels}
    assert expected == pytest.approx({"mha": 0.25, "out": 0.25}, rel=1e-5)
    assert update_sizes(before, after) == pytest.approx(expected, rel=1e-6)


def flat(tensors: Sequence[Any]) -> np.ndarray:
    """All numbers in one vector, in double precision."""
    return np.concatenate([np.ravel(keras.ops.convert_to_numpy(each)).astype(np.float64) for each in tensors])


@pytest.mark.parametrize("optimizer", ["adam", "momentum", "descent"])
def test_what_was_read_stays_as_it_was_when_a_step_moves_the_weights(optimizer: str) -> None:
    random = np.random.default_rng(0)
    kernel = keras.Variable(random.normal(size=(40, 1000)).astype(np.float32))
    start = keras.ops.convert_to_numpy(kernel).copy()
    before = read_weights({"fc": [kernel]})
    target = [Target(kernel, 1.0, 0.0)]
    steps = {"adam": Adam(target), "momentum": Momentum(target, 0.9), "descent": Descent(target)}
    steps[optimizer].apply([tf.constant(random.normal(size=kernel.shape).astype(np.float32))], 0.1)
    now = keras.ops.convert_to_numpy(kernel)
    assert keras.ops.convert_to_numpy(before["fc"][0]).tobytes() == start.tobytes() != now.tobytes()
    expected = np.linalg.norm((now - start).astype(np.float64)) / np.linalg.norm(start.astype(np.float64))
    assert update_sizes(before, read_weights({"fc": [kernel]})) == {"fc": pytest.approx(expected, rel=1e-12)}


def test_weights_of_narrow_types_of_zero_and_of_great_size_have_updates_too() -> None:
    kernels = {
        "narrow": [keras.Variable(np.full((3, 4), 2.0), dtype="bfloat16")],
        "zero": [keras.Variable(np.zeros((3, 4), np.float32))],
        "great": [keras.Variable(np.full((3, 4), 1e30, np.float32))],
    }
    before = read_weights(kernels)
    for found in kernels.values():
        found[0].assign(found[0] * 1.5 + 1)
    assert update_sizes(before, read_weights(kernels)) == {"narrow": 1.0, "zero": 0.0, "great": pytest.approx(0.5)}
