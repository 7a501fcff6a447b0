"""Graph to model and back: what fits is built, what does not is told."""

import copy
import resource
from dataclasses import replace

import keras
import numpy as np
import pytest

import transfer
from transfer.errors import LayerError
from transfer.graphs.freezing import freeze, freeze_all, frozen_layers, trainable_layers, unfreeze, unfreeze_all
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.models.building import attach_card, build_graph, build_model, card_of, read_model
from transfer.models.variables import name_variables
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


# Flags that no config carries


class Scale(L.Layer):
    """One factor; its config says nothing but this."""

    def __init__(self, start=1.0, name=None):
        super().__init__(name=name)
        self.start = start

    def build(self, shape):  # noqa: ARG002
        self.w = self.add_weight((), initializer=keras.initializers.Constant(self.start), name="w")

    def call(self, x):
        return x * self.w

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {"start": self.start, "name": self.name}


class TwoScales(L.Layer):
    """A layer that makes layers of its own, and hands options on."""

    def __init__(self, **options):
        super().__init__(**options)
        self.one, self.two = Scale(name="one"), Scale(name="two")

    def call(self, x):
        return self.two(self.one(x))

    def get_config(self):
        return {"name": self.name}


class CellOfMine(L.Layer):
    """A cell whose config says nothing but its size."""

    def __init__(self, units, name=None):
        super().__init__(name=name)
        self.units = self.state_size = units

    def build(self, shape):
        self.w = self.add_weight((shape[-1], self.units), name="w")

    def call(self, x, states):
        made = keras.ops.matmul(x, self.w) + states[0]
        return made, [made]

    def get_config(self):
        return {"units": self.units, "name": self.name}


class SyncBatchNormalization(L.BatchNormalization):
    """As other packages call theirs."""


CUSTOM = {each.__name__: each for each in (Scale, TwoScales, CellOfMine, SyncBatchNormalization)}


def of_mine():
    x = keras.Input((4, 3), name="x")
    y = TwoScales(name="two")(Scale(name="sc")(x))
    inner, frame = (
        keras.Sequential([keras.Input(shape), Scale(name="deep"), L.Dense(3, name="dense")], name="inner")
        for shape in ((4, 3), (3,))
    )
    y = L.TimeDistributed(Scale(name="wrapped"), name="td")(L.TimeDistributed(frame, name="frames")(inner(y)))
    y = L.RNN([CellOfMine(3, name="low"), CellOfMine(2, name="high")], name="steps")(y)
    y = SyncBatchNormalization(name="norm")(y)
    return keras.Model(x, L.Dense(2, name="label")(y), name="mine")


def trained(model):
    return {name for name, each in name_variables(model).items() if each.trainable}


def stays(model):
    """Names of the variables that keep their bits in a step of training."""
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    before = {name: keras.ops.convert_to_numpy(each).copy() for name, each in name_variables(model).items()}
    random = np.random.RandomState(0)
    x, y = (random.rand(8, *each.shape[1:]).astype("float32") for each in (model.inputs[0], model.outputs[0]))
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    after = {name: keras.ops.convert_to_numpy(each) for name, each in name_variables(model).items()}
    return {name for name in before if np.array_equal(before[name], after[name])}


def test_layers_of_the_callers_freeze_wherever_they_stand():
    graph = read_model(of_mine()).graph
    everything = trained(build_graph(graph, CUSTOM))
    paths = ("sc", "two", "inner/deep", "inner/dense", "td", "steps", "norm", "label")
    assert set(trainable_layers(graph)) > set(paths)
    for path in ("sc", "two", "inner/deep", "frames/inner/deep", "td", "steps"):
        frozen = freeze(graph, path, batch_norm="train")
        assert frozen_layers(frozen) == (path,)
        lost = everything - trained(build_graph(frozen, CUSTOM))
        assert lost
        assert {name for name in everything if name.startswith(f"{path}/")} >= lost
        assert trained(build_graph(unfreeze_all(frozen, batch_norm="train"), CUSTOM)) == everything
    assert trained(build_graph(freeze_all(graph), CUSTOM)) == set()


def test_under_training_a_frozen_network_with_layers_of_the_callers_keeps_its_bits():
    graph = unfreeze(freeze_all(read_model(of_mine()).graph), "label")
    model = build_graph(graph, CUSTOM)
    assert stays(model) == set(name_variables(model)) - {"label/kernel", "label/bias"}
    statistics = {f"norm/{role}" for role in ("gamma", "beta", "moving_mean", "moving_variance")}
    model = build_graph(freeze_all(graph, batch_norm="train"), CUSTOM)
    assert set(name_variables(model)) - stays(model) == statistics


