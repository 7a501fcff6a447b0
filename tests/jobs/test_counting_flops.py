"""`count_flops` on whatever holds a network."""

from __future__ import annotations

import keras
import pytest
from keras import layers

import transfer
from transfer.errors import CheckpointError
from transfer.graphs.graph import Graph
from transfer.models.building import read_model


@keras.saving.register_keras_serializable("test_counting")
class Halving(keras.layers.Layer):
    """A layer of the user's: only Keras can tell its shape."""

    def call(self, x):
        return x[:, ::2]


def test_a_checkpoint_a_graph_a_network_and_a_model_cost_the_same():
    checkpoint = transfer.open_checkpoint("digits_mlp")
    restored = transfer.restore(checkpoint)
    network = read_model(restored.model)
    assert isinstance(network.graph, Graph)

    found = [
        transfer.count_flops(each)
        for each in ("digits_mlp", checkpoint, restored, restored.model, network, network.graph)
    ]

    assert {each.macs for each in found} == {784 * 64 + 64 * 64 + 64 * 10}
    assert isinstance(found[0], transfer.Flops)
    assert len({str(each) for each in found}) == 1


def test_shapes_of_the_users_own_layers_come_from_the_live_model():
    inputs = keras.Input((8,))
    model = keras.Model(inputs, layers.Dense(3, name="after")(Halving(name="half")(inputs)))
    found = transfer.count_flops(model)
    assert found.macs == 4 * 3
    assert found.uncounted == (("half", "Halving"),)


def test_shapes_of_the_users_own_layers_are_worked_out_again_for_another_size():
    inputs = keras.Input((None, 2))
    pooled = layers.GlobalAveragePooling1D()(layers.Conv1D(3, 2, name="after")(Halving(name="half")(inputs)))
    found = transfer.count_flops(keras.Model(inputs, pooled), input_shape=(10, 2))
    assert found.macs == 4 * 3 * 2 * 2


def test_a_layer_of_keras_without_a_rule_for_its_shape_is_left_to_keras():
    inputs = keras.Input((800,))
    pooled = layers.GlobalAveragePooling1D()(layers.MelSpectrogram(name="mel", fft_length=256)(inputs))
    graph = read_model(keras.Model(inputs, layers.Dense(2, name="label")(pooled))).graph
    found = transfer.count_flops(graph)
    assert [name for name, _ in found.uncounted] == ["mel"]
    assert found.layers[-1].macs > 0


def test_weights_alone_have_no_cost(tmp_path):
    path = tmp_path / "alone.weights.h5"
    keras.Sequential([keras.Input((3,)), layers.Dense(2)]).save_weights(path)
    with pytest.raises(CheckpointError, match="no architecture"):
        transfer.count_flops(transfer.open_checkpoint(path))
