"""Places that are worked out from a graph are those in the files that Keras itself writes."""

from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest

from tests.surgery.networks import BUILDERS, outputs, stacked, with_values
from transfer.errors import LayerError
from transfer.graphs.freezing import freeze
from transfer.graphs.variables import describe_graph
from transfer.models.building import build_model, read_model
from transfer.models.variables import name_variables
from transfer.surgery.layouts import keras3_groups, legacy_layers
from transfer.surgery.writing import write_network
from transfer.weights.blueprints import keras3_blueprint

L = keras.layers
NO_WEIGHTS = ("seed_generator", "_random_generator", "generator")


def arrays(model):
    return {name: keras.ops.convert_to_numpy(each).tobytes() for name, each in name_variables(model).items()}


@pytest.mark.parametrize("build", [*BUILDERS, stacked])
def test_keras3_groups_are_those_that_keras_writes(build, tmp_path):
    model = with_values(build())
    model.save_weights(tmp_path / "a.weights.h5")
    values, tensors, names = arrays(model), {}, {}

    def visit(path, each):
        if any(part in NO_WEIGHTS for part in path.split("/")):
            return
        if isinstance(each, h5py.Dataset):
            tensors[path] = each[()].tobytes()
        elif path.endswith("vars") and len(each):
            names[path] = each.attrs["name"]

    with h5py.File(tmp_path / "a.weights.h5") as file:
        file.visititems(visit)
        tops = {f"layers/{name}/vars" for name in file["layers"]}
    graph = read_model(model).graph
    blueprint = keras3_blueprint(keras3_groups(graph, describe_graph(graph)))
    assert {slot.path: values[slot.name] for slot in blueprint.slots} == tensors
    assert {path: blueprint.groups[path]["name"] for path in names} == names
    inputs = set() if build.__name__ != "sequential" else {"layers/input_layer/vars"}
    assert {path for path in blueprint.groups if path.count("/") == 2} - inputs == tops


def adapted():
    """Of a low-rank adaptation Keras trains the factors, not the kernel."""
    x, wrapped = keras.Input((3, 4), name="x"), L.Dense(4, name="in_td")
    y = L.TimeDistributed(wrapped, name="td")(L.Dense(4, name="low")(x))
    model = keras.Model(x, L.Dense(2, name="end")(y), name="adapted")
    model.get_layer("low").enable_lora(4)
    wrapped.enable_lora(4)
    return model


@pytest.mark.parametrize("build", [*BUILDERS, stacked, adapted])
def test_legacy_layers_list_tensors_as_keras_does(build, tmp_path):
    model = with_values(build())
    model.save(tmp_path / "a.h5")
    values = arrays(model)
    with h5py.File(tmp_path / "a.h5") as file:
        group = file["model_weights"]
        wanted = {
            layer: [group[layer][name][()].tobytes() for name in group[layer].attrs["weight_names"]]
            for layer in group.attrs["layer_names"]
        }
    graph = read_model(model).graph
    found = legacy_layers(graph, describe_graph(graph))
    layers = {layer: [values[name] for name, _, _ in tensors] for layer, tensors in found.items()}
    assert {layer: each for layer, each in layers.items() if each} == {
        layer: each for layer, each in wanted.items() if each
    }
    assert [layer for layer in layers if layer in wanted] == list(wanted)


def test_a_layer_whose_groups_are_not_known_is_named():
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.SpectralNormalization(keras.layers.Conv2D(2, 3, name="inner"), name="spectral")(inputs)
    graph = read_model(keras.Model(inputs, x)).graph
    with pytest.raises(LayerError) as caught:
        keras3_groups(graph, describe_graph(graph))
    assert {each.where for each in caught.value.problems} == {
        f"spectral/{name}" for name in ("vector_u", "inner/kernel", "inner/bias")
    }


# Legacy files list what Keras calls trained first, when it has built the model from the file's config.


def over_frames(inner):
    frames = keras.Input((3, 4), name="frames")
    return keras.Model(frames, L.Dense(2, name="end")(L.TimeDistributed(inner, name="td")(frames)), name="video")


