"""Names of a live model's variables: each once, the same in a model that was built again, the same as in files."""

import keras
import numpy as np
import pytest

from transfer.models.building import build_graph, read_model
from transfer.models.variables import assign_variables, describe_variables, kernels_by_layer, name_variables
from transfer.weights.opening import open_checkpoint

L = keras.layers


def model_of(layer, shape=(4, 6)):
    inputs = keras.Input(shape, name="x")
    return keras.Model(inputs, layer(inputs), name="model")


LAYERS = {
    "dense": lambda x: L.Dense(2, name="layer")(x),
    "norm": lambda x: L.BatchNormalization(name="layer")(x),
    "lstm": lambda x: L.LSTM(2, name="layer")(x),
    "bidirectional": lambda x: L.Bidirectional(L.LSTM(2), name="layer")(x),
    "gru both ways": lambda x: L.Bidirectional(L.GRU(2), name="layer")(x),
    "time distributed": lambda x: L.TimeDistributed(L.Dense(2), name="layer")(x),
    "attention": lambda x: L.MultiHeadAttention(1, 2, name="layer")(x, x),
    "separable": lambda x: L.SeparableConv1D(2, 2, name="layer")(x),
    "cells": lambda x: L.RNN([L.LSTMCell(2), L.LSTMCell(2)], name="layer")(x),
    "dropout": lambda x: L.Dense(2, name="layer")(L.Dropout(0.5)(x)),
    "nested": lambda x: keras.Sequential([L.Dense(2, name="inner")], name="outer")(x),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_every_weight_has_one_name(kind):
    model = model_of(LAYERS[kind])
    names = name_variables(model)
    assert sorted(map(id, names.values())) == sorted(map(id, model.weights))
    assert set(describe_variables(model)) == set(names)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_model_that_was_built_again_has_the_same_names(kind):
    model = model_of(LAYERS[kind])
    assert list(name_variables(build_graph(read_model(model).graph))) == list(name_variables(model))


def test_names_are_the_layers_and_the_role():
    inner = keras.Sequential([keras.Input((6,)), L.Dense(3, name="inner")], name="net")
    inputs = keras.Input((6,), name="x")
    model = keras.Model(inputs, L.BatchNormalization(name="norm")(inner(inputs)))
    assert list(name_variables(model)) == [
        "net/inner/kernel",
        "net/inner/bias",
        "norm/gamma",
        "norm/beta",
        "norm/moving_mean",
        "norm/moving_variance",
    ]


def test_a_layer_that_is_used_twice_is_named_once():
    one, two = keras.Input((3,)), keras.Input((3,))
    layer = L.Dense(2, name="both")
    assert list(name_variables(keras.Model([one, two], [layer(one), layer(two)]))) == ["both/kernel", "both/bias"]


def test_a_model_that_is_used_twice_is_named_once():
    inner = keras.Sequential([keras.Input((3,)), L.Dense(2, name="inner")], name="net")
    one, two = keras.Input((3,)), keras.Input((3,))
    model = keras.Model([one, two], [inner(one), inner(two)])
    assert list(name_variables(model)) == ["net/inner/kernel", "net/inner/bias"]


def test_a_layer_that_stands_in_two_models_is_named_once_for_each_place_or_once_in_all():
    layer = L.Dense(3, name="tied")
    left = keras.Sequential([keras.Input((3,)), layer], name="left")
    right = keras.Sequential([keras.Input((3,)), layer], name="right")
    inputs = keras.Input((3,))
    model = keras.Model(inputs, right(left(inputs)))
    names = name_variables(model)
    assert {id(each) for each in names.values()} == {id(each) for each in model.weights}


def test_states_of_random_generators_are_no_weights():
    assert list(name_variables(model_of(lambda x: L.Dropout(0.5)(L.GaussianNoise(0.1)(x))))) == []


def test_specs_tell_shape_type_class_and_place():
    spec = describe_variables(model_of(lambda x: L.Conv1D(2, 3, name="conv")(x)))["conv/kernel"]
    assert (spec.shape, spec.dtype, spec.layer, spec.role) == ((3, 6, 2), "float32", "conv", "kernel")
    assert (spec.layer_class, spec.position, spec.owner) == ("conv1d", 1, "conv")


def test_names_are_those_that_a_keras_3_file_gives(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = L.BatchNormalization(name="norm")(L.Conv2D(4, 3, name="conv")(inputs))
    model = keras.Model(inputs, L.Dense(2, name="out")(L.Flatten()(x)))
    model.save_weights(tmp_path / "a.weights.h5")
    assert set(open_checkpoint(tmp_path / "a.weights.h5")) == set(name_variables(model))


def test_assigning_changes_what_is_named_and_nothing_else():
    model = model_of(lambda x: L.Dense(2, name="b")(L.Dense(2, name="a")(x)))
    kernel = model.get_layer("b").get_weights()[0]
    assign_variables(model, {"a/bias": np.array([1.0, 2.0])})
    np.testing.assert_array_equal(model.get_layer("a").get_weights()[1], [1, 2])
    np.testing.assert_array_equal(model.get_layer("b").get_weights()[0], kernel)


def test_assigned_statistics_of_a_normalization_in_a_nested_model_take_effect():
    inner = keras.Sequential([keras.Input((2,)), L.Normalization(name="norm")], name="net")
    inputs = keras.Input((2,))
    model = keras.Model(inputs, inner(inputs))
    assign_variables(model, {"net/norm/mean": np.array([1.0, 2.0]), "net/norm/variance": np.array([4.0, 9.0])})
    np.testing.assert_allclose(model(np.array([[3.0, 5.0]], "float32")), [[1.0, 1.0]], rtol=1e-6)


def test_kernels_go_by_the_layer_that_holds_them_whatever_is_inside() -> None:
    inputs = keras.Input((4, 6))
    x = keras.layers.MultiHeadAttention(2, 3, name="mha")(inputs, inputs)
    x = keras.layers.Bidirectional(keras.layers.LSTM(5), name="both")(keras.layers.LayerNormalization(name="norm")(x))
    inner = keras.Model(inputs, x, name="trunk")
    outer = keras.Input((4, 6))
    found = kernels_by_layer(keras.Model(outer, keras.layers.Dense(2, name="out")(inner(outer))))
    shapes = {layer: sorted(tuple(each.shape) for each in kernels) for layer, kernels in found.items()}
    assert shapes == {
        "trunk/mha": [(2, 3), (2, 3), (2, 3), (2, 3, 6), (6, 2, 3), (6, 2, 3), (6, 2, 3)],
        "trunk/both": [(5, 20), (5, 20), (6, 20), (6, 20)],
        "out": [(10, 2)],
    }
