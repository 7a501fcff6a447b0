"""What is drawn anew has the variance that its initialiser promises; all else keeps its bits."""

import keras
import numpy as np
import pytest

from transfer.graphs.graph import Ref
from transfer.models.building import build_model, read_model
from transfer.surgery.restarting import rectify, rescale_input, restart, weighted_layers

L = keras.layers


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((100,), name="x")
    x = L.Dense(200, "sigmoid", name="a")(inputs)
    x = L.Dense(150, name="b")(x)
    x = L.Activation("tanh", name="act")(x)
    return keras.Model(inputs, L.Dense(3, name="out")(x))


def test_rectified_layers_are_relu_behind_weights_of_he() -> None:
    read = read_model(network())
    found = rectify(read, {"a": "a", "act": "b"}, seed=3)
    assert found.layers == ("a", "b")
    built = build_model(found.network)
    assert built.get_layer("a").activation is keras.activations.relu
    assert built.get_layer("act").activation is keras.activations.relu
    for name, fan_in in (("a", 100), ("b", 200)):
        kernel, bias = built.get_layer(name).get_weights()
        assert kernel.var() == pytest.approx(2 / fan_in, rel=0.05)
        assert not bias.any()
        assert isinstance(built.get_layer(name).kernel_initializer, keras.initializers.HeNormal)
    for name in ("out/kernel", "out/bias"):
        assert found.network.tensors[name].tobytes() == read.tensors[name].tobytes()
    again = rectify(read, {"a": "a", "act": "b"}, seed=3).network
    assert again.tensors["a/kernel"].tobytes() == found.network.tensors["a/kernel"].tobytes()
    assert (
        rectify(read, {"a": "a"}, seed=4).network.tensors["a/kernel"].tobytes() != again.tensors["a/kernel"].tobytes()
    )


def test_restarted_weights_go_by_the_activation_that_follows() -> None:
    inputs = keras.Input((100,), name="x")
    wild = keras.initializers.RandomNormal(0, 5)
    x = inputs
    for name, activation in (("r", "relu"), ("t", "tanh"), ("s", "selu"), ("n", None)):
        x = L.Dense(100, activation, kernel_initializer=wild, name=name)(x)
    read = read_model(keras.Model(inputs, x))
    feeding = {"r": "relu", "t": "tanh", "s": "selu", "n": "linear"}
    assert tuple(weighted_layers(read)) == tuple(feeding)
    found = restart(read, feeding)
    assert found.layers == tuple(feeding)
    variances = {name: float(found.network.tensors[f"{name}/kernel"].var()) for name in feeding}
    assert variances == pytest.approx({"r": 0.02, "t": 0.01, "s": 0.01, "n": 0.01}, rel=0.05)


def test_what_starts_as_it_should_is_left_alone() -> None:
    read = read_model(network())
    found = restart(read, {"a": "sigmoid", "b": "tanh", "out": "linear"})
    assert found.layers == ()
    assert found.network.tensors["a/kernel"].tobytes() == read.tensors["a/kernel"].tobytes()


def test_an_input_is_scaled_before_the_first_layer_that_learns() -> None:
    read = read_model(network())
    built = build_model(rescale_input(read, Ref("x"), mean=40.0, std=8.0))
    values = np.random.default_rng(0).normal(40, 8, (5, 100)).astype(np.float32)
    expected = network().predict((values - 40) / 8, verbose=0)
    np.testing.assert_allclose(built.predict(values, verbose=0), expected, atol=1e-5)
