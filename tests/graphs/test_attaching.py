"""What is put onto a graph and in front of it."""

import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.graphs.attaching import append, attach, free_name, prepend
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.shapes import shape_of
from transfer.models.building import build_graph
from transfer.specs import Head


def features(*shape):
    """A graph whose output has that shape, without the batch."""
    source = Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, *shape], "dtype": "float32"})
    end = Layer("end", "Activation", {"name": "end", "activation": "linear"}, (Call([Ref("x")], {}),))
    return Graph("net", (source, end), (Ref("x"),), (Ref("end"),))


def test_a_head_is_one_dense_layer_of_logits():
    graph = attach(features(6), [Head("label", classes=5)])
    assert graph.names == ("x", "end", "label")
    assert graph.outputs == (Ref("label"),)
    head = graph.layer("label")
    assert head.class_name == "Dense"
    assert (head.config["units"], head.config["activation"], head.config["use_bias"]) == (5, "linear", True)
    assert head.calls[0].sources == (Ref("end"),)
    assert features(6).outputs == (Ref("end"),)


@pytest.mark.parametrize(
    ("shape", "pool", "kind"),
    [
        ((7, 6), "avg", "GlobalAveragePooling1D"),
        ((7, 6), "max", "GlobalMaxPooling1D"),
        ((7, 7, 6), "avg", "GlobalAveragePooling2D"),
        ((None, None, 6), "max", "GlobalMaxPooling2D"),
        ((3, 7, 7, 6), "avg", "GlobalAveragePooling3D"),
    ],
)
def test_features_with_positions_are_pooled(shape, pool, kind):
    graph = attach(features(*shape), [Head("label", classes=5, pool=pool)])
    assert graph.names == ("x", "end", f"end_{pool}_pool", "label")
    assert graph.layer(f"end_{pool}_pool").class_name == kind
    assert shape_of(graph, Ref("label")) == (5,)


@pytest.mark.parametrize("shape", [(), (2, 3, 7, 7, 6)])
def test_features_of_other_ranks_are_refused(shape):
    with pytest.raises(LayerError, match=f"features of {len(shape)} axes; expected 1 to 4"):
        attach(features(*shape), [Head("label", classes=5)])


def test_two_heads_share_one_pooling_and_different_poolings_stand_apart():
    heads = [Head("a", classes=2), Head("b", classes=3), Head("c", classes=4, pool="max")]
    graph = attach(features(7, 7, 6), heads)
    assert graph.names == ("x", "end", "end_avg_pool", "a", "b", "end_max_pool", "c")
    assert graph.outputs == (Ref("a"), Ref("b"), Ref("c"))
    assert graph.layer("b").calls[0].sources == (Ref("end_avg_pool"),)


def test_a_layer_that_happens_to_have_the_poolings_name_is_not_taken_for_it():
    graph = features(7, 7, 6)
    other = Layer("end_avg_pool", "Activation", {"name": "end_avg_pool", "activation": "relu"}, (Call([Ref("x")], {}),))
    graph = Graph("net", (graph.layers[0], other, graph.layers[1]), graph.inputs, graph.outputs)
    assert shape_of(attach(graph, [Head("label", classes=5)]), Ref("label")) == (5,)


def test_heads_start_from_seeds_of_their_own():
    graph = attach(features(6), [Head("a", classes=2), Head("b", classes=2)], seed=4)
    assert [graph.layer(name).config["kernel_initializer"]["config"]["seed"] for name in "ab"] == [4, 5]


def test_keras_builds_the_heads_and_computes_them():
    model = build_graph(attach(features(7, 7, 6), [Head("a", classes=2), Head("b", classes=3, pool="max")]))
    x = np.random.RandomState(0).rand(4, 7, 7, 6).astype("float32")
    a, b = model(x)
    kernel, bias = model.get_layer("a").get_weights()
    np.testing.assert_allclose(a, x.mean((1, 2)) @ kernel + bias, atol=1e-5)
    kernel, bias = model.get_layer("b").get_weights()
    np.testing.assert_allclose(b, x.max((1, 2)) @ kernel + bias, atol=1e-5)


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(LayerError, match="names already") as caught:
        attach(features(6), [Head("end", classes=5), Head("new", classes=5), Head("new", classes=2)])
    assert [each.where for each in caught.value.problems] == ["end", "new"]


def test_no_head_is_a_slip():
    with pytest.raises(ValueError, match="at least one head"):
        attach(features(6), [])


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"name": "a/b"},
        {"classes": 0},
        {"classes": -1},
        {"kind": "relu"},
        {"hidden": (8, 0)},
        {"hidden": (8.5,)},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"dropout": float("nan")},
        {"pool": "sum"},
    ],
    ids=str,
)
def test_a_head_that_cannot_be_is_a_slip(options):
    with pytest.raises(ValueError, match="head"):
        Head(**{"name": "a", "classes": 2, **options})


# Other layers


def test_a_layer_is_appended_under_a_free_name():
    graph = append(features(6), Layer("end", "Softmax", {"name": "end", "axis": -1}))
    assert graph.names == ("x", "end", "end_1")
    assert graph.outputs == (Ref("end_1"),)
    assert graph.layer("end_1").config["name"] == "end_1"
    assert build_graph(graph).layers[-1].name == "end_1"


def test_layers_in_front_take_the_place_of_the_input():
    front = [
        Layer("raw", "InputLayer", {"name": "raw", "batch_shape": [None, 6], "dtype": "float32"}),
        Layer("end", "Rescaling", {"name": "end", "scale": 2.0, "offset": 1.0}),
    ]
    graph = prepend(features(6), front)
    assert graph.names == ("raw", "end_1", "end")
    assert graph.inputs == (Ref("raw"),)
    np.testing.assert_array_equal(build_graph(graph)(np.ones((1, 6), "float32")), np.full((1, 6), 3.0))


def test_a_front_for_several_inputs_is_refused():
    graph = features(6)
    two = Graph("net", (*graph.layers, Layer("y", "InputLayer", {})), (Ref("x"), Ref("y")), graph.outputs)
    with pytest.raises(LayerError, match="2 inputs"):
        prepend(two, [Layer("raw", "InputLayer", {})])


def test_a_free_name_counts_up():
    graph = Graph("net", tuple(Layer(name, "Dense", {}) for name in ("a", "a_1", "b")), (), ())
    assert [free_name(graph, name) for name in ("a", "b", "c")] == ["a_2", "b_1", "c"]
