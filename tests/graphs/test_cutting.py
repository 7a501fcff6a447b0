"""Where a network ends: cut, drop the last layers, find where a classifier's features end."""

import keras
import pytest

from transfer.errors import LayerError
from transfer.graphs.cutting import cut, drop_last, feature_layer
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.parsing import parse_config


def graph_of(*described, outputs=None, inputs=("x",)):
    """`(name, class, sources)` for each layer; the last one is the output unless told otherwise."""
    layers = [
        Layer(name, kind, {"name": name}, (Call([Ref(each) for each in sources], {}),) if sources else ())
        for name, kind, *sources in described
    ]
    ends = outputs or (layers[-1].name,)
    return Graph("net", tuple(layers), tuple(map(Ref, inputs)), tuple(map(Ref, ends)))


CHAIN = graph_of(
    ("x", "InputLayer"),
    ("dense_1", "Dense", "x"),
    ("relu_1", "ReLU", "dense_1"),
    ("drop_1", "Dropout", "relu_1"),
    ("dense_2", "Dense", "drop_1"),
    ("relu_2", "Activation", "dense_2"),
    ("logits", "Dense", "relu_2"),
    ("softmax", "Softmax", "logits"),
)


def test_cutting_keeps_what_the_layer_needs():
    shorter = cut(CHAIN, "relu_1")
    assert shorter.names == ("x", "dense_1", "relu_1")
    assert shorter.outputs == (Ref("relu_1"),)
    assert len(CHAIN.layers) == 8


def test_cutting_at_the_output_changes_nothing():
    assert cut(CHAIN, "softmax") == CHAIN


def test_cutting_drops_a_branch_that_the_layer_does_not_need():
    forked = graph_of(
        ("x", "InputLayer"), ("a", "Dense", "x"), ("b", "Dense", "x"), ("sum", "Add", "a", "b"), ("out", "Dense", "sum")
    )
    assert cut(forked, "b").names == ("x", "b")
    assert cut(forked, "sum").names == ("x", "a", "b", "sum")


def test_cutting_at_an_input_is_refused():
    with pytest.raises(LayerError, match="leaves no layer"):
        cut(CHAIN, "x")


def test_cutting_at_a_layer_that_is_not_there_offers_the_nearest():
    with pytest.raises(LayerError, match="no layer 'relu2'") as caught:
        cut(CHAIN, "relu2")
    assert "'relu_2'" in caught.value.next_step


def test_cutting_off_an_input_is_refused_and_names_it():
    two = graph_of(
        ("x", "InputLayer"), ("y", "InputLayer"), ("a", "Dense", "x"), ("sum", "Add", "a", "y"), inputs=("x", "y")
    )
    with pytest.raises(LayerError, match="cuts off an input") as caught:
        cut(two, "a")
    assert [each.where for each in caught.value.problems] == ["y"]


def test_cutting_one_use_of_a_shared_layer_renumbers_what_is_left():
    shared = Layer("both", "Dense", {}, (Call([Ref("x")], {}), Call([Ref("mid")], {})))
    graph = Graph(
        "net",
        (
            Layer("x", "InputLayer", {}),
            Layer("mid", "Dense", {}, (Call([Ref("x")], {}),)),
            shared,
            Layer("end", "Dense", {}, (Call([Ref("both", 1)], {}),)),
        ),
        (Ref("x"),),
        (Ref("end"),),
    )
    shorter = cut(graph, "end")
    assert [call.sources for call in shorter.layer("both").calls] == [(Ref("mid"),)]
    assert shorter.layer("end").calls[0].sources == (Ref("both", 0),)
    at_the_shared = cut(graph, "both")
    assert at_the_shared.outputs == (Ref("both", 0),)
    assert at_the_shared.names == ("x", "mid", "both")


def test_cutting_one_of_several_outputs_leaves_one():
    two = graph_of(
        ("x", "InputLayer"), ("t", "Dense", "x"), ("p", "Dense", "t"), ("q", "Dense", "t"), outputs=("p", "q")
    )
    shorter = cut(two, "t")
    assert shorter.outputs == (Ref("t"),)
    assert shorter.names == ("x", "t")


# Dropping the last layers


@pytest.mark.parametrize(
    ("count", "end", "dropped"),
    [
        (1, "relu_2", ("logits", "softmax")),
        (2, "drop_1", ("dense_2", "relu_2", "logits", "softmax")),
    ],
)
def test_an_activation_goes_with_the_layer_that_it_follows_and_is_not_counted(count, end, dropped):
    shorter, gone = drop_last(CHAIN, count)
    assert shorter.outputs == (Ref(end),)
    assert gone == dropped


def test_dropping_everything_is_refused_and_counts_what_there_is():
    with pytest.raises(LayerError, match="leaves nothing") as caught:
        drop_last(CHAIN, 3)
    assert (caught.value.problems[0].expected, caught.value.problems[0].found) == ("more than 3", "3")