def test_what_is_frozen_in_a_live_model_stays_so_though_no_config_says_it():
    model = of_mine()
    for layer in (
        model.get_layer("sc"),
        model.get_layer("td").layer,
        model.get_layer("frames").layer.get_layer("deep"),
    ):
        layer.trainable = False
    model.get_layer("steps").cell.cells[1].trainable = False
    network = read_model(model)
    assert trained(build_model(network, CUSTOM)) == trained(model) != set(name_variables(model))
    model.trainable = False
    assert trained(build_model(read_model(model), CUSTOM)) == set()
    assert set(frozen_layers(read_model(model).graph)) > {"sc", "two", "inner/deep", "steps", "label"}


def test_a_class_of_keras_that_makes_its_own_layers_freezes_inside_a_model_in_a_wrapper():
    frame = keras.Input((4, 3))
    attend = L.MultiHeadAttention(1, 2, name="attend")(frame, frame)
    inner = keras.Model(frame, L.Dense(3, name="dense")(attend), name="inner")
    x = keras.Input((2, 4, 3))
    graph = read_model(keras.Model(x, L.TimeDistributed(inner, name="td")(x))).graph
    assert trained(build_graph(freeze(graph, "td/inner/attend"))) == {"td/inner/dense/kernel", "td/inner/dense/bias"}


@pytest.mark.parametrize("wrap", [lambda layer: layer, lambda layer: L.TimeDistributed(layer, name="td")])
def test_under_training_frozen_spectral_normalization_keeps_its_kernel(wrap):
    x = keras.Input((4, 3), name="x")
    spectral = L.SpectralNormalization(L.Dense(3, name="dense"), name="spectral")
    model = keras.Model(x, L.Dense(2, name="label")(wrap(spectral)(x)))
    graph = freeze(read_model(model).graph, "spectral" if wrap(spectral) is spectral else "td")
    frozen = build_graph(graph)
    assert stays(frozen) == set(name_variables(frozen)) - {"label/kernel", "label/bias"}
    again = build_graph(unfreeze_all(graph))
    assert not any(name.endswith(("vector_u", "dense/kernel")) for name in stays(again))
    again.layers[1].trainable = False
    assert stays(again) == set(name_variables(again)) - {"label/kernel", "label/bias"}


def test_a_model_with_spectral_normalization_is_saved_and_loaded_as_any_other(tmp_path):
    x = keras.Input((3,), name="x")
    spectral = L.SpectralNormalization(L.Dense(3, name="dense"), name="spectral")
    model = build_graph(read_model(keras.Model(x, spectral(x))).graph)
    model.save(tmp_path / "a.keras")
    values = np.random.RandomState(0).rand(2, 3).astype("float32")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "a.keras")(values), model(values))


def test_a_layer_that_was_built_frozen_can_be_unfrozen_and_trained():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="a"), keras.layers.Dense(2, name="b")])
    student = transfer.extract(model, freeze=["a"])
    before = student.get_layer("a").get_weights()[0]
    student.get_layer("a").trainable = True
    student.compile("sgd", "mse")
    student.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    assert (student.get_layer("a").get_weights()[0] != before).any()


def test_variables_start_with_the_tensors_and_leave_them_alone():
    network = read_model(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="one")]))
    kernel = np.arange(6, dtype=np.float32).reshape(3, 2)
    given = {"one/kernel": kernel, "one/bias": np.ones(2, np.float32)}

    model = build_model(replace(network, tensors=given))

    np.testing.assert_array_equal(model.get_layer("one").kernel, np.arange(6).reshape(3, 2))
    model.get_layer("one").kernel.assign_add(np.full((3, 2), 5.0))
    np.testing.assert_array_equal(kernel, np.arange(6).reshape(3, 2))


def test_layers_without_tensors_start_as_when_they_are_made_alone():
    dense = keras.layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(seed=4), name="one")
    network = read_model(keras.Sequential([keras.Input((3,)), dense]))

    model = build_model(replace(network, tensors={}, new=frozenset({"one"})))

    np.testing.assert_array_equal(model.get_layer("one").kernel, keras.initializers.GlorotUniform(seed=4)((3, 2)))
