"""Resizing that does nothing goes, and only that."""

import keras
import numpy as np
import pytest

from transfer.graphs.idle_resizing import drop_idle_resizing
from transfer.graphs.input_shapes import with_input_shapes
from transfer.models.building import build_model, read_model
from transfer.surgery.network import Network

L = keras.layers
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 11, 14, 3)).astype(np.float32)


def resizing(**options):
    inputs = keras.Input((None, None, 3), name="image")
    x = L.Resizing(11, 14, name="fit", **options)(inputs)
    return read_model(keras.Model(inputs, L.Rescaling(1 / 255, name="scale")(x)))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pad_to_aspect_ratio": True, "antialias": True, "fill_value": 9.0},
        {"crop_to_aspect_ratio": True, "interpolation": "bicubic"},
        {"interpolation": "nearest"},
    ],
    ids=str,
)
def test_images_of_the_size_meet_the_same_values_without_it(options):
    network = resizing(**options)
    smaller = drop_idle_resizing(with_input_shapes(network.graph, (11, 14, 3)))
    assert smaller.names == ("image", "scale")
    found = build_model(Network(smaller, network.tensors))(IMAGES)
    np.testing.assert_array_equal(found, build_model(network)(IMAGES))


@pytest.mark.parametrize("shape", [None, (14, 11, 3), (22, 28, 3)])
def test_images_of_another_size_or_of_any_are_still_resized(shape):
    graph = resizing().graph
    given = graph if shape is None else with_input_shapes(graph, shape)
    assert drop_idle_resizing(given) is given


def test_ways_that_round_stay():
    graph = with_input_shapes(resizing(interpolation="lanczos3", antialias=True).graph, (11, 14, 3))
    assert drop_idle_resizing(graph) is graph


def test_the_only_layer_stays():
    graph = read_model(keras.Sequential([keras.Input((11, 14, 3)), L.Resizing(11, 14)])).graph
    assert drop_idle_resizing(graph) is graph
