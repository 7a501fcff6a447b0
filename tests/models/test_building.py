"""Graph to model and back: what fits is built, what does not is told."""

import copy
import resource

import keras
import numpy as np
import pytest

from transfer.errors import LayerError
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.models.building import attach_card, build_graph, build_model, card_of, read_model
from transfer.surgery.network import Network
from transfer.weights.cards import Card

L = keras.layers


def branches():
    inputs = keras.Input((4,), name="x")
    left, right = L.Dense(3, name="left")(inputs), L.Dense(3, name="right")(inputs)
    return keras.Model(inputs, L.Dense(2, name="out")(L.Add(name="sum")([left, right])), name="branches")


def test_reading_and_building_gives_the_same_function_with_variables_of_its_own():
    model = branches()
    again = build_model(read_model(model))
    x = np.random.RandomState(0).rand(3, 4).astype("float32")
    np.testing.assert_array_equal(again(x), model(x))
    assert not {id(each) for each in again.variables} & {id(each) for each in model.variables}


def test_a_network_of_a_live_model_reads_its_tensors_when_asked():
    model = branches()
    network = read_model(model)
    kernel = network.tensors["left/kernel"]
    model.get_layer("left").kernel.assign(np.ones((4, 3)))
    np.testing.assert_array_equal(network.tensors["left/kernel"], np.ones((4, 3)))
    assert (kernel != 1).any()
    kernel[:] = 7
    np.testing.assert_array_equal(network.tensors["left/kernel"], np.ones((4, 3)))
    assert list(network.tensors) == [
        f"{each}/{role}" for each in ("left", "right", "out") for role in ("kernel", "bias")
    ]


def test_building_leaves_the_graph_as_it_was():
    inputs = keras.Input((4, 3), name="x")
    cells = L.RNN(L.StackedRNNCells([L.LSTMCell(2), L.LSTMCell(2)]), name="cells")
    graph = read_model(keras.Model(inputs, cells(inputs))).graph
    before = copy.deepcopy(graph)
    build_graph(graph)
    assert graph == before
    build_graph(graph)


def test_a_missing_and_a_misshapen_tensor_are_told_together():
    network = read_model(branches())
    tensors = {name: network.tensors[name] for name in network.tensors if name != "left/bias"}
    tensors["out/kernel"] = np.zeros((5, 5), "float32")
    with pytest.raises(LayerError, match="do not fit its graph") as caught:
        build_model(Network(network.graph, tensors))
    assert [(each.where, each.expected, each.found) for each in caught.value.problems] == [
        ("left/bias", "a tensor", "none"),
        ("out/kernel", "(3, 2) in the graph", "(5, 5) in its tensors"),
    ]


def test_new_layers_need_no_tensors():
    network = read_model(branches())
    tensors = {name: network.tensors[name] for name in network.tensors if not name.startswith("out/")}
    model = build_model(Network(network.graph, tensors, new=frozenset({"out"})))
    np.testing.assert_array_equal(model.get_layer("out").bias, np.zeros(2))
    np.testing.assert_array_equal(model.get_layer("left").kernel, tensors["left/kernel"])


def test_layers_that_do_not_fit_each_other_are_told_with_what_keras_says():
    graph = Graph(
        "net",
        (
            Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 4]}),
            Layer("conv", "Conv2D", {"name": "conv", "filters": 2, "kernel_size": 3}, (Call([Ref("x")], {}),)),
        ),
        (Ref("x"),),
        (Ref("conv"),),
    )
    with pytest.raises(LayerError, match="Keras cannot build 'net'") as caught:
        build_graph(graph)
    assert "conv" in caught.value.problems[0].found
    assert len(str(caught.value)) < 2048


@pytest.mark.parametrize(
    "config", [{"units": 3, "name": "d", "colour": "red"}, {"name": "d"}, {"units": "many", "name": "d"}]
)
def test_options_that_a_layer_does_not_know_are_told(config):
    layers = (
        Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 4]}),
        Layer("d", "Dense", config, (Call([Ref("x")], {}),)),
    )
    with pytest.raises(LayerError, match="Keras cannot build"):
        build_graph(Graph("net", layers, (Ref("x"),), (Ref("d"),)))


