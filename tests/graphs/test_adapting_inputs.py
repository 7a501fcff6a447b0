"""Other channels and sizes of the input: what changes in the graph, and which layers say no."""

import keras
import numpy as np
import pytest

from tests.surgery.networks import nested
from transfer.errors import LayerError
from transfer.graphs.adapting_inputs import adapt_input, first_kernels, input_channels
from transfer.graphs.graph import Ref
from transfer.graphs.parsing import parse_config
from transfer.graphs.shapes import shape_of
from transfer.graphs.variables import describe_graph
from transfer.models.building import build_graph

L = keras.layers


def graph_of(model):
    return parse_config(keras.saving.serialize_keras_object(model))


def net(*layers, shape=(32, 32, 3), name="net"):
    """A chain, as a functional model."""
    y = x = keras.Input(shape, name="image")
    for layer in layers:
        y = layer(y)
    return graph_of(keras.Model(x, y, name=name))


def conv(name="conv", **options):
    return L.Conv2D(4, 3, name=name, **options)


def changed_variables(old, new):
    before, after = describe_graph(old), describe_graph(new)
    assert list(before) == list(after)
    return {name: after[name].shape for name in before if before[name].shape != after[name].shape}


def problems(caught):
    return {each.where: each.found for each in caught.value.problems}


# Size


def test_convolutions_and_global_pooling_take_any_size():
    graph = net(conv(), L.GlobalAveragePooling2D(name="pool"), L.Dense(2, name="label"))
    smaller = adapt_input(graph, size=(20, 24))
    assert shape_of(smaller, Ref("image")) == (20, 24, 3)
    assert shape_of(smaller, Ref("conv")) == (18, 22, 4)
    assert changed_variables(graph, smaller) == {}
    assert build_graph(smaller)(np.zeros((1, 20, 24, 3), "float32")).shape == (1, 2)
    assert shape_of(graph, Ref("image")) == (32, 32, 3)


def test_a_dense_layer_behind_a_flatten_does_not_take_another_size():
    graph = net(conv(), L.Flatten(name="flat"), L.Dropout(0.1, name="drop"), L.Dense(2, name="label"))
    with pytest.raises(LayerError, match=r"'net' does not take an input of \(16, 16, 3\)") as caught:
        adapt_input(graph, size=(16, 16))
    (problem,) = caught.value.problems
    assert problem.where == "label/kernel"
    assert problem.expected == "(3600, 2), as it was trained"
    assert problem.found == "(784, 2) for the new input, behind Flatten 'flat'"
    assert "global pooling" in caught.value.next_step


def test_the_dense_layer_of_a_real_network_is_named():
    with pytest.raises(LayerError) as caught:
        adapt_input(graph_of(keras.applications.VGG16(weights=None)), size=(64, 64))
    assert problems(caught) == {"fc1/kernel": "(2048, 4096) for the new input, behind Flatten 'flatten'"}


def test_real_networks_take_other_sizes():
    graph = graph_of(keras.applications.MobileNetV2(weights=None))
    smaller = adapt_input(graph, size=(96, 128))
    assert shape_of(smaller, Ref("out_relu")) == (3, 4, 1280)
    assert changed_variables(graph, smaller) == {}


def test_an_image_that_is_too_small_is_refused_at_the_first_layer_that_it_does_not_reach():
    graph = net(L.MaxPooling2D(4, name="one"), L.MaxPooling2D(4, name="two"), conv(padding="same"))
    with pytest.raises(LayerError) as caught:
        adapt_input(graph, size=(8, 8))
    assert problems(caught) == {"two": "(0, 0, 3) of (2, 2, 3)"}


