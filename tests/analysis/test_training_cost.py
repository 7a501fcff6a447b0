"""What a step costs at a freeze boundary, worked out by hand; tests/models/test_profiling.py asks TensorFlow."""

from __future__ import annotations

from math import prod

import keras
import pytest
from keras import layers

import transfer
from transfer.analysis.counting_flops import count_graph_flops
from transfer.analysis.freeze_boundaries import cost_boundaries
from transfer.analysis.training_cost import count_training
from transfer.graphs.freezing import unfreeze_last
from transfer.graphs.graph import Ref
from transfer.graphs.input_shapes import with_input_shapes
from transfer.graphs.shapes import infer_shapes
from transfer.graphs.splitting import split
from transfer.jobs.diagnoses.counting_flops import settle_shapes
from transfer.models.building import read_model
from transfer.surgery.planning import own_graph


def three(trained: str) -> keras.Model:
    model = keras.Sequential(
        [keras.Input((5,)), layers.Dense(4, name="a"), layers.Dense(3, name="b"), layers.Dense(2, name="c")]
    )
    for layer in model.layers:
        layer.trainable = layer.name in trained
    return model


def test_frozen_layers_before_the_boundary_cost_a_forward_pass_that_can_be_kept():
    cost = count_training(read_model(three("c")).graph)
    assert (cost.forward, cost.backward_weights, cost.backward_inputs) == (20 + 12 + 6, 6, 0)
    assert (cost.prefix, cost.feature_bytes, cost.trainable) == (32, 3 * 4, 8)
    assert (cost.step, cost.cached_step) == (44, 12)


def test_a_frozen_layer_after_a_trained_one_hands_gradients_through():
    cost = count_training(read_model(three("ac")).graph)
    assert (cost.backward_weights, cost.backward_inputs) == (20 + 6, 12 + 6)
    assert cost.prefix == 0


def test_an_epoch_with_kept_features_runs_the_prefix_once():
    cost = count_training(read_model(three("c")).graph)
    assert cost.total(100, 10, cached=False) == 100 * 10 * 44
    assert cost.total(100, 10, cached=True) == 100 * (32 + 10 * 12)


def test_scores_of_attention_are_a_product_of_two_activations_and_need_both_gradients():
    inputs = keras.Input((6, 8))
    x = layers.Dense(8, name="before")(inputs)
    model = keras.Model(inputs, layers.Attention(name="mix")([x, x]))
    scores = 6 * 6 * (8 + 8)
    cost = count_training(read_model(model).graph)
    assert (cost.forward, cost.backward_inputs, cost.backward_weights) == (384 + scores, 2 * scores, 384)


def test_layers_of_models_inside_count_one_by_one():
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(4, name="a"), layers.Dense(3, name="b")], name="inner")
    inner.get_layer("a").trainable = False
    inputs = keras.Input((5,))
    cost = count_training(read_model(keras.Model(inputs, layers.Dense(2, name="c")(inner(inputs)))).graph)
    assert (cost.backward_weights, cost.backward_inputs, cost.prefix) == (12 + 6, 6, 20)


@pytest.mark.parametrize("blocks", [0, 1, 5, 12, 19])
def test_what_can_be_kept_is_what_a_split_puts_into_its_prefix(blocks: int):
    graph = with_input_shapes(own_graph(transfer.open_checkpoint("mobilenet_v2_imagenet")), (96, 96, 3))
    flagged = unfreeze_last(graph, blocks)
    parts = split(flagged, latest=True, stilled=True)
    cost = count_training(flagged)
    assert cost.prefix == count_graph_flops(parts.prefix).macs
    assert cost.cached_step - cost.backward == count_graph_flops(parts.suffix).macs
    shapes = infer_shapes(flagged)
    assert cost.feature_bytes == 4 * sum(prod(shapes[ref]) for ref in parts.boundary)


def test_a_boundary_told_for_all_blocks_is_the_one_that_the_flags_give():
    graph = with_input_shapes(own_graph(transfer.open_checkpoint("mobilenet_v2_imagenet")), (96, 96, 3))
    for each in cost_boundaries(graph).boundaries[::4]:
        assert each.cost == count_training(unfreeze_last(graph, each.blocks))


def test_a_mask_is_not_kept_so_the_boundary_lies_before_it():
    inputs = keras.Input((6,), dtype="int32")
    embedded = layers.Embedding(9, 4, mask_zero=True, name="embed")(inputs)
    embedded = layers.Dense(5, name="frozen")(embedded)
    model = keras.Model(inputs, layers.Dense(2, name="label")(layers.LSTM(3, name="read")(embedded)))
    for name in ("embed", "frozen"):
        model.get_layer(name).trainable = False
    cost = count_training(read_model(model).graph)
    assert (cost.prefix, cost.feature_bytes) == (0, 6 * 4 + 6)  # the words, and the mask that Keras makes of them


def test_layers_that_are_not_counted_are_told_below_the_table():
    inputs = keras.Input((800,))
    x = layers.GlobalAveragePooling1D()(layers.MelSpectrogram(name="mel", fft_length=256)(inputs))
    graph = read_model(keras.Model(inputs, layers.Dense(2, name="label")(x))).graph
    assert str(cost_boundaries(graph)).splitlines()[-1].startswith("not counted: mel")
    told = str(cost_boundaries(graph, shapes=settle_shapes(graph))).splitlines()[-1]
    assert told == "not counted: mel"


def test_parameters_behind_a_layer_without_a_rule_are_counted_where_its_shape_is_known():
    inputs = keras.Input((800,))
    x = layers.GlobalAveragePooling1D()(layers.MelSpectrogram(name="mel", fft_length=256)(inputs))
    graph = read_model(keras.Model(inputs, layers.Dense(2, name="label")(x))).graph
    shapes = settle_shapes(graph)
    bands = shapes[Ref("label")][0], shapes[Ref("mel")][-1]
    assert cost_boundaries(graph, shapes=shapes).boundaries[0].cost.trainable == 2 * bands[1] + bands[0]


def test_boundaries_go_from_the_head_to_everything_and_cost_more_each_time():
    model = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.Conv2D(4, 3, name="block1_conv"),
            layers.Conv2D(4, 3, name="block2_conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, name="label"),
        ]
    )
    found = cost_boundaries(read_model(model).graph, (8, 8, 3)).boundaries
    assert [(each.first, each.blocks) for each in found] == [("head", 0), ("block2_conv", 1), ("block1_conv", 2)]
    one, two = 36 * 4 * 27, 16 * 4 * 36
    forward = one + two + 8
    assert [each.cost.step for each in found] == [forward + 8, forward + 2 * 8 + two, forward + 2 * 8 + 2 * two + one]
    assert [each.cost.prefix for each in found] == [one + two, one, 0]
    assert [each.cost.feature_bytes for each in found] == [4 * 4, 4 * 36 * 4, 4 * 8 * 8 * 3]
