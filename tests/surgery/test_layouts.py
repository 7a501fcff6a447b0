"""Places that are worked out from a graph are those in the files that Keras itself writes."""

import h5py
import keras
import pytest

from tests.surgery.networks import BUILDERS, stacked, with_values
from transfer.errors import LayerError
from transfer.graphs.variables import describe_graph
from transfer.models.building import read_model
from transfer.models.variables import name_variables
from transfer.surgery.layouts import keras3_groups, legacy_layers
from transfer.weights.blueprints import keras3_blueprint

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


@pytest.mark.parametrize("build", [*BUILDERS, stacked])
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