def test_a_reshape_of_one_size_is_named():
    graph = net(conv(padding="same"), L.Reshape((1024, 4), name="line"), L.GlobalMaxPooling1D(name="pool"))
    with pytest.raises(LayerError) as caught:
        adapt_input(graph, size=(16, 16))
    assert problems(caught) == {"line": "1024 of (16, 16, 4)"}
    open_line = net(conv(padding="same"), L.Reshape((-1, 4), name="line"), L.GlobalMaxPooling1D(name="pool"))
    assert shape_of(adapt_input(open_line, size=(16, 16)), Ref("line")) == (256, 4)


def test_branches_that_no_longer_meet_are_named_where_they_join():
    x = keras.Input((32, 32, 3), name="image")
    up = L.UpSampling2D(name="up")(L.MaxPooling2D(name="down")(x))
    graph = graph_of(keras.Model(x, L.Concatenate(name="join")([x, up])))
    assert shape_of(adapt_input(graph, size=(30, 30)), Ref("join")) == (30, 30, 6)
    with pytest.raises(LayerError) as caught:
        adapt_input(graph, size=(31, 30))
    assert problems(caught) == {"join": "(31, 30, 3) and (30, 30, 3)"}


def test_nested_models_are_given_what_reaches_them():
    graph = graph_of(nested())
    larger = adapt_input(graph, size=(12, 16))
    (entry, *_) = larger.layer("backbone").config["layers"]
    assert entry["config"]["batch_shape"] == [None, 12, 16, 3]
    assert build_graph(larger)(np.zeros((1, 12, 16, 3), "float32")).shape == (1, 2)
    assert tuple(graph.layer("backbone").config["layers"][0]["config"]["batch_shape"]) == (None, 8, 8, 3)


def test_a_layer_inside_a_nested_model_that_does_not_take_the_size_is_named_by_its_path():
    inner = keras.Sequential([keras.Input((15, 15, 3)), L.Flatten(name="flat"), L.Dense(2, name="dense")], name="inner")
    graph = net(L.MaxPooling2D(2, strides=2, name="half"), L.Cropping2D(((0, 1), (0, 1)), name="crop"), inner)
    with pytest.raises(LayerError) as caught:
        adapt_input(graph, size=(16, 16))
    assert problems(caught) == {"inner/dense/kernel": "(147, 2) for the new input, behind Flatten 'flat'"}


@pytest.mark.parametrize("built", [True, False])
def test_sequential_models_inside_are_given_what_reaches_them(built):
    front = [keras.Input((32, 32, 3))] if built else []
    inner = keras.Sequential([*front, conv(), L.GlobalMaxPooling2D()], name="inner")
    graph = adapt_input(net(inner, L.Dense(2, name="label")), size=(10, 12), channels=5)
    model = build_graph(graph)
    assert model(np.zeros((1, 10, 12, 5), "float32")).shape == (1, 2)
    assert model.get_layer("inner").get_layer("conv").kernel.shape == (3, 3, 5, 4)


def test_sizes_that_a_nested_model_leaves_open_stay_open():
    x = keras.Input((None, None, 3), name="inside")
    inner = keras.Model(x, conv()(x), name="inner")
    graph = adapt_input(net(inner), size=(10, 12), channels=1)
    assert graph.layer("inner").config["layers"][0]["config"]["batch_shape"] == [None, None, None, 1]


def test_the_frames_of_a_video_are_resized_in_the_model_that_takes_them():
    frame = keras.Sequential([keras.Input((8, 8, 3)), conv(), L.GlobalMaxPooling2D()], name="frame")
    graph = net(L.TimeDistributed(frame, name="each"), L.LSTM(3, name="steps"), shape=(4, 8, 8, 3))
    longer = adapt_input(graph, size=(6, 12, 12))
    assert build_graph(longer)(np.zeros((1, 6, 12, 12, 3), "float32")).shape == (1, 3)
    with pytest.raises(LayerError) as caught:
        adapt_input(graph, channels=1)
    assert problems(caught) == {"each": "TimeDistributed"}