def in_sequence():
    return over_frames(keras.Sequential([keras.Input((4,)), L.Dense(4, name="a"), L.Dense(4, name="b")], name="inner"))


def in_graph():
    inputs = keras.Input((4,), name="frame")
    x = L.Dense(4, name="b")(L.BatchNormalization(name="norm")(L.Dense(4, name="a")(inputs)))
    return over_frames(keras.Model(inputs, x, name="inner"))


def in_graph_of_sequences():
    inputs = keras.Input((4,), name="frame")
    deep = keras.Sequential([keras.Input((4,)), L.Dense(4, name="a"), L.Dense(4, name="b")], name="deep")
    return over_frames(keras.Model(inputs, L.Dense(4, name="b")(deep(inputs)), name="inner"))


def in_sequence_of_graphs():
    inputs = keras.Input((4,), name="frame")
    deep = keras.Model(inputs, L.Dense(4, name="b")(L.Dense(4, name="a")(inputs)), name="deep")
    return over_frames(keras.Sequential([keras.Input((4,)), deep, L.Dense(4, name="b")], name="inner"))


def one_wrapped():
    return over_frames(L.Dense(4, name="inner"))


def both_ways():
    steps = keras.Input((3, 4), name="steps")
    stack = L.RNN([L.GRUCell(3, name="low"), L.GRUCell(3, name="high")], return_sequences=True, name="stack")(steps)
    return keras.Model(steps, L.Bidirectional(L.LSTM(3), name="bi")(stack), name="both")


def whole(network, path):
    write_network(network, path)
    return keras.models.load_model(path, compile=False)


@pytest.mark.parametrize(
    ("build", "frozen"),
    [
        *((in_sequence, each) for each in ("td/inner/a", "td/inner/b", "td", "end")),
        *((in_graph, each) for each in ("td/inner/a", "td/inner/norm", "td/inner/b", "td/inner")),
        *((in_graph_of_sequences, each) for each in ("td/inner/deep/a", "td/inner/deep", "td/inner/b")),
        *((in_sequence_of_graphs, each) for each in ("td/inner/deep/a", "td/inner/deep", "td/inner/b")),
        *(
            (build, each)
            for build in (one_wrapped, both_ways)
            for each in ("*", "end" if build is one_wrapped else "bi")
        ),
        *((both_ways, each) for each in ("stack",)),
    ],
)
@pytest.mark.parametrize("policy", ["frozen", "adapt", "train"])
def test_a_whole_file_with_frozen_parts_is_read_by_keras_as_it_was_meant(build, frozen, policy, tmp_path):
    network = read_model(with_values(build()))
    network = replace(network, graph=freeze(network.graph, frozen, batch_norm=policy))
    loaded, meant = whole(network, tmp_path / "a.h5"), build_model(network)
    assert arrays(loaded) == arrays(meant)
    np.testing.assert_array_equal(outputs(loaded), outputs(meant))


@pytest.mark.parametrize("build", [in_sequence, in_graph, in_graph_of_sequences, in_sequence_of_graphs])
@pytest.mark.parametrize("outer", [True, False])
def test_flags_set_by_hand_inside_a_wrapper_do_not_mix_up_a_whole_file(build, outer, tmp_path):
    model = with_values(build())
    inner = model.get_layer("td").layer
    inner.trainable = outer
    inner.get_layer("b").trainable = not outer
    loaded = whole(read_model(model), tmp_path / "a.h5")
    assert arrays(loaded) == arrays(model)


@pytest.mark.parametrize("side", ["forward_layer", "backward_layer"])
@pytest.mark.parametrize("outer", [True, False])
def test_one_side_of_a_bidirectional_layer_may_be_frozen_in_a_whole_file(side, outer, tmp_path):
    model = with_values(both_ways())
    layer = model.get_layer("bi")
    layer.trainable = outer
    getattr(layer, side).trainable = not outer
    cell = model.get_layer("stack").cell.cells[0]
    cell.trainable = False
    loaded = whole(read_model(model), tmp_path / "a.h5")
    assert arrays(loaded) == arrays(model)
