"""The way back from a code, held against encoders whose shapes are worked out by hand."""

from itertools import pairwise
from math import ceil, prod

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.errors import LayerError
from transfer.graphs.flattening import flatten
from transfer.graphs.mirror_steps import step_between
from transfer.graphs.mirroring import mirror
from transfer.graphs.parsing import parse_config

L = keras.layers


def graph_of(model):
    return flatten(parse_config(keras.saving.serialize_keras_object(model))).graph


def in_row(shape, *layers):
    return keras.Sequential([keras.Input(shape), *layers])


def shapes_of(model, code, most=1e9):
    return [step.shape for step in mirror(graph_of(model), code=code, most=most)]


def conv(filters, strides=2, size=3, padding="same"):
    return L.Conv2D(filters, size, strides, padding, activation="relu")


def held(steps):
    return sum(step.parameters for step in steps)


def test_an_mlp_is_passed_in_reverse_and_its_code_is_not_made_again():
    model = in_row((784,), L.Dense(512, "relu"), L.Dropout(0.1), L.Dense(512, "relu"), L.Dense(128))
    assert shapes_of(model, 128) == [(512,), (784,)]
    assert shapes_of(model, 32) == [(128,), (512,), (784,)]


def test_only_the_last_kernel_is_linear():
    model = in_row((28, 28, 1), L.Flatten(), L.Dense(64, "relu"), L.Dense(16))
    steps = mirror(graph_of(model), code=16)
    assert [(step.kind, step.shape, step.linear) for step in steps] == [
        ("dense", (64,), False),
        ("dense", (784,), True),
        ("reshape", (28, 28, 1), False),
    ]


def test_convolutions_without_padding_and_pooling_come_back_at_each_size():
    model = in_row(
        (28, 28, 1),
        conv(6, 1, 5, "valid"),
        L.MaxPooling2D(),
        conv(16, 1, 5, "valid"),
        L.AveragePooling2D(2),
        L.Flatten(),
        L.Dense(400, "relu"),
        L.Dense(84),
    )
    steps = mirror(graph_of(model), code=84, most=1e9)
    assert [step.shape for step in steps] == [(400,), (4, 4, 16), (8, 8, 16), (12, 12, 6), (24, 24, 6), (28, 28, 1)]
    assert [step.factors for step in steps[2:]] == [(2, 2), (1, 1), (2, 2), (1, 1)]
    assert [step.margins[0] for step in steps[2:]] == [(0, 0), (2, 2), (0, 0), (2, 2)]
    assert [step.kernel for step in steps[2:]] == [(3, 3), (5, 5), (3, 3), (5, 5)]  # 5 reaches over what is padded


def test_odd_sizes_are_cropped():
    model = in_row((28, 28, 1), conv(32), conv(64), conv(128), L.Flatten())  # 28, 14, 7, 4
    steps = mirror(graph_of(model), code=8, most=1e9)
    assert [step.shape for step in steps] == [(4, 4, 128), (7, 7, 64), (14, 14, 32), (28, 28, 1)]
    assert steps[1].margins == ((0, -1), (0, -1))


def test_the_fewest_channels_at_a_size_count_and_those_of_the_input_do_not():
    model = in_row((16, 16, 3), conv(24, 1), conv(48, 1), conv(12, 1), conv(96), conv(32, 1), L.BatchNormalization())
    assert shapes_of(model, 8) == [(8, 8, 32), (16, 16, 12), (16, 16, 3)]


def test_a_map_grows_by_three_at_once_and_by_more_in_several_steps():
    triple = in_row((45, 31, 3), conv(16, 3, 3, "valid"), conv(32, 2), conv(64))  # 15 x 10, 8 x 5, 4 x 3
    assert shapes_of(triple, 8)[1:] == [(8, 5, 32), (15, 10, 16), (45, 31, 3)]
    patches = in_row((32, 32, 3), conv(48, 8, 8), conv(96, 2, 2))
    assert [shape[:2] for shape in shapes_of(patches, 8)] == [(2, 2), (4, 4), (8, 8), (16, 16), (32, 32)]


def test_sequences_come_back():
    model = in_row((100, 6), L.Conv1D(16, 5, 2, "same"), L.Conv1D(32, 5, 3, "valid"), L.Flatten(), L.Dense(64))
    assert shapes_of(model, 64) == [(16, 32), (50, 16), (100, 6)]


def test_reshaping_near_the_input_is_undone():
    layers = conv(8), conv(16), L.Flatten(), L.Dense(32)
    from_row = shapes_of(in_row((784,), L.Reshape((28, 28, 1)), *layers), 32)
    assert from_row == [(7, 7, 16), (14, 14, 8), (28, 28, 1), (784,)]
    assert shapes_of(in_row((28, 28), L.Reshape((28, 28, 1)), *layers), 32)[2:] == [(28, 28, 1), (28, 28)]


