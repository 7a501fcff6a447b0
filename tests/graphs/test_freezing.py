"""What is trained and what is not: in the graph, and in the model that Keras builds from it."""

import keras
import pytest

from transfer.errors import LayerError
from transfer.graphs.freezing import freeze, freeze_all, frozen_layers, unfreeze_from
from transfer.graphs.graph import Graph, Layer
from transfer.graphs.parsing import parse_config
from transfer.models.building import build_graph

NAMES = ("conv_1", "norm_1", "conv_2", "norm_2", "pool", "logits")
KINDS = ("Conv2D", "BatchNormalization", "Conv2D", "BatchNormalization", "GlobalAveragePooling2D", "Dense")
CNN = Graph(
    "cnn",
    (
        Layer("image", "InputLayer", {"name": "image"}),
        *(Layer(n, k, {"name": n, "trainable": True}) for n, k in zip(NAMES, KINDS, strict=True)),
    ),
    (),
    (),
)


@pytest.mark.parametrize(
    ("patterns", "frozen"),
    [
        ("conv_1", ("conv_1",)),
        ("conv_*", ("conv_1", "conv_2")),
        (["conv_*", "norm_1"], ("conv_1", "norm_1", "conv_2")),
        ("*", NAMES),
        (r"re:(conv|norm)_2", ("conv_2", "norm_2")),
        ("re:conv_.", ("conv_1", "conv_2")),
        ([], ()),
    ],
)
def test_names_and_patterns_freeze_layers(patterns, frozen):
    assert frozen_layers(freeze(CNN, patterns)) == frozen
    assert frozen_layers(CNN) == ()


def test_a_pattern_speaks_of_the_whole_name_and_of_its_case():
    for pattern in ("conv", "re:conv", "CONV_*"):
        with pytest.raises(LayerError, match="no layer that fits"):
            freeze(CNN, pattern)


def test_a_pattern_that_fits_no_layer_offers_the_nearest_three():
    with pytest.raises(LayerError, match="'cnn' has no layer that fits 'convv_1'") as caught:
        freeze(CNN, ["norm_*", "convv_1"])
    assert caught.value.next_step.startswith("nearest: 'conv_1', 'conv_2'")
    assert caught.value.next_step.count("'") == 6


def test_a_regular_expression_that_cannot_be_read_is_told():
    with pytest.raises(LayerError, match="no regular expression"):
        freeze(CNN, "re:(")


def test_freezing_twice_is_freezing_once():
    once = freeze(CNN, "conv_*")
    assert freeze(once, "conv_*") == once
    assert frozen_layers(freeze(once, "norm_*")) == ("conv_1", "norm_1", "conv_2", "norm_2")


def test_all_layers_freeze_and_an_input_stays_as_it_is():
    graph = freeze_all(CNN)
    assert frozen_layers(graph) == NAMES
    assert graph.layer("image").config == {"name": "image"}


def test_unfreezing_trains_a_layer_and_all_after_it_but_running_statistics():
    assert frozen_layers(unfreeze_from(freeze_all(CNN), "conv_2")) == ("conv_1", "norm_1", "norm_2")


def test_unfreezing_from_the_first_layer_still_keeps_running_statistics():
    assert frozen_layers(unfreeze_from(CNN, "conv_1")) == ("norm_1", "norm_2")


def test_unfreezing_from_a_layer_that_is_not_there_offers_the_nearest():
    with pytest.raises(LayerError, match="no layer 'conv2'") as caught:
        unfreeze_from(CNN, "conv2")
    assert "'conv_2'" in caught.value.next_step


# As Keras sees it


def trainable(graph):
    """Paths of the variables that the built model trains, without the layer's scope."""
    return sorted(each.path for each in build_graph(graph).trainable_variables)


def graph_of(layer, shape=(4, 3)):
    inputs = keras.Input(shape, name="x")
    return parse_config(keras.saving.serialize_keras_object(keras.Model(inputs, layer(inputs))))


@pytest.mark.parametrize(
    "layer",
    [
        lambda x: keras.layers.Bidirectional(keras.layers.LSTM(2), name="layer")(x),
        lambda x: keras.layers.LSTM(2, name="layer")(x),
        lambda x: keras.layers.TimeDistributed(keras.layers.Dense(2), name="layer")(x),
        lambda x: keras.layers.MultiHeadAttention(1, 2, name="layer")(x, x),
        lambda x: keras.layers.SeparableConv1D(2, 2, name="layer")(x),
        lambda x: keras.Sequential([keras.layers.Dense(2), keras.layers.BatchNormalization()], name="layer")(x),
        lambda x: keras.layers.RNN(keras.layers.StackedRNNCells([keras.layers.LSTMCell(2)]), name="layer")(x),
        lambda x: keras.layers.SpectralNormalization(keras.layers.Dense(2), name="layer")(x),
    ],
    ids=["bidirectional", "lstm", "time distributed", "attention", "separable", "nested", "cells", "spectral"],
)
def test_a_frozen_layer_of_layers_trains_nothing_in_keras(layer):
    graph = graph_of(layer)
    assert trainable(graph)
    assert trainable(freeze(graph, "layer")) == []
    assert trainable(freeze_all(graph)) == []


@pytest.mark.parametrize(
    "layer",
    [
        lambda x: keras.layers.Bidirectional(keras.layers.LSTM(2), name="layer")(x),
        lambda x: keras.layers.TimeDistributed(keras.layers.Dense(2), name="layer")(x),
        lambda x: keras.Sequential([keras.layers.Dense(2)], name="layer")(x),
    ],
    ids=["bidirectional", "time distributed", "nested"],
)
def test_a_layer_of_layers_that_was_frozen_is_trained_again(layer):
    graph = graph_of(layer)
    assert trainable(unfreeze_from(freeze_all(graph), "layer")) != []


def test_unfreezing_a_nested_model_keeps_its_running_statistics_frozen():
    def layer(x):
        return keras.Sequential(
            [keras.layers.Dense(2, name="inner"), keras.layers.BatchNormalization(name="norm")], name="layer"
        )(x)

    assert [path.split("/")[-2:] for path in trainable(unfreeze_from(freeze_all(graph_of(layer)), "layer"))] == [
        ["inner", "bias"],
        ["inner", "kernel"],
    ]


def test_unfreezing_a_layer_around_running_statistics_keeps_them_frozen():
    graph = graph_of(lambda x: keras.layers.TimeDistributed(keras.layers.BatchNormalization(), name="layer")(x))
    assert trainable(unfreeze_from(freeze_all(graph), "layer")) == []
