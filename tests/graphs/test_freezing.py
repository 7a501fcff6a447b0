"""What is trained and what is not: in the graph, and in the model that Keras builds from it."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from tests.surgery.networks import nested, shared
from transfer.errors import LayerError
from transfer.graphs.attaching import attach
from transfer.graphs.freezing import (
    freeze,
    freeze_all,
    freeze_up_to,
    frozen_layers,
    trainable_layers,
    unfreeze,
    unfreeze_all,
    unfreeze_from,
    unfreeze_last,
)
from transfer.graphs.graph import Graph, Layer
from transfer.graphs.parsing import parse_config
from transfer.models.building import build_graph
from transfer.models.variables import name_variables
from transfer.specs import Head

L = keras.layers

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
    assert frozen_layers(freeze(CNN, patterns, batch_norm="adapt")) == frozen
    assert trainable_layers(unfreeze(freeze_all(CNN), patterns, batch_norm="adapt")) == frozen
    assert frozen_layers(CNN) == ()


def test_batch_norm_is_frozen_whatever_the_patterns_say_unless_it_is_told_otherwise():
    assert frozen_layers(freeze(CNN, "conv_1")) == ("conv_1", "norm_1", "norm_2")
    assert frozen_layers(unfreeze_all(CNN)) == ("norm_1", "norm_2")
    assert frozen_layers(unfreeze_all(freeze_all(CNN), batch_norm="adapt")) == ()
    assert trainable_layers(freeze_all(CNN, batch_norm="train")) == ("norm_1", "norm_2")
    with pytest.raises(ValueError, match="batch_norm is"):
        freeze(CNN, "conv_1", batch_norm="fixed")


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
    once = freeze(CNN, "conv_*", batch_norm="adapt")
    assert freeze(once, "conv_*", batch_norm="adapt") == once
    assert frozen_layers(freeze(once, "norm_*", batch_norm="adapt")) == ("conv_1", "norm_1", "conv_2", "norm_2")


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


# Inside nested models


def parsed(model):
    return parse_config(keras.saving.serialize_keras_object(model))


def trained_by_name(graph):
    """Names of the variables that the built model trains."""
    model = build_graph(graph)
    trained = {id(each) for each in model.trainable_variables}
    return {name for name, each in name_variables(model).items() if id(each) in trained}


BACKBONE = ("backbone_conv/kernel", "backbone_conv_2/kernel", "backbone_conv_2/bias")
NORMS = ("backbone_norm/gamma", "backbone_norm/beta", "backbone_norm_2/beta")


def inside(*names):
    return {f"backbone/{name}" for name in names}


HEAD = {"label/kernel", "label/bias"}


@pytest.mark.parametrize(
    ("patterns", "frozen"),
    [
        ("backbone/backbone_conv", inside("backbone_conv/kernel")),
        ("backbone/*conv*", inside(*BACKBONE)),
        ("*_2", inside("backbone_conv_2/kernel", "backbone_conv_2/bias", "backbone_norm_2/beta")),
        (r"re:.*/backbone_norm(_2)?", inside(*NORMS)),
        ("backbone", inside(*BACKBONE, *NORMS)),
        (["backbone", "label"], {*inside(*BACKBONE, *NORMS), *HEAD}),
    ],
)
def test_patterns_reach_into_nested_models(patterns, frozen):
    everything = {*inside(*BACKBONE, *NORMS), *HEAD}
    graph = parsed(nested())
    assert trained_by_name(freeze(graph, patterns, batch_norm="adapt")) == everything - frozen
    assert trained_by_name(unfreeze(freeze_all(graph), patterns, batch_norm="adapt")) == frozen


def test_a_pattern_that_fits_nothing_offers_paths_inside_nested_models():
    with pytest.raises(LayerError, match="'outer' has no layer that fits 'backbone/conv'") as caught:
        freeze(parsed(nested()), "backbone/conv")
    assert "'backbone/backbone_conv'" in caught.value.next_step


def test_the_flag_of_a_nested_model_alone_fixes_nothing_as_in_keras():
    graph = parsed(nested())
    backbone = graph.layer("backbone").with_config(trainable=False)
    alone = replace(graph, layers=tuple(backbone if layer.name == "backbone" else layer for layer in graph))
    assert trained_by_name(alone) == trained_by_name(graph)
    assert frozen_layers(alone) == ()
    assert trained_by_name(unfreeze(alone, "backbone/backbone_conv_2")) == trained_by_name(graph) - inside(*NORMS)


@pytest.mark.parametrize("wrap", [lambda inner, x: inner(x), lambda inner, x: L.TimeDistributed(inner, name="td")(x)])
@pytest.mark.parametrize("act", [unfreeze, freeze])
def test_a_layer_trained_inside_a_frozen_model_stays_so_when_another_one_changes(wrap, act):
    x = keras.Input((4, 3), name="x")
    inner = keras.Sequential([L.Dense(3, name="a"), L.Dense(3, name="b")], name="inner")
    model = keras.Model(x, L.Dense(2, name="top")(wrap(inner, x)))
    inner.trainable = False
    inner.get_layer("a").trainable = True
    trained = {name for name, each in name_variables(model).items() if each.trainable}
    assert trained_by_name(parsed(model)) == trained
    top = {"top/kernel", "top/bias"}
    assert trained_by_name(act(parsed(model), "top")) == (trained | top if act is unfreeze else trained - top)
    assert [name.rpartition("/")[2] for name in trainable_layers(parsed(model))] == ["a", "top"]


def test_layers_of_a_nested_model_are_listed_by_their_paths():
    graph = freeze(parsed(nested()), "backbone/backbone_conv")
    assert frozen_layers(graph) == tuple(f"backbone/backbone_{name}" for name in ("conv", "norm", "norm_2"))
    assert trainable_layers(graph) == (
        *(f"backbone/backbone_{name}" for name in ("conv_2", "relu", "pool")),
        *("drop", "label"),
    )


def deep():
    """A model in a model in a model, the middle one Sequential and never built on its own."""
    middle = keras.Sequential([nested(), L.Dense(3, name="end")], name="middle")
    x = keras.Input((8, 8, 3), name="x")
    return keras.Model(x, L.Dense(2, name="last")(middle(L.Conv2D(3, 1, name="first")(x))), name="deep")


def test_paths_lead_through_several_models():
    graph = freeze_all(parsed(deep()))
    graph = unfreeze(graph, "middle/outer/backbone/backbone_conv")
    assert trained_by_name(graph) == {"middle/outer/backbone/backbone_conv/kernel"}
    assert trained_by_name(freeze_up_to(unfreeze_all(parsed(deep())), "middle/outer/backbone")) == {
        *("middle/outer/label/kernel", "middle/outer/label/bias"),
        *("middle/end/kernel", "middle/end/bias", "last/kernel", "last/bias"),
    }


def over_frames():
    inner = keras.Sequential(
        [keras.Input((8, 8, 3)), L.Conv2D(2, 3, name="conv"), L.BatchNormalization(name="norm"), L.Flatten()],
        name="frame",
    )
    x = keras.Input((4, 8, 8, 3), name="x")
    y = L.TimeDistributed(inner, name="each")(x)
    return keras.Model(x, L.Dense(2, name="label")(L.LSTM(3, name="steps")(y)), name="video")


def functional_over_frames():
    x = keras.Input((4, 8, 8, 3), name="x")
    y = L.TimeDistributed(keras.Model(*ends(), name="frame"), name="each")(x)
    return keras.Model(x, L.Dense(2, name="label")(L.LSTM(3, name="steps")(y)), name="video")


def ends():
    x = keras.Input((8, 8, 3), name="one")
    return x, L.Flatten(name="flat")(L.BatchNormalization(name="norm")(L.Conv2D(2, 3, name="conv")(x)))


@pytest.mark.parametrize("build", [over_frames, functional_over_frames])
def test_patterns_reach_into_a_model_inside_a_wrapper(build):
    graph = parsed(build())
    everything = trained_by_name(graph)
    conv = {"each/frame/conv/kernel", "each/frame/conv/bias"}
    norm = {"each/frame/norm/gamma", "each/frame/norm/beta"}
    assert everything > conv | norm
    assert trained_by_name(freeze(graph, "each/frame/conv", batch_norm="adapt")) == everything - conv
    assert trained_by_name(freeze(graph, "each")) == everything - conv - norm
    assert trained_by_name(unfreeze(freeze_all(graph), "*conv")) == conv
    assert trained_by_name(freeze_all(graph, batch_norm="train")) == norm
    assert trained_by_name(freeze_up_to(graph, "each/frame/conv", batch_norm="adapt")) == everything - conv
    assert trained_by_name(freeze_up_to(graph, "each/frame", batch_norm="adapt")) == everything - conv - norm


# Up to a layer, from a layer, the last blocks


def two_branches():
    x = keras.Input((8, 8, 3), name="x")
    stem = L.Conv2D(4, 3, padding="same", name="stem")(x)
    left = L.Conv2D(4, 3, padding="same", name="left_2")(L.Conv2D(4, 1, name="left_1")(stem))
    right = L.Conv2D(4, 3, padding="same", name="right_2")(L.Conv2D(4, 1, name="right_1")(stem))
    y = L.Conv2D(4, 3, name="after")(L.Add(name="join")([left, right]))
    return keras.Model(x, L.Dense(2, name="label")(L.GlobalAveragePooling2D(name="pool")(y)), name="branches")


def test_freezing_up_to_a_layer_follows_the_edges_so_that_a_parallel_branch_is_trained():
    graph = parsed(two_branches())
    frozen = frozen_layers(freeze_up_to(graph, "left_2"))
    assert frozen == ("stem", "left_1", "left_2")
    assert set(frozen_layers(freeze_up_to(graph, "join"))) == {
        *("stem", "left_1", "left_2", "right_1", "right_2", "join"),
    }


def test_freezing_up_to_a_layer_leaves_the_rest_as_it_was():
    graph = freeze(parsed(two_branches()), "right_1")
    assert frozen_layers(freeze_up_to(graph, "stem")) == ("stem", "right_1")


def test_freezing_up_to_a_layer_of_a_nested_model_freezes_what_feeds_the_model():
    graph = freeze_up_to(parsed(deep()), "middle/outer/backbone/backbone_norm")
    assert [name for name in frozen_layers(graph) if "norm_2" not in name] == [
        "first",
        *("middle/outer/backbone/backbone_conv", "middle/outer/backbone/backbone_norm"),
    ]


def test_a_layer_that_is_called_twice_depends_on_what_feeds_either_call():
    one, two = keras.Input((4,), name="one"), keras.Input((4,), name="two")
    layer = L.Dense(4, name="shared")
    first, second = layer(L.Dense(4, name="a")(one)), layer(L.Dense(4, name="b")(two))
    model = keras.Model([one, two], L.Dense(2, name="label")(L.Add(name="join")([first, second])), name="twins")
    assert frozen_layers(freeze_up_to(parsed(model), "shared")) == ("a", "b", "shared")


def test_a_layer_up_to_or_from_which_that_is_not_there_offers_the_nearest():
    for act in (freeze_up_to, unfreeze_from):
        with pytest.raises(LayerError, match="no layer 'backbone/conv'") as caught:
            act(parsed(nested()), "backbone/conv")
        assert "'backbone/backbone_conv'" in caught.value.next_step


def test_training_from_a_layer_of_a_nested_model_goes_by_the_order_of_all_layers():
    graph = unfreeze_from(parsed(nested()), "backbone/backbone_conv_2")
    assert trained_by_name(graph) == {*inside("backbone_conv_2/kernel", "backbone_conv_2/bias"), *HEAD}
    assert trained_by_name(unfreeze_from(parsed(nested()), "backbone", batch_norm="adapt")) == {
        *inside(*BACKBONE, *NORMS),
        *HEAD,
    }


def test_the_last_blocks_and_the_head_are_trained():
    graph = attach(parsed(plain()), [Head("label", 3, hidden=(4,)), Head("other", 2)])
    heads = {f"{name}/{role}" for name in ("label_hidden_1", "label", "other") for role in ("kernel", "bias")}
    assert trained_by_name(unfreeze_last(graph, 0)) == heads
    assert trained_by_name(unfreeze_last(graph, 1)) == {"conv_2/kernel", *heads}
    assert trained_by_name(unfreeze_last(graph, 1, batch_norm="adapt")) == {
        *("conv_2/kernel", "norm_2/gamma", "norm_2/beta"),
        *heads,
    }
    assert trained_by_name(unfreeze_last(graph, 2)) == {"conv_1/kernel", "conv_2/kernel", *heads}


def test_the_last_blocks_of_a_real_network_are_trained():
    model = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.35, classes=4)
    layers = ("block_16_expand", "block_16_depthwise", "block_16_project", "Conv_1")
    kernels = {f"{name}/kernel" for name in layers} | {"predictions/kernel", "predictions/bias"}
    assert trained_by_name(unfreeze_last(parsed(model), 2)) == kernels
    norms = norm("block_16_expand_BN", "block_16_depthwise_BN", "block_16_project_BN", "Conv_1_bn")
    adapted = trained_by_name(unfreeze_last(parsed(model), 2, batch_norm="adapt"))
    assert adapted == kernels | {name for name in norms if name.endswith(("gamma", "beta"))}


def test_more_blocks_than_there_are_are_refused_with_their_number():
    graph = parsed(plain())
    with pytest.raises(LayerError, match="fewer blocks than 3") as caught:
        unfreeze_last(graph, 3)
    assert caught.value.problems[0].expected == "at most 2"
    with pytest.raises(ValueError, match="at least 0"):
        unfreeze_last(graph, -1)


# Under training


def plain():
    y = x = keras.Input((8, 8, 3), name="x")
    for k in (1, 2):
        y = L.Conv2D(4, 3, use_bias=False, name=f"conv_{k}")(y)
        y = L.ReLU(name=f"relu_{k}")(L.BatchNormalization(name=f"norm_{k}")(y))
    return keras.Model(x, L.GlobalAveragePooling2D(name="pool")(y), name="plain")


def moved(graph):
    """Names of the variables that are others after one step of training."""
    model = build_graph(graph)
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    before = values(model)
    random = np.random.RandomState(0)
    x = [random.rand(8, *each.shape[1:]).astype("float32") for each in model.inputs]
    y = [random.rand(8, *each.shape[1:]).astype("float32") for each in model.outputs]
    model.fit(x if len(x) > 1 else x[0], y if len(y) > 1 else y[0], batch_size=8, epochs=1, verbose=0)
    return {name for name, each in values(model).items() if not np.array_equal(before[name], each)}


def values(model):
    return {name: np.array(keras.ops.convert_to_numpy(each)) for name, each in name_variables(model).items()}


STATISTICS = ("moving_mean", "moving_variance")


def norm(*names, roles=("gamma", "beta", *STATISTICS)):
    return {f"{name}/{role}" for name in names for role in roles}


@pytest.mark.parametrize(
    ("policy", "norms"),
    [("frozen", set()), ("adapt", norm("norm_2")), ("train", norm("norm_1", "norm_2"))],
)
def test_under_training_each_policy_moves_its_normalizations_and_nothing_else(policy, norms):
    graph = attach(parsed(plain()), [Head("label", 2)])
    expected = {"conv_2/kernel", "label/kernel", "label/bias", *norms}
    assert moved(unfreeze_from(graph, "conv_2", batch_norm=policy)) == expected
    assert moved(unfreeze_last(graph, 1, batch_norm=policy)) == expected
    assert moved(freeze_up_to(graph, "relu_1", batch_norm=policy)) == expected
    assert moved(freeze(graph, "*_1", batch_norm=policy)) == expected


@pytest.mark.parametrize(
    ("policy", "norms"),
    [("frozen", set()), ("adapt", set()), ("train", norm("backbone/backbone_norm") | norm("backbone/backbone_norm_2"))],
)
def test_under_training_a_frozen_nested_model_moves_its_normalizations_only_if_they_are_trained(policy, norms):
    norms = {name for name in norms if name != "backbone/backbone_norm_2/gamma"}  # it has none
    assert moved(freeze(parsed(nested()), "backbone", batch_norm=policy)) == {*norms, *HEAD}


def test_under_training_only_batch_norm_moves_where_only_it_is_trained():
    assert moved(freeze_all(parsed(plain()), batch_norm="train")) == norm("norm_1", "norm_2")


def test_under_training_the_model_in_a_wrapper_keeps_its_bits_and_statistics():
    graph = parsed(over_frames())
    rest = moved(freeze(graph, "each"))
    assert rest == {f"steps/lstm_cell/{role}" for role in ("kernel", "recurrent_kernel", "bias")} | HEAD
    assert moved(freeze(graph, "each", batch_norm="train")) == rest | norm("each/frame/norm")
    assert moved(freeze(graph, "each/frame/norm")) == rest | {"each/frame/conv/kernel", "each/frame/conv/bias"}


def test_under_training_a_frozen_layer_that_is_shared_keeps_its_bits():
    assert {name.split("/")[0] for name in moved(freeze(parsed(shared()), "shared"))} == {"own", "left", "right"}


def test_under_training_wrapped_normalizations_follow_the_policy():
    graph = graph_of(lambda x: L.TimeDistributed(L.BatchNormalization(name="norm"), name="layer")(x))

    def moved_below(graph):
        return moved(attach(graph, [Head("label", 2)])) - HEAD

    assert moved_below(freeze_all(graph)) == set()
    assert moved_below(unfreeze_all(graph)) == set()
    assert moved_below(freeze_all(graph, batch_norm="train")) == norm("layer/norm")
    assert moved_below(unfreeze_all(graph, batch_norm="adapt")) == norm("layer/norm")
    assert moved_below(freeze_all(graph, batch_norm="adapt")) == set()


@pytest.mark.parametrize(
    ("kind", "registered"), [("SyncBatchNormalization", None), ("Norm", "mine>SyncBatchNormalization")]
)
def test_classes_called_like_batch_norm_follow_the_policy(kind, registered):
    own = Layer("own", kind, {"name": "own"}, module="mine", registered_name=registered)
    wrapped = Layer(
        "td", "TimeDistributed", {"layer": {"class_name": kind, "config": {}, "registered_name": registered}}
    )
    graph = replace(CNN, layers=(*CNN.layers, own, wrapped))
    assert set(frozen_layers(unfreeze_all(graph))) == {"norm_1", "norm_2", "own"}
    held = unfreeze_all(graph).layer("td").config["layer"]
    assert held["config"]["trainable"] is False
    assert frozen_layers(unfreeze_all(graph, batch_norm="adapt")) == ()
    assert set(trainable_layers(freeze_all(graph, batch_norm="train"))) == {"norm_1", "norm_2", "own", "td"}