def test_preparation_of_inputs_adds_no_step():
    plain = in_row((28, 28, 1), conv(8), L.Flatten(), L.Dense(16))
    prepared = in_row(
        (28, 28, 1),
        L.Rescaling(1 / 255),
        L.Normalization(mean=0.5, variance=0.1),
        L.Resizing(30, 30),
        L.ZeroPadding2D(1),
        L.Cropping2D(2),
        conv(8),
        L.Flatten(),
        L.Dense(16),
    )
    assert shapes_of(prepared, 16) == shapes_of(plain, 16)


def test_a_network_that_grows_again_is_unfolded_from_its_smallest_map():
    model = in_row((16, 16, 1), conv(8), conv(16), L.UpSampling2D(2), conv(8, 1), L.UpSampling2D(2), conv(4, 1))
    assert shapes_of(model, 8) == [(4, 4, 16), (8, 8, 8), (16, 16, 1)]


def test_where_branches_meet_the_one_that_learns_most_leads_back():
    inputs = keras.Input((16, 16, 3))
    x = conv(8)(inputs)
    long = conv(12, 1)(conv(10, 1)(x))
    joined = L.Concatenate()([conv(4, 1, 1)(x), long, L.MaxPooling2D(3, 1, "same")(x)])
    model = keras.Model(inputs, conv(32)(joined))
    assert shapes_of(model, 8) == [(4, 4, 32), (8, 8, 8), (16, 16, 3)]


def test_squeeze_and_excitation_is_no_way_back():
    inputs = keras.Input((16, 16, 3))
    x = conv(24)(inputs)
    gate = L.Conv2D(24, 1, activation="sigmoid")(L.Conv2D(2, 1)(L.GlobalAveragePooling2D(keepdims=True)(x)))
    flat = L.Reshape((1, 1, 24))(L.Dense(24)(L.Dense(6)(L.GlobalAveragePooling2D()(x))))
    model = keras.Model(inputs, L.GlobalAveragePooling2D()(L.Multiply()([L.Multiply()([x, gate]), flat])))
    assert shapes_of(model, 8)[-2:] == [(8, 8, 24), (16, 16, 3)]


def test_a_nested_model_is_looked_into():
    inner = in_row((16, 16, 3), conv(8), conv(16))
    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, L.GlobalAveragePooling2D()(inner(L.Rescaling(1 / 255)(inputs))))
    assert shapes_of(model, 8) == [(4, 4, 16), (8, 8, 8), (16, 16, 3)]


def test_behind_a_global_pooling_channels_are_bounded():
    model = in_row((40, 40, 3), conv(16), conv(32), L.SeparableConv2D(1280, 3, 2, "same"), L.GlobalAveragePooling2D())
    steps = mirror(graph_of(model), code=64)
    assert model.count_params() == 47_616
    assert steps[0].shape == (5, 5, 20)  # of 1,280 channels the Dense alone would hold 2,048,000
    assert held(steps) == 43_075


def test_a_decoder_that_would_cost_too_much_starts_from_a_smaller_map():
    model = in_row((32, 32, 3), conv(16, 1), conv(32, 1), L.GlobalAveragePooling2D())
    assert shapes_of(model, 32)[0] == (8, 8, 16)  # not 32 x 32
    steps = mirror(graph_of(model), code=32)
    assert steps[0].shape == (2, 2, 8)
    assert (held(steps), model.count_params()) == (4_531, 5_088)


def test_a_decoder_narrows_nowhere_below_the_code():
    model = in_row((28, 28, 1), conv(4), conv(4), L.GlobalAveragePooling2D())
    assert min(prod(shape) for shape in shapes_of(model, 150, most=1)) >= 150  # 7 x 7 x 4 are 196 values
    assert shapes_of(model, 400)[0] == (7, 7, 9)  # 441 values


def test_the_narrow_branches_of_a_wide_code_are_left_out():
    inputs = keras.Input((16,))
    both = L.Concatenate()([L.Dense(8)(inputs), L.Dense(4)(L.Dense(12)(inputs))])
    assert shapes_of(keras.Model(inputs, both), 12) == [(16,)]  # (12,) is the code itself, and (4,) a third of it


def test_a_map_of_one_position_is_a_vector():
    maps = conv(16), conv(32), L.GlobalAveragePooling2D(keepdims=True), L.Conv2D(24, 1), L.Flatten()
    assert shapes_of(in_row((32, 32, 3), *maps), 24) == [(8, 8, 32), (16, 16, 16), (32, 32, 3)]
    assert shapes_of(in_row((32, 32, 3), *maps), 8)[0] == (24,)


def test_maps_of_three_axes_and_spectral_normalization_are_mirrored():
    model = in_row((8, 9, 10, 2), L.Conv3D(8, 3, 2, "same"), L.SpectralNormalization(L.Conv3D(16, 3, 2, "same")))
    assert shapes_of(model, 8) == [(2, 3, 3, 16), (4, 5, 5, 8), (8, 9, 10, 2)]


