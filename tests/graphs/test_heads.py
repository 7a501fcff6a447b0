"""Heads with hidden layers and dropout, on pooled and joined features: as data, and as Keras computes them."""

import keras
import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.graphs.attaching import attach
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.heads import head_names
from transfer.graphs.parsing import parse_config
from transfer.graphs.shapes import shape_of
from transfer.models.building import build_graph
from transfer.specs import Head

L = keras.layers


def graph_of(model):
    return parse_config(keras.saving.serialize_keras_object(model))


def features(*shape):
    source = Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, *shape], "dtype": "float32"})
    end = Layer("end", "Activation", {"name": "end", "activation": "linear"}, (Call([Ref("x")], {}),))
    return Graph("net", (source, end), (Ref("x"),), (Ref("end"),))


def scales():
    """Three outputs: a map, a smaller one, and a vector."""
    x = keras.Input((8, 8, 3), name="image")
    one = L.Conv2D(4, 3, padding="same", name="one")(x)
    two = L.Conv2D(5, 3, strides=2, name="two")(one)
    return keras.Model(
        x, [one, two, L.Dense(6, name="three")(L.GlobalMaxPooling2D(name="squeeze")(two))], name="scales"
    )


def chain(graph, name):
    """Names from a layer back to the features, and their classes."""
    found = []
    while graph.layer(name).calls:
        found.append((name, graph.layer(name).class_name))
        name = graph.layer(name).calls[0].sources[0].layer
    return found[::-1]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ("label",)),
        ({"dropout": 0.5}, ("label_dropout", "label")),
        ({"hidden": (8,)}, ("label_hidden_1", "label")),
        ({"hidden": [8], "dropout": 0.5}, ("label_hidden_1", "label_dropout", "label")),
        (
            {"hidden": (8, 4), "dropout": 0.5},
            ("label_hidden_1", "label_dropout_1", "label_hidden_2", "label_dropout", "label"),
        ),
    ],
)
def test_a_head_is_hidden_layers_with_dropout_before_the_next_and_its_logits(options, names):
    head = Head("label", 3, **options)
    graph = attach(features(6), [head])
    assert head_names(head) == names
    assert graph.names == ("x", "end", *names)
    assert tuple(name for name, _ in chain(graph, "label")) == ("end", *names)


def test_hidden_layers_have_relu_and_the_last_gives_logits_whatever_its_kind():
    for kind in ("softmax", "sigmoid", "regression"):
        graph = attach(features(6), [Head("label", 3, kind=kind, hidden=(8,), dropout=0.25)])
        assert [graph.layer(name).config["activation"] for name in ("label_hidden_1", "label")] == ["relu", "linear"]
        assert graph.layer("label_hidden_1").config["units"] == 8
        assert graph.layer("label_dropout").config["rate"] == 0.25


def test_a_dropped_share_is_dropped_once_before_each_dense_layer():
    graph = attach(features(6), [Head("label", 3, hidden=(8, 4), dropout=0.5)])
    kinds = [kind for _, kind in chain(graph, "label")]
    assert kinds == ["Activation", "Dense", "Dropout", "Dense", "Dropout", "Dense"]


def test_keras_computes_the_hidden_layers():
    model = build_graph(attach(features(6), [Head("label", 3, hidden=(8, 4), dropout=0.5)]))
    x = np.random.RandomState(0).randn(5, 6).astype("float32")
    expected = x
    for name in ("label_hidden_1", "label_hidden_2"):
        kernel, bias = model.get_layer(name).get_weights()
        expected = np.maximum(expected @ kernel + bias, 0)
    kernel, bias = model.get_layer("label").get_weights()
    np.testing.assert_allclose(model(x), expected @ kernel + bias, atol=1e-5)
    dropped = np.stack([np.asarray(model(x, training=True)) for _ in range(2)])
    assert np.abs(dropped[0] - dropped[1]).max() > 0.01


def test_every_kernel_of_several_heads_has_a_seed_of_its_own_that_other_heads_do_not_change():
    heads = [Head("a", 2, hidden=(6, 6), dropout=0.1), Head("b", 2, hidden=(6, 6), dropout=0.1)]

    def seeds(graph):
        found = {layer.name: layer.config for layer in graph if layer.name[:2] in ("a", "b", "a_", "b_")}
        return {
            name: config["seed"] if "rate" in config else config["kernel_initializer"]["config"]["seed"]
            for name, config in found.items()
        }

    both = seeds(attach(features(6), heads, seed=4))
    assert (both["a"], both["b"]) == (4, 5)
    assert len(set(both.values())) == len(both) == 10
    assert seeds(attach(features(6), heads[:1], seed=4)) == {
        name: seed for name, seed in both.items() if name[0] == "a"
    }
    first, second = (build_graph(attach(features(6), heads, seed=4)) for _ in range(2))
    for one, two in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_average_and_maximum_side_by_side_share_their_poolings_with_other_heads():
    heads = [Head("a", 2, pool="concat"), Head("b", 2, pool="max"), Head("c", 2, pool="concat")]
    graph = attach(features(7, 7, 6), heads)
    assert graph.names == ("x", "end", "end_avg_pool", "end_max_pool", "end_concat_pool", "a", "b", "c")
    model = build_graph(graph)
    x = np.random.RandomState(0).rand(4, 7, 7, 6).astype("float32")
    a, b, _ = model(x)
    kernel, bias = model.get_layer("a").get_weights()
    np.testing.assert_allclose(a, np.hstack([x.mean((1, 2)), x.max((1, 2))]) @ kernel + bias, atol=1e-5)
    kernel, bias = model.get_layer("b").get_weights()
    np.testing.assert_allclose(b, x.max((1, 2)) @ kernel + bias, atol=1e-5)