def test_a_sequence_of_steps_has_a_size_of_one_number():
    graph = net(L.Conv1D(4, 3, name="conv"), L.GlobalMaxPooling1D(), shape=(20, 3))
    other = adapt_input(graph, size=(30,), channels=2)
    assert shape_of(other, Ref("image")) == (30, 2)
    with pytest.raises(LayerError, match="size of 1 numbers"):
        adapt_input(graph, size=(30, 30))


# Channels


@pytest.mark.parametrize("channels", [1, 2, 4, 13])
def test_only_the_first_kernel_changes_with_the_channels(channels):
    graph = net(
        L.Rescaling(1 / 255, name="scale"),
        L.ZeroPadding2D(name="pad"),
        conv(),
        L.ReLU(),
        L.BatchNormalization(),
        conv("b"),
    )
    other = adapt_input(graph, channels=channels)
    assert first_kernels(graph) == ("conv/kernel",)
    assert changed_variables(graph, other) == {"conv/kernel": (3, 3, channels, 4)}
    assert (input_channels(graph), input_channels(other)) == (3, channels)
    assert build_graph(other)(np.zeros((1, 32, 32, channels), "float32")).shape == (1, 30, 30, 4)


def test_several_convolutions_on_the_image_change_all():
    x = keras.Input((8, 8, 3), name="image")
    joined = L.Concatenate(name="join")([conv("one")(x), L.Conv2D(2, 3, name="two")(L.Dropout(0.1)(x))])
    graph = graph_of(keras.Model(x, joined))
    assert changed_variables(graph, adapt_input(graph, channels=1)) == {
        "one/kernel": (3, 3, 1, 4),
        "two/kernel": (3, 3, 1, 2),
    }


def test_convolutions_inside_nested_models_change():
    graph = graph_of(nested())
    assert first_kernels(graph) == ("backbone/backbone_conv/kernel",)
    assert changed_variables(graph, adapt_input(graph, channels=1)) == {"backbone/backbone_conv/kernel": (3, 3, 1, 4)}