def test_sums_written_with_operators_are_walked_through():
    inputs = keras.Input((16, 16, 3))
    x = conv(8)(inputs)
    model = keras.Model(inputs, L.GlobalMaxPooling2D()(2.0 * keras.ops.relu(x + conv(8, 1)(x))))
    assert shapes_of(model, 8) == [(8, 8, 8), (16, 16, 3)]


@pytest.mark.parametrize(
    ("name", "most"), [("ResNet50", 2_200_000), ("EfficientNetV2B0", 450_000), ("ConvNeXtTiny", 4_500_000)]
)
def test_decoders_of_deep_networks_stay_small(name, most):
    model = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(96, 96, 3), pooling="avg")
    steps = mirror(graph_of(model), code=128)
    assert [step.shape[:2] for step in steps] == [(3, 3), (6, 6), (12, 12), (24, 24), (48, 48), (96, 96)]
    assert held(steps) < most < model.count_params() / 6


class Twice(L.Layer):
    """A layer of one's own that leaves the shape as it is."""

    def call(self, x):
        return 2 * x


def fault(model, code=8):
    with pytest.raises(LayerError) as caught:
        mirror(graph_of(model), code=code)
    return caught.value


@pytest.mark.parametrize(
    ("shape", "layer", "kind"),
    [
        ((10, 4), lambda: L.LSTM(8, name="odd"), "LSTM"),
        ((10,), lambda: L.Embedding(20, 8, name="odd"), "Embedding"),
        ((10, 4), lambda: L.Permute((2, 1), name="odd"), "Permute"),
        ((10, 4), lambda: L.TimeDistributed(L.Dense(3), name="odd"), "TimeDistributed"),
        ((10, 4), lambda: Twice(name="odd"), "Twice, a class of your own"),
        ((8, 8, 3), lambda: L.RandomCrop(6, 6, name="odd"), "RandomCrop gives (6, 6, 3)"),
    ],
    ids=["LSTM", "Embedding", "Permute", "TimeDistributed", "own", "RandomCrop"],
)
def test_what_cannot_be_turned_round_is_named(shape, layer, kind):
    found = fault(in_row(shape, layer(), L.Flatten(), L.Dense(8)))
    assert [(each.where, each.found) for each in found.problems] == [("odd", kind)]
    assert found.next_step == "give one yourself: --decoder module:function (decoder=…)"


def test_all_that_cannot_be_turned_round_is_named_also_beside_the_main_path():
    inputs = keras.Input((10, 4))
    x = L.Dense(6)(inputs)
    x = L.Add()([L.Dense(6)(L.Dense(6)(x)), Twice(name="own")(x)])
    x = L.Add()([x, L.MultiHeadAttention(2, 3, name="attention")(x, x)])
    found = fault(keras.Model(inputs, x))
    assert [each.where for each in found.problems] == ["own", "attention"]


def test_channels_first_are_refused():
    found = fault(in_row((3, 8, 8), L.Conv2D(4, 3, data_format="channels_first", name="first")))
    assert [(each.where, each.expected) for each in found.problems] == [("first", "channels last")]


def test_open_sizes_are_refused():
    found = fault(in_row((None, None, 3), conv(8), L.GlobalAveragePooling2D()))
    assert [(each.expected, each.found) for each in found.problems] == [("a size for each axis", "(open, open, 3)")]
    assert "--input" in found.next_step


def test_several_inputs_and_outputs_are_refused():
    one, two = keras.Input((4,), name="one"), keras.Input((4,), name="two")
    assert [each.where for each in fault(keras.Model([one, two], L.Add()([one, two]))).problems] == ["one", "two"]
    assert len(fault(keras.Model(one, [L.Dense(3)(one), L.Dense(2)(one)])).problems) == 2


def test_an_empty_code_is_a_slip():
    with pytest.raises(ValueError, match="at least one"):
        mirror(graph_of(in_row((4,), L.Dense(2))), code=0)


@given(size=st.integers(2, 60), wanted=st.integers(2, 200))
def test_a_map_comes_to_any_size_by_enlarging_padding_and_cropping(size, wanted):
    step = step_between((size, 4), (wanted, 4), linear=False, reshaped=False)
    assert size * step.factors[0] + sum(step.margins[0]) == wanted
    reach = (step.kernel[0] - 1) // 2
    assert max(step.margins[0]) <= reach  # no padded position sees padding alone


@given(
    size=st.integers(6, 80),
    layers=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5), st.sampled_from(["same", "valid"])), max_size=3),
    code=st.integers(1, 64),
)
def test_maps_grow_step_by_step_to_the_input(size, layers, code):
    left, stack = size, []
    for strides, kernel, padding in layers:
        after = ceil(left / strides) if padding == "same" else (left - kernel) // strides + 1
        if after < 1:
            break
        left = after
        stack.append(L.Conv1D(8, kernel, strides, padding))
    shapes = shapes_of(in_row((size, 2), *stack, L.Flatten(), L.Dense(16)), code)
    assert shapes[-1] == (size, 2)
    maps = [shape[0] for shape in shapes if len(shape) == 2]
    assert all(before <= after for before, after in pairwise(maps))
