"""Blocks of networks, by their names where they have them, and the head behind them."""

import keras
import pytest

from transfer.graphs.attaching import attach
from transfer.graphs.blocks import blocks_of, head_of
from transfer.graphs.cutting import cut
from transfer.graphs.feature_layers import feature_layer
from transfer.graphs.parsing import parse_config
from transfer.specs import Head

L = keras.layers


def graph_of(model):
    return parse_config(keras.saving.serialize_keras_object(model))


def application(name, **options):
    return graph_of(getattr(keras.applications, name)(weights=None, **options))


def holding_weights(model):
    """Statistics of a preprocessing layer are no part of a block."""
    return {each.name for each in model.layers if each.weights and not isinstance(each, keras.layers.Normalization)}


MOBILE = tuple(f"block_{k}" for k in range(1, 17))
EFFICIENT = (
    *("block1a", "block2a", "block2b", "block3a", "block3b", "block4a", "block4b", "block4c"),
    *("block5a", "block5b", "block5c", "block6a", "block6b", "block6c", "block6d", "block7a"),
)
RESIDUAL = tuple(f"conv{stage}_block{k}" for stage, n in ((2, 3), (3, 4), (4, 6), (5, 3)) for k in range(1, n + 1))
DENSE = tuple(
    name
    for stage, n in ((2, 6), (3, 12), (4, 24), (5, 16))
    for name in (*(f"conv{stage}_block{k}" for k in range(1, n + 1)), *([f"pool{stage}"] if stage < 5 else []))
)


@pytest.mark.parametrize(
    ("name", "prefixes"),
    [
        ("VGG16", ("block1", "block2", "block3", "block4", "block5", "fc1", "fc2")),
        ("ResNet50", ("conv1", *RESIDUAL)),
        ("MobileNetV2", ("Conv1", "expanded_conv", *MOBILE, "Conv_1")),
        ("EfficientNetB0", ("stem_conv", *EFFICIENT, "top_conv")),
        ("DenseNet121", ("conv1_conv", *DENSE)),
    ],
)
def test_applications_have_the_blocks_of_their_papers(name, prefixes):
    model = getattr(keras.applications, name)(weights=None)
    graph = graph_of(model)
    blocks = blocks_of(graph)
    assert head_of(graph) == {"predictions"}
    assert len(blocks) == len(prefixes)
    for block, prefix in zip(blocks, prefixes, strict=True):
        assert block[0].startswith(prefix)
        others = [f"{other}_" for other in prefixes if other != prefix]
        assert not [each for each in block if each.startswith(tuple(others)) and not each.startswith(f"{prefix}_")]
    flat = [each for block in blocks for each in block]
    assert len(flat) == len(set(flat))
    assert holding_weights(model) <= {*flat} | head_of(graph)


def test_a_residual_block_is_whole_and_what_follows_a_stem_goes_with_it():
    blocks = blocks_of(application("ResNet50"))
    assert blocks[0] == ("conv1_conv", "conv1_bn", "conv1_relu")
    assert blocks[-1] == (
        *("conv5_block3_1_conv", "conv5_block3_1_bn", "conv5_block3_1_relu"),
        *("conv5_block3_2_conv", "conv5_block3_2_bn", "conv5_block3_2_relu"),
        *("conv5_block3_3_conv", "conv5_block3_3_bn", "conv5_block3_add", "conv5_block3_out"),
    )


def test_the_normalization_at_the_end_of_a_network_goes_with_its_last_block():
    assert blocks_of(application("DenseNet121"))[-1][-2:] == ("bn", "relu")


def test_shortcuts_without_a_block_name_belong_to_the_block_that_they_bridge():
    graph = application("Xception")
    blocks = blocks_of(graph)
    assert len(blocks) == 14
    shortcuts = [each for each in graph if each.class_name == "Conv2D" and not each.name.startswith(("block", "pred"))]
    assert [sum(each.name in block for each in shortcuts) for block in blocks] == [0, 1, 1, 1] + [0] * 8 + [1, 0]


@pytest.mark.parametrize(("name", "count"), [("InceptionV3", 11), ("MobileNet", 14), ("MobileNetV3Small", 14)])
def test_other_names_of_blocks(name, count):
    blocks = blocks_of(application(name))
    assert len(blocks) == count
    ends = {"InceptionV3": "mixed10", "MobileNet": "conv_pw_13_relu"}
    assert name not in ends or blocks[-1][-1] == ends[name]


def test_a_convolution_behind_the_last_pooling_is_a_head():
    assert head_of(application("MobileNet")) == {"conv_preds"}


def test_a_network_without_its_top_has_the_same_blocks_and_no_head():
    whole, bare = application("MobileNetV2"), application("MobileNetV2", include_top=False)
    assert head_of(bare) == frozenset()
    assert blocks_of(bare) == blocks_of(whole)


