"""Our counts beside TensorFlow's own, layer by layer and for whole trainings."""

from __future__ import annotations

import keras
import pytest
import tensorflow as tf
from keras import layers

from transfer.analysis.counting_flops import count_graph_flops
from transfer.analysis.training_cost import count_training
from transfer.models.building import read_model
from transfer.models.profiling import profile_flops, profile_graph

ONE_LAYER = {
    "dense": ((7,), layers.Dense(5)),
    "dense over positions": ((4, 6, 7), layers.Dense(5)),
    "convolution": ((12, 10, 3), layers.Conv2D(8, (3, 5), strides=2, padding="same")),
    "convolution without padding": ((12, 10, 3), layers.Conv2D(8, 3)),
    "convolution along time": ((20, 3), layers.Conv1D(4, 5, padding="causal")),
    "convolution in space": ((6, 7, 8, 2), layers.Conv3D(4, 3)),
    "dilated convolution": ((16, 16, 3), layers.Conv2D(4, 3, dilation_rate=2)),
    "depthwise convolution": ((9, 9, 4), layers.DepthwiseConv2D(3, depth_multiplier=2)),
    "separable convolution": ((9, 9, 4), layers.SeparableConv2D(6, 3, depth_multiplier=2, padding="same")),
    "transposed convolution": ((5, 6, 4), layers.Conv2DTranspose(3, 4, strides=2, padding="same")),
    "einsum": ((6, 5, 4), layers.EinsumDense("abcd,cde->abe", output_shape=(6, 3), bias_axes="e")),
    "simple recurrence": ((5, 3), layers.SimpleRNN(4, unroll=True)),
    "lstm": ((5, 3), layers.LSTM(4, unroll=True)),
    "gru": ((5, 3), layers.GRU(4, unroll=True)),
    "gru of Keras 1": ((5, 3), layers.GRU(4, unroll=True, reset_after=False)),
    "both ways": ((5, 3), layers.Bidirectional(layers.LSTM(4, unroll=True))),
    "stacked cells": ((5, 3), layers.RNN([layers.GRUCell(4), layers.LSTMCell(6)], unroll=True)),
    "convolution over time and space": ((3, 8, 8, 2), layers.ConvLSTM2D(4, 3, unroll=True)),
    "at each time": ((3, 8, 8, 2), layers.TimeDistributed(layers.Conv2D(4, 3))),
}


@pytest.mark.parametrize("kind", ONE_LAYER)
def test_the_products_of_a_layer_are_those_that_tensorflow_counts(kind: str):
    shape, layer = ONE_LAYER[kind]
    model = keras.Sequential([keras.Input(shape), layer.__class__.from_config(layer.get_config())])

    counted = count_graph_flops(read_model(model).graph)

    assert not counted.uncounted
    assert counted.parameters == model.count_params()
    assert counted.flops == profile_flops(model).products > 0


@pytest.mark.parametrize("heads", [1, 3])
def test_the_projections_of_attention_are_those_that_tensorflow_counts(heads: int):
    query, value = keras.Input((6, 8)), keras.Input((9, 10))
    given = layers.MultiHeadAttention(heads, 5, value_dim=7, output_shape=11, flash_attention=False)(query, value)
    model = keras.Model([query, value], given)

    counted = count_graph_flops(read_model(model).graph)

    profile, scores = profile_flops(model), heads * 6 * 9 * (5 + 7)
    assert not counted.uncounted
    assert profile.uncounted["Einsum"] == 2  # the scores, and what they weigh: TensorFlow has no number for these
    assert counted.flops - 2 * scores == profile.products > 0


@pytest.mark.parametrize("layer", [layers.Attention(), layers.Attention(use_scale=True), layers.Dot(axes=(2, 2))])
def test_the_products_of_two_activations_are_those_that_tensorflow_counts(layer: keras.layers.Layer):
    query, value = keras.Input((6, 8)), keras.Input((9, 8))
    model = keras.Model([query, value], layer([query, value]))

    counted = count_graph_flops(read_model(model).graph)

    assert not counted.uncounted
    assert counted.flops == profile_flops(model).products > 0


def _gradient_products(model: keras.Model) -> int:
    """FLOPs of products in one step forwards and backwards on one example, by TensorFlow's count.

    TensorFlow draws the gradients of both sides of each product and leaves out what nobody needs when it runs them.
    """

    def step(values):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(values, training=False) ** 2)
        return tape.gradient(loss, model.trainable_variables)

    traced = tf.function(step).get_concrete_function(tf.TensorSpec((1, *model.input_shape[1:])))
    wanted = [each.op.name for each in traced.outputs]
    needed = tf.compat.v1.graph_util.extract_sub_graph(traced.graph.as_graph_def(add_shapes=True), wanted)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(needed, name="")
    return profile_graph(graph).products


def _convolutional() -> keras.Model:
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, padding="same", name="one")(inputs)
    left = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="left")(x)
    right = layers.Conv2D(4, 3, strides=2, padding="same", name="right")(x)
    right = layers.Conv2D(6, 1, name="pointwise")(right)
    x = layers.GlobalAveragePooling2D()(layers.Add()([left, right]))
    return keras.Model(inputs, layers.Dense(5, name="head")(layers.Dense(8, name="hidden")(x)))


@pytest.mark.parametrize(
    "trained", [("head",), ("hidden", "head"), ("right", "head"), ("left",), ("one",), ("one", "pointwise", "hidden")]
)
def test_a_step_costs_what_tensorflow_counts_for_it_wherever_the_boundary_lies(trained: tuple[str, ...]):
    model = _convolutional()
    for layer in model.layers:
        layer.trainable = layer.name in trained

    assert 2 * count_training(read_model(model).graph).step == _gradient_products(model)


def test_what_is_inside_a_layer_needs_gradients_though_its_input_does_not():
    model = keras.Sequential([keras.Input((5, 3)), layers.LSTM(4, unroll=True), layers.Dense(2)])

    cost = count_training(read_model(model).graph)

    # The first step's state is zero and its gradient unused: TensorFlow leaves the product with the kernel out.
    assert cost.backward_inputs == 5 * 4 * 4 * 4 + 4 * 2
    assert 2 * (cost.step - 4 * 4 * 4) == _gradient_products(model)


def test_loops_whose_bodies_tensorflow_counts_once_are_named():
    model = keras.Sequential([keras.Input((5, 3)), layers.LSTM(4)])
    counted = count_graph_flops(read_model(model).graph)
    profile = profile_flops(model)
    assert (counted.flops, profile.products) == (5 * 2 * (3 + 4) * 16, 2 * 3 * 16)  # 5 steps, and a part of one
    told = profile.beside(counted.flops, counted.elementwise).splitlines()[-1]
    assert told == "  of what a loop repeats it counts one step at most; here each step of a recurrent layer counts"
    twice = keras.Sequential([keras.Input((5, 3)), layers.LSTM(4, return_sequences=True), layers.GRU(2)])
    assert "what 2 loops repeat" in profile_flops(twice).beside(1, 1)


def test_steps_that_stand_one_by_one_need_no_word():
    model = keras.Sequential([keras.Input((5, 3)), layers.LSTM(4, unroll=True)])
    assert "repeat" not in profile_flops(model).beside(1, 1)
