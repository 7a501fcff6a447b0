"""Preprocessing in front of a network, against keras.applications and against the arithmetic itself."""

import keras
import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.preprocessing import image_size, prepend_preprocessing
from transfer.models.building import build_graph
from transfer.specs import PREPROCESSINGS, Preprocessing

PIXELS = np.random.RandomState(0).randint(0, 256, (2, 8, 8, 3)).astype("float32")


def taking(*shape):
    """A graph that gives back what it takes."""
    source = Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, *shape], "dtype": "float32"})
    end = Layer("end", "Activation", {"name": "end", "activation": "linear"}, (Call([Ref("x")], {}),))
    return Graph("net", (source, end), (Ref("x"),), (Ref("end"),))


def prepared(preprocessing, pixels=PIXELS, shape=(8, 8, 3), size=(8, 8)):
    model = build_graph(prepend_preprocessing(taking(*shape), preprocessing, size))
    return keras.ops.convert_to_numpy(model(pixels, training=False))


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
def test_the_modes_of_keras_applications_give_what_keras_gives(mode):
    expected = keras.applications.imagenet_utils.preprocess_input(PIXELS.copy(), mode=mode)
    np.testing.assert_allclose(prepared(PREPROCESSINGS[mode]), expected, rtol=1e-4, atol=1e-4)


def test_raw_and_unit_are_what_they_say():
    np.testing.assert_allclose(prepared(PREPROCESSINGS["raw"]), PIXELS, rtol=1e-6)
    np.testing.assert_allclose(prepared(PREPROCESSINGS["unit"]), PIXELS / 255, rtol=1e-6)


def test_scale_mean_and_std_apply_in_this_order():
    preprocessing = Preprocessing(scale=0.5, mean=(1.0, 2.0, 3.0), std=(2.0, 4.0, 8.0))
    expected = (PIXELS * 0.5 - np.array([1, 2, 3])) / np.array([2, 4, 8])
    np.testing.assert_allclose(prepared(preprocessing), expected, rtol=1e-5, atol=1e-5)


def test_one_mean_with_a_std_for_each_channel_serves_all():
    preprocessing = Preprocessing(mean=(1.0,), std=(2.0, 4.0, 8.0))
    np.testing.assert_allclose(prepared(preprocessing), (PIXELS - 1) / np.array([2, 4, 8]), rtol=1e-5, atol=1e-5)


def test_grey_images_flatten_row_by_row_for_a_network_on_vectors():
    pixels = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    found = prepared(Preprocessing(color="grey", scale=0.5), pixels, shape=(16,), size=(4, 4))
    np.testing.assert_allclose(found, np.arange(16).reshape(1, 16) / 2, rtol=1e-6)


def test_images_are_fitted_with_their_aspect_ratio_and_a_background():
    pixels = np.full((1, 4, 8, 3), 100.0, "float32")
    found = prepared(Preprocessing(background=255), pixels)
    assert found.shape == (1, 8, 8, 3)
    np.testing.assert_allclose(found[0, [0, 1, 6, 7]], 255)
    np.testing.assert_allclose(found[0, 2:6], 100, rtol=1e-5)


def test_the_new_input_takes_images_of_any_size():
    graph = prepend_preprocessing(taking(None, None, 3), Preprocessing(), (16, 12))
    model = build_graph(graph)
    assert model.input_shape == (None, None, None, 3)
    assert model(np.zeros((1, 31, 17, 3), "float32")).shape == (1, 16, 12, 3)


def test_names_that_the_network_uses_are_left_to_it():
    graph = taking(8, 8, 3)
    layer = Layer("normalize", "Activation", {"name": "normalize", "activation": "linear"}, (Call([Ref("end")], {}),))
    graph = Graph("net", (*graph.layers, layer), graph.inputs, (Ref("normalize"),))
    assert "normalize_1" in prepend_preprocessing(graph, Preprocessing(), (8, 8)).names


@pytest.mark.parametrize(
    ("shape", "color", "size"),
    [((8, 8, 3), "grey", (8, 8)), ((8, 8, 3), "rgb", (9, 9)), ((784,), "rgb", (28, 28)), ((8, 3), "rgb", (8, 8))],
)
def test_a_network_that_takes_other_inputs_is_refused(shape, color, size):
    with pytest.raises(LayerError, match="does not take such images") as caught:
        prepend_preprocessing(taking(*shape), Preprocessing(color=color), size)
    assert caught.value.problems[0].found == str(shape)


# The size


def test_a_network_of_one_size_decides():
    assert image_size(taking(96, 64, 3), Preprocessing(size=(160, 160))) == (96, 64)


def test_a_network_of_open_size_takes_what_is_asked_for_or_what_the_card_says():
    graph = taking(None, None, 3)
    assert image_size(graph, Preprocessing(size=(160, 128))) == (160, 128)
    assert image_size(graph, Preprocessing(size=(160, 128)), (96, 96)) == (96, 96)


def test_a_network_on_vectors_takes_what_the_card_says():
    assert image_size(taking(784), Preprocessing(size=(28, 28))) == (28, 28)


def test_sizes_that_disagree_are_refused():
    with pytest.raises(LayerError, match="images of one size") as caught:
        image_size(taking(96, 96, 3), Preprocessing(), (64, 64))
    assert (caught.value.problems[0].expected, caught.value.problems[0].found) == ("(96, 96)", "(64, 64)")


def test_no_size_at_all_asks_for_one():
    with pytest.raises(LayerError, match="any size") as caught:
        image_size(taking(None, None, 3), Preprocessing())
    assert "--size" in caught.value.next_step