@pytest.mark.parametrize("count", [0, -1])
def test_dropping_less_than_one_layer_is_a_slip(count):
    with pytest.raises(ValueError, match="at least 1"):
        drop_last(CHAIN, count)


def test_dropping_from_several_outputs_is_refused_and_names_them():
    two = graph_of(("x", "InputLayer"), ("p", "Dense", "x"), ("q", "Dense", "x"), outputs=("p", "q"))
    with pytest.raises(LayerError, match="2 outputs") as caught:
        drop_last(two, 1)
    assert [each.where for each in caught.value.problems] == ["p", "q"]
    assert "--at" in caught.value.next_step


def test_dropping_a_layer_with_several_inputs_is_refused_and_names_them():
    joined = graph_of(("x", "InputLayer"), ("a", "Dense", "x"), ("b", "Dense", "x"), ("sum", "Add", "a", "b"))
    with pytest.raises(LayerError, match="'sum' has 2 inputs") as caught:
        drop_last(joined, 1)
    assert [each.where for each in caught.value.problems] == ["a", "b"]


# Where features end


def test_features_end_at_the_last_global_pooling():
    graph = graph_of(
        ("x", "InputLayer"),
        ("conv", "Conv2D", "x"),
        ("pool", "GlobalAveragePooling2D", "conv"),
        ("drop", "Dropout", "pool"),
        ("hidden", "Dense", "drop"),
        ("logits", "Dense", "hidden"),
    )
    assert feature_layer(graph) == "pool"


def test_features_end_at_the_flatten_of_an_old_network():
    graph = graph_of(
        ("x", "InputLayer"),
        ("conv", "Conv2D", "x"),
        ("flat", "Flatten", "conv"),
        ("fc1", "Dense", "flat"),
        ("fc2", "Dense", "fc1"),
        ("logits", "Dense", "fc2"),
    )
    assert feature_layer(graph) == "flat"


def test_features_of_a_plain_network_end_before_its_last_dense():
    assert feature_layer(CHAIN) == "relu_2"


def test_a_network_without_a_classifier_ends_where_it_ends():
    graph = graph_of(("x", "InputLayer"), ("conv", "Conv2D", "x"), ("relu", "ReLU", "conv"))
    assert feature_layer(graph) == "relu"


def test_a_pooling_in_a_squeeze_and_excitation_branch_does_not_count():
    graph = graph_of(
        ("x", "InputLayer"),
        ("conv", "Conv2D", "x"),
        ("squeeze", "GlobalAveragePooling2D", "conv"),
        ("excite", "Dense", "squeeze"),
        ("scale", "Multiply", "conv", "excite"),
        ("top_pool", "GlobalAveragePooling2D", "scale"),
        ("logits", "Dense", "top_pool"),
    )
    assert feature_layer(graph) == "top_pool"


def test_a_pooling_in_a_branch_is_not_taken_where_no_other_pooling_stands():
    graph = graph_of(
        ("x", "InputLayer"),
        ("conv", "Conv2D", "x"),
        ("squeeze", "GlobalAveragePooling2D", "conv"),
        ("excite", "Dense", "squeeze"),
        ("scale", "Multiply", "conv", "excite"),
        ("flat", "Flatten", "scale"),
        ("logits", "Dense", "flat"),
    )
    assert feature_layer(graph) == "flat"


def test_a_single_dense_after_the_input_has_no_features_before_it():
    with pytest.raises(LayerError, match="right after its input"):
        feature_layer(graph_of(("x", "InputLayer"), ("logits", "Dense", "x"), ("softmax", "Softmax", "logits")))


def test_features_of_several_outputs_are_refused():
    two = graph_of(("x", "InputLayer"), ("p", "Dense", "x"), ("q", "Dense", "x"), outputs=("p", "q"))
    with pytest.raises(LayerError, match="2 outputs"):
        feature_layer(two)


@pytest.mark.parametrize(
    ("name", "options", "layer", "width"),
    [
        ("MobileNetV2", {"alpha": 0.35, "input_shape": (32, 32, 3)}, "global_average_pooling2d", 1280),
        ("VGG16", {"classes": 10, "input_shape": (32, 32, 3)}, "flatten", 512),
        ("MobileNetV3Small", {"input_shape": (32, 32, 3), "minimalistic": True}, "global_average_pooling2d", 576),
        ("MobileNetV3Small", {"input_shape": (32, 32, 3)}, "global_average_pooling2d", 576),
        ("EfficientNetB0", {"input_shape": (32, 32, 3)}, "avg_pool", 1280),
    ],
)
def test_features_of_keras_own_networks_end_where_people_cut_them(name, options, layer, width):
    model = getattr(keras.applications, name)(weights=None, **options)
    found = feature_layer(parse_config(keras.saving.serialize_keras_object(model)))
    assert found.rstrip("0123456789").rstrip("_") == layer.rstrip("0123456789").rstrip("_")
    assert model.get_layer(found).output.shape[-1] == width
