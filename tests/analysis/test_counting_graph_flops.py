"""Multiply-adds against a count by loops, and how a network is counted through what is inside it."""

from __future__ import annotations

from itertools import product

import keras
import pytest
from keras import layers

from transfer.analysis.counting_flops import count_graph_flops
from transfer.errors import LayerError
from transfer.graphs.graph import Ref
from transfer.graphs.hard_sigmoid import old_hard_sigmoid
from transfer.models.building import read_model


def counted(model: keras.Model, input_shape=None, **options):
    return count_graph_flops(read_model(model).graph, input_shape, **options)


def row(model: keras.Model, name: str):
    return next(layer for layer in counted(model).layers if layer.name == name)


def of_one(layer: keras.layers.Layer, shape: tuple[int, ...]):
    return row(keras.Sequential([keras.Input(shape), layer]), layer.name)


def by_loops(side: int, channels: int, filters: int, *, kernel: int, stride: int, groups: int) -> int:
    """Multiplications of a square convolution that keeps the size, one by one."""
    found, out = 0, -(-side // stride)
    for _ in product(range(out), range(out), range(filters)):
        for _ in product(range(kernel), range(kernel), range(channels // groups)):
            found += 1
    return found


@pytest.mark.parametrize(("kernel", "stride", "groups"), [(3, 1, 1), (3, 2, 1), (5, 1, 2), (1, 1, 4), (3, 1, 4)])
def test_a_convolution_is_counted_as_loops_do(kernel: int, stride: int, groups: int):
    layer = layers.Conv2D(8, kernel, strides=stride, groups=groups, padding="same", name="x")
    assert of_one(layer, (7, 7, 4)).macs == by_loops(7, 4, 8, kernel=kernel, stride=stride, groups=groups)


def test_channels_may_come_first():
    layer = layers.Conv2D(8, 3, data_format="channels_first", name="x")
    assert of_one(layer, (4, 7, 9)).macs == 5 * 7 * 8 * 3 * 3 * 4


def test_a_transposed_convolution_puts_its_kernel_at_each_position_of_its_input():
    assert of_one(layers.Conv2DTranspose(3, 4, strides=2, name="x"), (5, 6, 7)).macs == 5 * 6 * 4 * 4 * 7 * 3


def test_an_lstm_has_four_gates_with_a_kernel_for_the_input_and_one_for_the_state():
    found = of_one(layers.LSTM(6, name="x"), (10, 4))
    assert found.macs == 10 * 4 * (6 * 4 + 6 * 6)
    # per step and unit: 4 biases, 4 sums, 3 sigmoids of 4, 2 tanh, 3 products and a sum
    assert found.elementwise == 10 * 6 * (4 + 4 + 3 * 4 + 2 + 4)
    assert found.parameters == 4 * (6 * 4 + 6 * 6 + 6)


def test_grouped_attention_projects_fewer_keys_than_queries():
    query = keras.Input((5, 8))
    model = keras.Model(query, layers.GroupQueryAttention(6, 4, 2, use_bias=False, name="x")(query, query))
    projections = 5 * 8 * 6 * (4 + 4) + 2 * 5 * 8 * 6 * 2
    assert row(model, "x").macs == projections + 4 * 5 * 5 * 6 * 2


def test_attention_along_one_axis_is_done_side_by_side_along_the_others():
    value = keras.Input((3, 5, 8))
    model = keras.Model(value, layers.MultiHeadAttention(2, 4, attention_axes=2, name="x")(value, value))
    assert row(model, "x").work.product_macs == 3 * 2 * 5 * 5 * (4 + 4)


def test_an_embedding_multiplies_nothing_and_moves_the_rows_that_are_asked_for():
    found = of_one(layers.Embedding(1000, 16, name="x"), (7,))
    assert (found.macs, found.elementwise, found.parameters) == (0, 0, 16_000)
    assert found.bytes_moved == 4 * (7 + 7 * 16 + 7 * 16)


@pytest.mark.parametrize(
    ("layer", "operations"),
    [
        (layers.BatchNormalization(name="x"), 2 * 96),
        (layers.LayerNormalization(name="x"), 7 * 96),
        (layers.LayerNormalization(center=False, name="x"), 6 * 96),
        (layers.MaxPooling2D(2, name="x"), 4 * 24),
        (layers.GlobalAveragePooling2D(name="x"), 96),
        (layers.ReLU(6.0, name="x"), 2 * 96),
        (layers.Activation("sigmoid", name="x"), 4 * 96),
        (layers.Softmax(name="x"), 5 * 96),
        (layers.UpSampling2D(2, name="x"), 0),
        (layers.UpSampling2D(2, interpolation="bilinear", name="x"), 7 * 4 * 96),
        (layers.Dropout(0.5, name="x"), 0),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_is_no_product_stands_in_a_column_of_its_own(layer: keras.layers.Layer, operations: int):
    found = of_one(layer, (4, 6, 4))
    assert (found.macs, found.elementwise) == (0, operations)


def test_bytes_are_inputs_outputs_and_parameters_in_the_type_of_each():
    assert of_one(layers.Dense(3, name="x"), (5,)).bytes_moved == 4 * (5 + 3 + 5 * 3 + 3)
    halved = of_one(layers.Dense(3, dtype="mixed_float16", name="x"), (5,))
    assert halved.bytes_moved == 2 * (5 + 3) + 4 * (5 * 3 + 3)
    assert of_one(layers.Flatten(name="x"), (5, 2)).bytes_moved == 0


def test_a_shared_layer_works_at_each_call_and_holds_its_parameters_once():
    one, two = keras.Input((4,)), keras.Input((4,))
    shared = layers.Dense(3, name="shared")
    found = row(keras.Model([one, two], layers.Add()([shared(one), shared(two)])), "shared")
    assert (found.calls, found.macs, found.parameters) == (2, 2 * 12, 15)


def test_layers_of_models_inside_are_counted_one_by_one():
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3, name="conv")], name="inner")
    video = keras.Input((5, 8, 8, 3))
    model = keras.Model(video, layers.TimeDistributed(inner, name="each")(video))
    found = row(model, "each/inner/conv")
    assert (found.macs, found.parameters) == (5 * 6 * 6 * 2 * 27, 56)

    picture = keras.Input((8, 8, 3))
    outer = keras.Model(picture, layers.Flatten()(inner(picture)))
    assert row(outer, "inner/conv").macs == 6 * 6 * 2 * 27
    assert counted(outer).parameters == outer.count_params()


def test_a_layer_that_is_not_known_is_named_and_the_total_says_that_it_lacks_something():
    @keras.saving.register_keras_serializable("test_counting")
    class Doubling(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, name="after")(Doubling(name="own")(layers.Dense(3)(inputs))))

    blind = counted(model)
    assert [name for name, _ in blind.uncounted] == ["own", "after"]
    assert blind.macs == 12
    assert "at least" in blind.summary
    assert "own (Doubling" in blind.summary

    seeing = counted(model, shapes={Ref("own"): (3,)})
    assert seeing.uncounted == (("own", "Doubling"),)
    assert seeing.macs == 12 + 6


def test_an_activation_that_is_not_known_is_named():
    @keras.saving.register_keras_serializable("test_counting")
    def wavy(x):
        return keras.ops.sin(x)

    found = of_one(layers.Dense(3, activation=wavy, name="x"), (4,))
    assert found.macs == 12
    assert "wavy" in found.work.uncounted[0]


def test_the_hard_sigmoid_of_old_keras_is_counted_like_that_of_today():
    old = of_one(layers.Dense(3, activation=keras.layers.deserialize(old_hard_sigmoid()), name="x"), (4,))
    assert (old.elementwise, old.work.uncounted) == (3 + 4 * 3, ())


def test_a_network_for_inputs_of_any_size_asks_for_one():
    model = keras.Sequential([keras.Input((None, None, 3), name="picture"), layers.Conv2D(2, 3, name="x")])
    with pytest.raises(LayerError, match="any size") as raised:
        counted(model)
    assert [(each.where, each.found) for each in raised.value.problems] == [("picture", "(open, open, 3)")]
    assert "--input 224,224,3" in raised.value.next_step
    assert counted(model, (8, 8, 3)).macs == 6 * 6 * 2 * 27
    assert counted(model, {"picture": (10, 8, 3)}).macs == 8 * 6 * 2 * 27


def test_a_size_that_asks_for_other_weights_is_noted():
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(4, name="fc")]
    )
    assert counted(model, (8, 8, 3)).notes == ()
    (note,) = counted(model, (10, 10, 3)).notes
    assert "fc would hold other weights" in note


