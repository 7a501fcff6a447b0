"""Writing a network: what no file can hold is refused before anything is written, in words about the target."""

import keras
import numpy as np
import pytest

from transfer.errors import CheckpointError, LayerError, OutputError, Problem
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.surgery.network import Network
from transfer.surgery.writing import write_network
from transfer.weights import signing
from transfer.weights.formats import open_tensors

LAYOUTS = ["out.h5", "out.keras", "out.weights.h5", "out.safetensors"]


def network(name="dense", model="net", kind="Dense"):
    x = Layer("x", "InputLayer", {"name": "x", "batch_shape": [None, 2]})
    config = {"name": name, "units": 2} if kind == "Dense" else {"name": name}
    tensors = {"kernel": np.eye(2, dtype="float32"), "bias": np.ones(2, "float32")} if kind == "Dense" else {}
    layer = Layer(name, kind, config, (Call([Ref("x")], {}),))
    graph = Graph(model, (x, layer), (Ref("x"),), (Ref(name),))
    return Network(graph, {f"{name}/{role}": each for role, each in tensors.items()})


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["dense", "a b", "é", "...", "vars", "n" * 5000], ids=ascii)
def test_unusual_names_are_written_as_they_are(name, layout, tmp_path):
    write_network(network(name), tmp_path / layout)
    assert list(open_tensors(tmp_path / layout)) == [f"{name}/kernel", f"{name}/bias"]


@pytest.mark.parametrize("kind", ["Dense", "ReLU"])
@pytest.mark.parametrize("layout", LAYOUTS[:3])
@pytest.mark.parametrize("name", ["a\0b", "\ud800"], ids=ascii)
def test_a_name_that_hdf5_cannot_hold_is_refused_before_anything_is_written(name, layout, kind, tmp_path):
    with pytest.raises(LayerError, match="names that cannot be written") as caught:
        write_network(network(name, kind=kind), tmp_path / layout)
    assert [each.where for each in caught.value.problems] == [ascii(name)]
    assert str(caught.value).isascii()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["Dense", "ReLU"])
@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_leads_to_another_group_is_refused_where_layers_are_groups(name, kind, tmp_path):
    with pytest.raises(LayerError) as caught:
        write_network(network(name, kind=kind), tmp_path / "out.h5")
    assert [(each.where, each.found) for each in caught.value.problems] == [
        (repr(name), f"{name!r} where a group's name would stand")
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", ["out.keras", "out.weights.h5"])
def test_a_models_name_is_checked_where_it_is_written(layout, tmp_path):
    with pytest.raises(LayerError):
        write_network(network(model="a\0b"), tmp_path / layout)
    write_network(network(model=".."), tmp_path / layout)


def test_a_name_that_safetensors_cannot_hold_is_refused(tmp_path):
    with pytest.raises(LayerError):
        write_network(network("\ud800"), tmp_path / "out.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [64_500, 64_512, 64_513, 200_000])
def test_a_name_too_long_for_a_legacy_file_is_refused_and_goes_elsewhere(length, tmp_path):
    name = "n" * length
    if length < 64_505:  # with the role behind it
        write_network(network(name), tmp_path / "out.h5")
        return
    with pytest.raises(OutputError, match="no names of that length") as caught:
        write_network(network(name), tmp_path / "out.h5")
    assert caught.value.problems[0].where.startswith("nnn")
    assert list(tmp_path.iterdir()) == []
    write_network(network(name), tmp_path / "out.weights.h5")
    assert list(open_tensors(tmp_path / "out.weights.h5")) == [f"{name}/kernel", f"{name}/bias"]


@pytest.mark.parametrize("layout", LAYOUTS[:3])
def test_an_error_names_the_target_and_not_the_file_that_was_to_become_it(layout, tmp_path, monkeypatch):
    def spoil(path):
        raise CheckpointError(f"{path} is damaged.", [Problem(str(path), "HDF5", "other bytes")])

    monkeypatch.setattr(signing, "open_own", spoil)
    with pytest.raises(OutputError) as caught:
        write_network(network(), tmp_path / layout)
    assert caught.value.summary == f"{layout} does not read back as it was written."
    assert caught.value.problems[0].where == str(tmp_path / layout)


def test_keras_loads_what_was_written(tmp_path):
    given = np.array([[1.0, 2.0], [3.0, -4.0]], "float32")
    for layout in LAYOUTS[:2]:
        write_network(network(), tmp_path / layout)
        found = keras.models.load_model(tmp_path / layout, compile=False).predict(given, verbose=0)
        np.testing.assert_array_equal(found, given + 1)