@pytest.mark.parametrize(
    ("layer", "found"),
    [
        (L.DepthwiseConv2D(3, name="first"), "DepthwiseConv2D"),
        (L.SeparableConv2D(4, 3, name="first"), "SeparableConv2D"),
        (L.Conv2DTranspose(4, 3, name="first"), "Conv2DTranspose"),
        (L.Conv2D(6, 3, groups=3, name="first"), "Conv2D in groups"),
        (L.BatchNormalization(name="first"), "BatchNormalization"),
        (L.Normalization(name="first"), "Normalization with values for each channel"),
        (
            L.Normalization(mean=[1.0, 2, 3], variance=[1.0, 2, 3], name="first"),
            "Normalization with values for each channel",
        ),
        (L.Rescaling([1.0, 2, 3], name="first"), "Rescaling with values for each channel"),
        (L.Rescaling(1.0, [1.0, 2, 3], name="first"), "Rescaling with values for each channel"),
        (L.PReLU(name="first"), "PReLU"),
        (L.Activation("softmax", name="first"), "Activation"),
        (L.Flatten(name="first"), "Flatten"),
        (L.RandomSaturation(0.5, name="first"), "RandomSaturation"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_layers_that_treat_channels_by_themselves_are_named(layer, found):
    tail = [] if found == "Flatten" else [conv()]
    with pytest.raises(LayerError, match="instead of") as caught:
        adapt_input(net(layer, *tail), channels=1)
    assert problems(caught) == {"first": found}
    assert caught.value.next_step == "leave the 3 channels: a grey image goes into all of them"
    assert shape_of(adapt_input(net(L.ReLU(name="relu"), conv()), channels=1), Ref("relu")) == (32, 32, 1)


def test_constants_for_all_channels_alike_are_taken():
    x = keras.Input((8, 8, 3), name="image")
    y = L.Normalization(mean=2.0, variance=4.0)(x / 127.5 - 1.0)
    graph = graph_of(keras.Model(x, conv()(keras.ops.relu(y))))
    assert changed_variables(graph, adapt_input(graph, channels=1)) == {"conv/kernel": (3, 3, 1, 4)}


def test_constants_for_each_channel_in_an_operation_are_named():
    x = keras.Input((8, 8, 3), name="image")
    y = conv()(keras.ops.subtract(x, np.float32([103.9, 116.8, 123.7])))
    with pytest.raises(LayerError) as caught:
        adapt_input(graph_of(keras.Model(x, y)), channels=1)
    assert list(problems(caught).values()) == ["Subtract"]


def test_channels_put_in_another_order_are_named():
    x = keras.Input((8, 8, 3), name="image")
    with pytest.raises(LayerError) as caught:
        adapt_input(graph_of(keras.Model(x, conv()(x[..., ::-1]))), channels=1)
    assert list(problems(caught).values()) == ["GetItem"]


def test_an_image_that_is_joined_with_something_else_is_refused():
    x = keras.Input((8, 8, 3), name="image")
    y = L.Conv2D(3, 3, padding="same", name="features")(x)
    with pytest.raises(LayerError) as caught:
        adapt_input(graph_of(keras.Model(x, conv("after")(L.Concatenate(name="join")([x, y])))), channels=1)
    assert problems(caught) == {"join": "Concatenate joins it"}


def test_an_image_that_is_an_output_is_refused():
    x = keras.Input((8, 8, 3), name="image")
    with pytest.raises(LayerError) as caught:
        adapt_input(graph_of(keras.Model(x, [L.ReLU(name="same")(x), conv()(x)])), channels=1)
    assert problems(caught) == {"same": "the image itself"}


def test_a_convolution_that_is_shared_with_features_is_refused():
    x = keras.Input((8, 8, 3), name="image")
    layer = L.Conv2D(3, 3, padding="same", name="again")
    with pytest.raises(LayerError) as caught:
        adapt_input(graph_of(keras.Model(x, layer(layer(x)))), channels=1)
    assert problems(caught) == {"again": "also applied to something else"}


def test_a_convolution_that_is_applied_to_the_image_twice_changes_once():
    x = keras.Input((8, 8, 3), name="image")
    layer = conv("twice")
    graph = graph_of(keras.Model(x, L.Add(name="sum")([layer(x), layer(L.ReLU()(x))])))
    assert first_kernels(graph) == ("twice/kernel",)
    assert changed_variables(graph, adapt_input(graph, channels=1)) == {"twice/kernel": (3, 3, 1, 4)}


def test_channels_that_stand_first_are_found():
    graph = net(L.ZeroPadding2D(1, data_format="channels_first"), conv(data_format="channels_first"), shape=(3, 8, 9))
    other = adapt_input(graph, channels=1, size=(16, 17))
    assert shape_of(other, Ref("image")) == (1, 16, 17)
    assert changed_variables(graph, other) == {"conv/kernel": (3, 3, 1, 4)}


# Neither


def test_what_is_asked_for_already_changes_nothing():
    graph = net(conv())
    assert adapt_input(graph, channels=3, size=(32, 32)) == graph
    assert adapt_input(net(L.DepthwiseConv2D(3)), channels=3, size=(20, 20)).inputs == graph.inputs


def test_several_inputs_and_inputs_without_positions_are_refused():
    one, two = keras.Input((8, 8, 3), name="one"), keras.Input((8, 8, 3), name="two")
    with pytest.raises(LayerError, match="2 inputs"):
        adapt_input(graph_of(keras.Model({"one": one, "two": two}, L.Add()([one, two]))), channels=1)
    with pytest.raises(LayerError, match="takes no images"):
        adapt_input(net(L.Dense(2), shape=(6,)), channels=1)


@pytest.mark.parametrize("options", [{}, {"channels": 0}, {"size": (0, 8)}])
def test_what_no_image_can_be_is_a_slip(options):
    with pytest.raises(ValueError, match=r"adapt_input|at least 1"):
        adapt_input(net(conv()), **options)