@pytest.mark.parametrize("shape", [(8, 8), (8, 0, 3)])
def test_a_shape_that_no_input_can_have_is_refused(shape: tuple[int, ...]):
    model = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(2, 3)])
    with pytest.raises(LayerError, match="cannot have that shape"):
        counted(model, shape)


def test_several_inputs_are_given_by_name():
    one, two = keras.Input((None, 3), name="one"), keras.Input((4,), name="two")
    joined = layers.Concatenate()([layers.GlobalAveragePooling1D()(one), two])
    model = keras.Model([one, two], layers.Dense(2, name="x")(joined))
    assert counted(model, {"one": (9, 3)}).inputs == {"one": (9, 3), "two": (4,)}
    with pytest.raises(LayerError, match="2 inputs"):
        counted(model, (9, 3))
    with pytest.raises(LayerError, match="no input 'on'"):
        counted(model, {"on": (9, 3)})


def test_the_table_shows_every_layer_and_the_totals():
    model = keras.Sequential([keras.Input((5,), name="given"), layers.Dense(3, name="fc")], name="small")
    assert str(counted(model)).splitlines() == [
        "small, one example of 5",
        "layer  class       output  parameters  MACs  elementwise  activations  bytes moved",
        "given  InputLayer  5                0     0            0            5            0",
        "fc     Dense       3               18    15            3            3          104",
        "15 MAC (30 FLOP), 3 elementwise operations, 18 parameters, 8 activations, 104 B moved",
    ]
