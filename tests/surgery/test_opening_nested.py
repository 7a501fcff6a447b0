"""Nested models opened in a network: its tensors go along under their new names, and are read when asked for."""

import keras
import numpy as np
import pytest

from transfer.models.building import build_model, read_model
from transfer.surgery.opening_nested import open_nested


@pytest.fixture
def nested() -> keras.Model:
    keras.utils.set_random_seed(0)
    inner_in = keras.Input((4,), name="inner_in")
    inner = keras.Model(inner_in, keras.layers.Dense(3, name="same")(inner_in), name="inner")
    inputs = keras.Input((4,), name="x")
    return keras.Model(inputs, keras.layers.Dense(2, name="same")(inner(inputs)))


def test_an_opened_network_computes_the_same_and_tells_where_its_layers_stood(nested):
    opened, flat = open_nested(read_model(nested))
    assert flat.paths == {"x": "x", "inner_same": "inner/same", "same": "same"}
    assert sorted(opened.tensors) == ["inner_same/bias", "inner_same/kernel", "same/bias", "same/kernel"]
    np.testing.assert_array_equal(
        opened.tensors["inner_same/kernel"], nested.get_layer("inner").get_layer("same").kernel
    )
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(build_model(opened)(rows), nested(rows), rtol=1e-6)


def test_a_network_without_nested_models_comes_back_itself(nested):
    network = read_model(nested.get_layer("inner"))
    assert open_nested(network)[0] is network
    whole = read_model(nested)
    assert open_nested(whole, ())[0] is whole
