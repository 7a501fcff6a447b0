"""Several layers given at once, held against Keras models of each of them."""

import keras
import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.graphs.graph import Ref
from transfer.graphs.pooled_outputs import pool_outputs
from transfer.models.building import build_model, read_model
from transfer.surgery.network import Network


def test_each_output_is_the_mean_over_positions_of_what_the_layer_gives():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((9, 7, 3), name="image")
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    y = keras.layers.Dense(5, name="dense")(keras.layers.Flatten(name="flat")(x))
    model = keras.Model(inputs, keras.layers.Dense(2, name="old")(y))
    network = read_model(model)
    graph = pool_outputs(network.graph, [Ref("conv"), Ref("dense")])
    assert "old" not in graph.names
    images = np.random.default_rng(2).normal(size=(3, 9, 7, 3)).astype(np.float32)
    pooled, dense = build_model(Network(graph, network.tensors))(images)
    maps = np.asarray(keras.Model(inputs, x)(images))
    assert np.asarray(pooled) == pytest.approx(maps.mean((1, 2)), abs=1e-6)
    assert np.asarray(dense) == pytest.approx(np.asarray(keras.Model(inputs, y)(images)), abs=1e-6)


def test_steps_that_are_masked_do_not_count():
    inputs = keras.Input((5,), dtype="int32", name="letters")
    x = keras.layers.Embedding(4, 3, mask_zero=True, name="embedding")(inputs)
    network = read_model(keras.Model(inputs, x))
    built = build_model(Network(pool_outputs(network.graph, [Ref("embedding")]), network.tensors))
    table = np.asarray(network.tensors["embedding/embeddings"])
    found = np.asarray(built(np.array([[1, 3, 0, 0, 0]])))
    assert found == pytest.approx(table[[1, 3]].mean(0, keepdims=True), abs=1e-6)


def test_a_tensor_of_too_many_axes_is_refused():
    inputs = keras.Input((2, 2, 2, 2, 3), name="x")
    model = keras.Model(inputs, keras.layers.Dense(3, name="wide")(inputs))
    with pytest.raises(LayerError, match="features of 5 axes"):
        pool_outputs(read_model(model).graph, [Ref("wide")])