def test_a_network_that_is_nested_has_the_blocks_of_its_layers_under_its_name():
    inner = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3))
    x = keras.Input((32, 32, 3), name="x")
    y = L.GlobalAveragePooling2D(name="pool")(inner(x))
    graph = graph_of(keras.Model(x, L.Dense(3, name="label")(y)))
    assert head_of(graph) == {"label"}
    assert blocks_of(graph) == tuple(
        tuple(f"{inner.name}/{each}" for each in block) for block in blocks_of(graph_of(inner))
    )


def test_new_heads_with_hidden_layers_are_in_no_block():
    graph = application("VGG16", include_top=False)
    blocks = blocks_of(graph)
    graph = attach(graph, [Head("label", 5, hidden=(8, 4), dropout=0.5), Head("hidden", 2)])
    assert head_of(graph) == {
        *("label", "label_hidden_1", "label_hidden_2", "label_dropout", "label_dropout_1", "hidden"),
    }
    assert blocks_of(graph) == (
        *blocks[:4],
        (*blocks[4], "block5_pool_avg_pool"),
    )  # the pooling is called after its map
    assert len(blocks) == 5


# Chains without names


def chain(*layers, shape=(16, 16, 3)):
    return graph_of(keras.Sequential([keras.Input(shape), *layers], name="chain"))


def test_in_a_chain_each_layer_with_weights_is_a_block_with_what_follows_it():
    graph = chain(
        L.Normalization(name="look"),
        L.Conv2D(4, 3, name="one"),
        L.BatchNormalization(name="one_norm"),
        L.ReLU(name="one_relu"),
        L.MaxPooling2D(name="pool"),
        L.Dropout(0.1, name="drop"),
        L.Conv2D(4, 3, activation="relu", name="two"),
        L.Flatten(name="flat"),
        L.Dense(6, name="dense"),
        L.PReLU(name="bend"),
        L.LayerNormalization(name="dense_norm"),
        L.Dense(3, name="logits"),
        L.Softmax(name="probabilities"),
    )
    assert blocks_of(graph) == (
        ("one", "one_norm", "one_relu"),
        ("two",),
        ("dense", "bend", "dense_norm"),
    )
    assert head_of(graph) == {"logits"}


def test_a_chain_of_dense_layers_ends_in_its_head():
    graph = chain(*(L.Dense(4, name=name) for name in "abc"), shape=(4,))
    assert blocks_of(graph) == (("a",), ("b",))
    assert head_of(graph) == {"c"}
    assert head_of(cut(graph, feature_layer(graph))) == {"b"}  # which might as well be features


def test_a_chain_that_ends_in_a_convolution_has_no_head():
    graph = chain(L.Conv2D(4, 3, name="one"), L.Conv2D(2, 3, name="two"), L.ReLU(name="relu"))
    assert (blocks_of(graph), head_of(graph)) == ((("one",), ("two", "relu")), frozenset())


def test_layers_that_hold_layers_are_blocks_and_a_model_in_a_wrapper_is_looked_into():
    frame = keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(2, 3, name="conv"), L.Flatten()], name="frame")
    graph = chain(
        L.TimeDistributed(frame, name="each"),
        L.Bidirectional(L.LSTM(3, return_sequences=True), name="both"),
        L.TimeDistributed(L.Dense(4), name="steps"),
        L.GRU(2, name="last"),
        L.Dense(2, name="label"),
        shape=(4, 8, 8, 3),
    )
    assert blocks_of(graph) == (("each/frame/conv",), ("both",), ("steps",), ("last",))


def test_a_head_inside_a_model_at_the_end_is_found():
    x = keras.Input((6,), name="x")
    top = keras.Sequential([L.Dense(4, name="hidden"), L.Dense(2, name="label")], name="top")
    graph = graph_of(keras.Model(x, top(L.Dense(5, name="body")(x))))
    assert head_of(graph) == {"top/label"}
    assert blocks_of(graph) == (("body",), ("top/hidden",))


def test_every_output_has_a_head_and_operations_in_between_do_not_matter():
    x = keras.Input((6,), name="x")
    body = keras.ops.relu(L.Dense(5, name="body")(x))
    outputs = [keras.ops.softmax(L.Dense(2, name="left")(body)), L.Dense(1, name="right")(body), body]
    graph = graph_of(keras.Model(x, outputs))
    assert head_of(graph) == {"left", "right", "body"}
    graph = graph_of(keras.Model(x, outputs[:2]))
    assert head_of(graph) == {"left", "right"}
    assert [block[0] for block in blocks_of(graph)] == ["body"]
