"""Activations become layers of their own, and nothing else changes."""

import keras
import numpy as np

from transfer.graphs.exposing_activations import expose_activations
from transfer.graphs.graph import Ref
from transfer.models.building import build_model, read_model
from transfer.surgery.network import Network

L = keras.layers


def network() -> keras.Model:
    inputs = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    x = L.SeparableConv2D(5, 3, activation="tanh", name="separable")(x)
    x = L.Conv2D(5, 1, name="linear")(x)
    x = L.GlobalAveragePooling2D(name="pool")(x)
    shared = L.Dense(5, activation="gelu", name="shared")
    y = shared(shared(x))
    y = L.Dense(5, activation=keras.activations.leaky_relu, name="leaky")(y)
    y = L.Add(name="sum")([x, y])
    return keras.Model(inputs, [L.Dense(2, activation="softmax", name="kind")(y), y])


def test_the_network_computes_the_same() -> None:
    model = network()
    read = read_model(model)
    exposed = expose_activations(read.graph)
    built = build_model(Network(exposed.graph, read.tensors))
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)
    for ours, theirs in zip(built.predict(images, verbose=0), model.predict(images, verbose=0), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_each_activation_stands_behind_its_layer_and_takes_its_place() -> None:
    graph = read_model(network()).graph
    exposed = expose_activations(graph)
    owners = {f"{name}_activation": name for name in ("conv", "separable", "shared", "leaky", "kind")}
    assert exposed.owners == owners
    for name, owner in owners.items():
        assert exposed.graph.layer(owner).config["activation"] == "linear"
        assert exposed.graph.names.index(name) == exposed.graph.names.index(owner) + 1
    twice = exposed.graph.layer("shared_activation")
    assert [call.sources for call in twice.calls] == [(Ref("shared", 0),), (Ref("shared", 1),)]
    assert exposed.graph.layer("leaky").calls[0].sources == (Ref("shared_activation", 1),)
    assert exposed.graph.outputs == (Ref("kind_activation"), Ref("sum"))
    assert graph.layer("conv").config["activation"] == "relu"  # left as it was


def test_a_graph_without_any_stays_what_it_is() -> None:
    inputs = keras.Input((5,))
    graph = read_model(keras.Model(inputs, L.ReLU()(L.Dense(3)(L.Reshape((5,))(inputs))))).graph
    exposed = expose_activations(graph)
    assert (exposed.graph, exposed.owners) == (graph, {})


def test_recurrent_layers_keep_what_they_compute_inside() -> None:
    inputs = keras.Input((5, 2))
    graph = read_model(keras.Model(inputs, L.LSTM(3, name="lstm")(inputs))).graph
    assert expose_activations(graph).graph == graph
