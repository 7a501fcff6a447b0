"""Several inputs as stretches of one row."""

import keras
import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.graphs.packing import pack_inputs
from transfer.graphs.parsing import parse_config
from transfer.models.building import build_model, read_model
from transfer.surgery.network import Network

L = keras.layers


def three_inputs(open_size=False):
    picture = keras.Input((None if open_size else 4, 4, 2), name="picture")
    row, words = keras.Input((3,), name="packed"), keras.Input((2,), name="words", dtype="int32")
    seen = L.GlobalAveragePooling2D(name="pool")(L.Conv2D(3, 2, name="conv")(picture))
    told = L.Flatten(name="flat")(L.Embedding(5, 2, name="embed")(words))
    return keras.Model([picture, row, words], L.Dense(2, name="label")(L.Concatenate()([seen, row, told])))


def test_a_packed_row_gives_what_its_parts_give():
    keras.utils.set_random_seed(0)
    model = three_inputs()
    network = read_model(model)
    packed = build_model(Network(pack_inputs(network.graph), network.tensors))
    random = np.random.default_rng(0)
    values = [random.random((5, 4, 4, 2), "float32"), random.random((5, 3), "float32"), random.integers(0, 5, (5, 2))]
    row = np.concatenate([each.reshape(5, -1) for each in values], axis=1).astype(np.float32)
    assert packed.input_shape == (None, 37)
    np.testing.assert_array_equal(packed(row), model(values))
    assert set(network.graph.names) < set(pack_inputs(network.graph).names)


def test_one_input_is_left_as_it_is():
    graph = parse_config(keras.saving.serialize_keras_object(keras.Sequential([keras.Input((3,)), L.Dense(2)])))
    assert pack_inputs(graph) is graph


def test_an_open_size_is_refused():
    with pytest.raises(LayerError) as caught:
        pack_inputs(read_model(three_inputs(open_size=True)).graph)
    assert [each.where for each in caught.value.problems] == ["picture"]
