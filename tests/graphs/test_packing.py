"""Several inputs as stretches of one row."""

import keras
import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.graphs.freezing import freeze
from transfer.graphs.packing import pack_inputs, unpack_inputs
from transfer.graphs.parsing import parse_config
from transfer.models.building import build_model, read_model
from transfer.surgery.network import Network
from transfer.training.precision import in_precision

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


def test_whole_numbers_stay_what_they_are_where_layers_compute_in_few_bits():
    a, b = keras.Input((2,), name="a", dtype="int32"), keras.Input((1,), name="b")
    joined = L.Concatenate()([L.Flatten()(L.Embedding(1000, 1)(a)), b])
    network = read_model(keras.Model([a, b], L.Dense(1, name="label")(joined)))
    packed = build_model(Network(pack_inputs(network.graph), network.tensors))
    rows = np.array([[301, 999, 0.25], [257, 0, 0]], np.float32)
    with in_precision(packed, "mixed_bfloat16"):
        assert packed.get_layer("a_part").compute_dtype == "bfloat16"
        found = keras.Model(packed.input, packed.get_layer("a").output)(rows)
    assert found.dtype == "int32"
    np.testing.assert_array_equal(found, [[301, 999], [257, 0]])


def test_a_graph_gets_its_inputs_back_with_the_flags_of_the_packed_one():
    graph = read_model(three_inputs()).graph
    frozen = freeze(pack_inputs(graph), "conv")
    found = unpack_inputs(frozen, graph)
    assert found.inputs == graph.inputs
    assert [each.name for each in found if each.config.get("trainable") is False] == ["conv"]
    assert unpack_inputs(pack_inputs(graph), graph) == graph