def test_a_vector_is_not_pooled_whatever_the_pooling():
    assert attach(features(6), [Head("a", 2, pool="concat")]).names == ("x", "end", "a")


def test_steps_of_a_sequence_are_pooled_also_where_their_number_is_open():
    graph = attach(features(None, 6), [Head("a", 2, pool="concat")])
    assert shape_of(graph, Ref("end_concat_pool")) == (12,)
    assert build_graph(graph)(np.ones((2, 5, 6), "float32")).shape == (2, 2)


def test_several_outputs_are_pooled_each_and_joined():
    source = scales()
    graph = attach(graph_of(source), [Head("label", 3), Head("other", 2, pool="max"), Head("more", 2)])
    model = build_graph(graph)
    assert graph.names[-9:] == (
        *("one_avg_pool", "two_avg_pool", "features_concat", "label"),
        *("one_max_pool", "two_max_pool", "features_concat_1", "other", "more"),
    )
    assert graph.outputs == (Ref("label"), Ref("other"), Ref("more"))
    for layer in source.layers:
        model.get_layer(layer.name).set_weights(layer.get_weights())
    x = np.random.RandomState(0).rand(4, 8, 8, 3).astype("float32")
    one, two, three = (np.asarray(each) for each in source(x))
    label, other, _ = model(x)
    kernel, bias = model.get_layer("label").get_weights()
    expected = np.hstack([one.mean((1, 2)), two.mean((1, 2)), three]) @ kernel + bias
    np.testing.assert_allclose(label, expected, atol=1e-5)
    kernel, bias = model.get_layer("other").get_weights()
    expected = np.hstack([one.max((1, 2)), two.max((1, 2)), three]) @ kernel + bias
    np.testing.assert_allclose(other, expected, atol=1e-5)


def test_the_names_that_joining_gives():
    graph = attach(graph_of(scales()), [Head("label", 3, pool="concat")])
    assert graph.names[-6:] == (
        *("one_avg_pool", "one_max_pool", "two_avg_pool", "two_max_pool"),
        *("features_concat", "label"),
    )
    assert shape_of(graph, Ref("features_concat")) == (4 + 4 + 5 + 5 + 6,)


def test_several_vectors_are_joined_once_for_all_poolings():
    x = keras.Input((4,), name="x")
    model = keras.Model(x, {"left": L.Dense(2, name="left")(x), "right": L.Dense(3, name="right")(x)})
    graph = attach(graph_of(model), [Head("a", 2), Head("b", 2, pool="max")])
    assert graph.names[-3:] == ("features_concat", "a", "b")
    assert (graph.outputs, graph.output_keys) == ((Ref("a"), Ref("b")), None)


def channels_first(shape=(3, 8, 8), **after):
    x = keras.Input(shape, name="image")
    y = L.ZeroPadding2D(1, data_format="channels_first", name="pad")(x)
    y = L.ReLU(name="relu")(y)
    if after:
        y = L.Permute(name="last", **after)(y)
    return keras.Model(x, y, name="first")


def test_channels_that_stand_first_are_kept_by_the_pooling():
    graph = attach(graph_of(channels_first()), [Head("label", 2)])
    assert graph.layer("relu_avg_pool").config["data_format"] == "channels_first"
    assert shape_of(graph, Ref("relu_avg_pool")) == (3,)
    model = build_graph(graph)
    x = np.random.RandomState(0).rand(2, 3, 8, 8).astype("float32")
    kernel, bias = model.get_layer("label").get_weights()
    np.testing.assert_allclose(model(x), x.sum((2, 3)) / 100 @ kernel + bias, atol=1e-5)


def test_channels_that_were_put_last_are_pooled_as_such():
    graph = attach(graph_of(channels_first(dims=(2, 3, 1))), [Head("label", 2)])
    assert shape_of(graph, Ref("last_avg_pool")) == (3,)


def test_channels_that_stand_first_inside_a_nested_model_are_kept():
    x = keras.Input((3, 8, 8), name="outer_image")
    graph = attach(graph_of(keras.Model(x, channels_first()(x))), [Head("label", 2)])
    assert shape_of(graph, Ref("first_avg_pool")) == (3,)


def test_names_that_a_head_makes_up_are_refused_where_they_are_taken():
    graph = attach(features(6), [Head("label", 2, hidden=(3,))])
    with pytest.raises(LayerError, match="names already") as caught:
        attach(graph, [Head("label", 2, hidden=(3, 3))])
    assert [each.where for each in caught.value.problems] == ["label_hidden_1", "label"]
    with pytest.raises(LayerError, match="names already") as caught:
        attach(features(6), [Head("a", 2, dropout=0.5), Head("a_dropout", 2)])
    assert [each.where for each in caught.value.problems] == ["a_dropout"]
    assert caught.value.next_step == "call the head otherwise"


def test_a_pooling_gives_way_to_a_head_of_its_name():
    graph = attach(features(7, 7, 6), [Head("end_avg_pool", 2), Head("other", 2)])
    assert graph.names == ("x", "end", "end_avg_pool_1", "end_avg_pool", "other")
    assert shape_of(graph, Ref("end_avg_pool")) == (2,)
