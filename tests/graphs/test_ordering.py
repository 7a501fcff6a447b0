"""The order of layers is the one that Keras gives them, whatever the order in the config."""

import random
from dataclasses import replace

import keras
import pytest

from transfer.graphs.graph import Graph
from transfer.graphs.ordering import order_layers
from transfer.models.building import read_model

L = keras.layers


def chain():
    x = inputs = keras.Input((4,), name="in")
    for k in range(5):
        x = L.Dense(4, name=f"d{k}")(x)
    return keras.Model(inputs, x)


def branches():
    inputs = keras.Input((4,), name="in")
    long = L.Dense(4, name="b")(L.Dense(4, name="a")(inputs))
    short = L.Dense(4, name="z")(inputs)
    return keras.Model(inputs, L.Concatenate(name="join")([short, L.Add(name="sum")([long, inputs])]))


def ends():
    one, two, unused = (keras.Input((4,), name=name) for name in ("one", "two", "unused"))
    shared = L.Dense(4, name="shared")
    first, second = shared(one), shared(L.Dense(4, name="before")(two))
    return keras.Model(
        [two, unused, one],
        [L.Dense(1, name="right")(second), L.Dense(2, name="left")(first), L.Add(name="s")([first, second])],
    )


def again():
    """A layer that is called at several depths."""
    inputs = keras.Input((4,), name="in")
    shared = L.Dense(4, name="shared")
    return keras.Model(inputs, shared(L.Dense(4, name="between")(shared(inputs))))


def operations():
    inputs = keras.Input((4,), name="in")
    x = L.Dense(4, name="a")(inputs) * 2.0
    return keras.Model(inputs, x + L.Dense(4, name="b")(inputs))


def residual():
    return keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.35, classes=3)


@pytest.mark.parametrize("build", [chain, branches, ends, again, operations, residual])
def test_layers_stand_as_keras_lists_them_however_they_were_listed(build):
    model = build()
    graph = read_model(model).graph
    wanted = [layer.name for layer in keras.Model.from_config(model.get_config()).layers]
    for seed in range(3):
        layers = list(graph.layers)
        random.Random(seed).shuffle(layers)
        ordered = order_layers(replace(graph, layers=tuple(layers)))
        assert [name for name in ordered.names if name in wanted] == wanted


def test_layers_that_lead_nowhere_come_last():
    graph = read_model(branches()).graph
    loose = replace(graph.layer("a"), name="loose")
    ordered = order_layers(Graph(graph.name, (loose, *graph.layers), graph.inputs, graph.outputs))
    assert ordered.names == (*graph.names, "loose")
