"""Layers to cut at, held against networks whose joints are plain to see."""

import keras
import pytest

from transfer.errors import LayerError
from transfer.graphs.cut_points import cut_points
from transfer.graphs.parsing import parse_config
from transfer.surgery.planning import own_graph
from transfer.weights.opening import open_checkpoint


def graph_of(model):
    return parse_config(keras.saving.serialize_keras_object(model))


def residual(depth):
    """Blocks that add to what came before, each with an inner layer that the shortcut passes by."""
    x = inputs = keras.Input((8, 8, 3), name="image")
    for place in range(depth):
        y = keras.layers.Conv2D(3, 3, padding="same", name=f"block_{place}_conv")(x)
        x = keras.layers.Add(name=f"block_{place}_add")([x, y])
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(4, activation="softmax", name="old")(x))


def test_cuts_are_ends_of_blocks_and_the_features_layer():
    names = cut_points(graph_of(residual(4)), 6)
    assert names == ("block_0_add", "block_1_add", "block_2_add", "pool")  # the pool only averages the fourth


@pytest.mark.parametrize(
    ("most", "expected"),
    [(1, ["pool"]), (2, ["block_8_add", "pool"]), (4, ["block_2_add", "block_5_add", "block_8_add", "pool"])],
)
def test_few_cuts_are_spread_evenly_over_the_depth(most, expected):
    assert list(cut_points(graph_of(residual(10)), most)) == expected


def test_hidden_layers_behind_the_features_are_cuts_and_the_head_is_none():
    inputs = keras.Input((6,), name="numbers")
    x = keras.layers.Dense(5, activation="relu", name="one")(inputs)
    x = keras.layers.Dropout(0.5, name="drop")(keras.layers.Dense(4, name="two")(x))
    model = keras.Model(inputs, keras.layers.Dense(3, name="old")(x))
    assert cut_points(graph_of(model), 6) == ("one", "drop")  # the dropout gives what "two" gives


def test_a_layer_that_a_branch_runs_past_is_no_cut():
    inputs = keras.Input((6,), name="numbers")
    one, two = (keras.layers.Dense(5, name=name)(inputs) for name in ("one", "two"))
    joined = keras.layers.Concatenate(name="both")([one, two])
    model = keras.Model(inputs, keras.layers.Dense(3, name="old")(joined))
    assert cut_points(graph_of(model), 6) == ("both",)


def test_the_shipped_network_has_six_cuts():
    names = cut_points(own_graph(open_checkpoint("mobilenet_v2_imagenet")), 6)
    assert len(names) == 6
    assert names[-1] == "global_average_pool"


def test_a_network_without_a_cut_is_refused():
    inputs = keras.Input((6,), name="numbers")
    model = keras.Model(inputs, keras.layers.Dense(3, name="old")(inputs))
    with pytest.raises(LayerError, match="no layer that everything passes through"):
        cut_points(graph_of(model), 6)
    with pytest.raises(ValueError, match="at least 1"):
        cut_points(graph_of(residual(1)), 0)