def test_a_card_travels_with_a_model_and_nothing_else_is_taken_for_one():
    model = branches()
    assert card_of(model) is None
    attach_card(model, None)
    assert card_of(model) is None
    attach_card(model, Card(name="mine"))
    assert card_of(model).name == "mine"
    assert read_model(model).card.name == "mine"
    assert card_of(build_model(read_model(model))).name == "mine"


def test_a_card_does_not_hinder_keras_from_saving(tmp_path):
    model = branches()
    attach_card(model, Card(name="mine"))
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "a.weights.h5")
    assert keras.saving.load_model(tmp_path / "a.keras").count_params() == model.count_params()


def test_what_is_no_model_is_refused():
    with pytest.raises(LayerError, match="found Dense"):
        read_model(L.Dense(2))


# Memory


def bomb(units, inputs, name="huge"):
    layers = (
        Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, inputs]}),
        Layer(name, "Dense", {"name": name, "units": units, "trainable": True}, (Call([Ref("x")], {}),)),
        Layer("out", "Dense", {"name": "out", "units": 3, "trainable": True}, (Call([Ref(name)], {}),)),
    )
    return Graph("net", layers, (Ref("x"),), (Ref("out"),))


@pytest.mark.parametrize(("units", "inputs"), [(200_000, 200_000), (2**31, 4), (2**40, 2**20)])
def test_a_model_larger_than_allowed_is_refused_before_its_variables_exist(units, inputs):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(LayerError) as caught:
        build_graph(bomb(units, inputs), largest_bytes=1 << 20)
    assert caught.value.problems[0].where == "huge"
    assert f"{4 * (units * inputs + units):,} bytes" in caught.value.problems[0].found
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB
    build_graph(bomb(2, 4))  # and nothing of it waits to be made later


def test_a_model_just_as_large_as_allowed_is_built():
    size = 4 * (4 * 5 + 5 + 5 * 3 + 3)
    assert build_graph(bomb(5, 4), largest_bytes=size).count_params() * 4 == size
    with pytest.raises(LayerError):
        build_graph(bomb(5, 4), largest_bytes=size - 1)


def test_initial_values_are_those_that_keras_gives():
    graph = bomb(5, 4)
    keras.utils.set_random_seed(3)
    model = build_graph(graph)
    keras.utils.set_random_seed(3)
    plain = keras.Sequential([keras.Input((4,)), L.Dense(5), L.Dense(3)])
    for ours, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_variables_that_wait_in_the_callers_scope_still_wait():
    with keras.StatelessScope(initialize_variables=False):
        waiting = keras.Variable(lambda shape, dtype: np.ones(shape, dtype), shape=(2,))
    build_graph(bomb(5, 4))
    with keras.StatelessScope():
        pass
    np.testing.assert_array_equal(waiting, [1, 1])


@pytest.mark.parametrize("name", ["Block", "corpus>Block"])
def test_a_class_of_the_callers_is_found_under_either_of_its_names(name):
    class Block(L.Layer):
        """Plus its units."""

        def __init__(self, units, **options):
            super().__init__(**options)
            self.units = units

        def call(self, x):
            return x + self.units

    graph = Graph(
        "net",
        (
            Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 2]}),
            Layer("b", "Block", {"name": "b", "units": 3}, (Call([Ref("x")], {}),), "", "corpus>Block"),
        ),
        (Ref("x"),),
        (Ref("b"),),
    )
    with pytest.raises(LayerError) as caught:
        build_graph(graph)
    assert (caught.value.problems[0].where, caught.value.problems[0].found) == ("b", "Block")
    np.testing.assert_array_equal(build_graph(graph, {name: Block})(np.ones((1, 2))), [[4, 4]])
