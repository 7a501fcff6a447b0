"""Adapters that have been merged leave the architecture."""

import keras

from transfer.graphs.merging import without_lora
from transfer.models.building import build_graph, read_model


def test_layers_lose_their_adapters_and_keep_everything_else():
    dense = keras.layers.Dense(4, activation="relu", name="dense")
    model = keras.Sequential(
        [keras.Input((3,)), dense, keras.Sequential([keras.layers.Dense(2, name="inner")], name="net")]
    )
    dense.enable_lora(2)
    graph = without_lora(read_model(model).graph)
    assert "lora_rank" not in graph.layer("dense").config
    built = build_graph(graph)
    assert [tuple(each.shape) for each in built.weights] == [(3, 4), (4,), (4, 2), (2,)]
    assert built.get_layer("dense").activation is keras.activations.relu
