"""A live model gets what a network has come to, as one that is built from it does."""

from __future__ import annotations

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from transfer.graphs.freezing import freeze_all
from transfer.models.building import build_model, read_model
from transfer.models.taking_over import take_over
from transfer.models.variables import copy_variables, name_variables


@pytest.fixture
def model():
    inner = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="inside")], name="inner")
    inputs = keras.Input((8,))
    x = keras.layers.Dense(8, name="first")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="last")(inner(x)), name="small")


def other_values(network):
    generator = np.random.default_rng(3)
    return replace(network, tensors={name: generator.random(each.shape) for name, each in network.tensors.items()})


def flags(model):
    return {layer.name: layer.trainable for layer in model._flatten_layers(include_self=False)}


@pytest.mark.parametrize("at_first", ["trained", "frozen"])
@pytest.mark.parametrize("frozen", [(), ("first", "norm"), ("inner",)], ids=["none", "front", "inside"])
def test_it_is_what_building_anew_gives(model, frozen, at_first):
    model.get_layer("last").trainable = False
    if at_first == "frozen":
        model = build_model(replace(read_model(model), graph=freeze_all(read_model(model).graph)))
    source = build_model(read_model(model))
    for layer in source.layers:
        layer.trainable = False
        layer.trainable = layer.name not in frozen
    network = other_values(read_model(source))

    take_over(model, network)

    built = build_model(network)
    assert flags(model) == flags(built)
    assert [each.path for each in model.trainable_weights] == [each.path for each in built.trainable_weights]
    ours, theirs = copy_variables(model), copy_variables(built)
    assert list(ours) == list(theirs)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert json.dumps(model.get_config()) == json.dumps(built.get_config())


def test_layers_inside_others_are_trained_one_by_one():
    gru = keras.layers.Bidirectional(keras.layers.GRU(2, name="one"), name="both")
    inner = keras.Sequential([keras.Input((3, 4)), gru, keras.layers.Dense(4, name="second")], name="inner")
    inputs = keras.Input((3, 4))
    model = keras.Model(inputs, keras.layers.Dense(2, name="last")(inner(inputs)), name="whole")
    frozen = build_model(replace(read_model(model), graph=freeze_all(read_model(model).graph)))
    model.get_layer("inner").get_layer("both").trainable = False

    take_over(frozen, other_values(read_model(model)))

    built = build_model(other_values(read_model(model)))
    assert flags(frozen) == flags(built)
    assert [each.path for each in frozen.trainable_weights] == [each.path for each in built.trainable_weights]
    assert {name.rpartition("/")[0] for name, each in name_variables(frozen).items() if each.trainable} == {
        "inner/second",
        "last",
    }


def test_frozen_as_a_whole(model):
    take_over(model, replace(other_values(read_model(model)), graph=freeze_all(read_model(model).graph)))
    assert model.trainable_weights == []


def test_a_weight_without_a_tensor_is_named(model):
    network = read_model(model)
    tensors = {name: each for name, each in network.tensors.items() if name != "first/bias"}
    before = copy_variables(model)
    with pytest.raises(KeyError, match="first/bias"):
        take_over(model, replace(network, tensors=tensors))
    assert all(np.array_equal(values, before[name]) for name, values in copy_variables(model).items())
