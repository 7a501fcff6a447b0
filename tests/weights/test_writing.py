"""Writing tensors and cards; what stock Keras makes of it is in tests/models/test_saving.py."""

import json
import zipfile

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from transfer.errors import OutputError
from transfer.weights.cards import Card
from transfer.weights.opening import open_checkpoint
from transfer.weights.signing import write_card
from transfer.weights.writing import check_written, halve_kernels, write_legacy

TENSORS = hnp.arrays(
    st.sampled_from(["float16", "float32", "float64", "int8", "uint8", "int32", "int64", "bool"]),
    hnp.array_shapes(min_dims=0, max_dims=3, max_side=3),
)


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c d", "é", "net/inner"]), st.lists(TENSORS, max_size=2), min_size=1, max_size=4
    )
)
def test_any_tensors_go_round_to_the_bit_and_in_their_order(tmp_path_factory, layers):
    path = tmp_path_factory.mktemp("legacy") / "a.h5"
    named = {name: {f"{name}/{k}": each for k, each in enumerate(tensors)} for name, tensors in layers.items()}
    write_legacy(path, named, writer="3.15.1")
    checkpoint = open_checkpoint(path)
    wanted = {name: each for tensors in named.values() for name, each in tensors.items()}
    assert [spec.dtype for spec in checkpoint.specs.values()] == [each.dtype.name for each in wanted.values()]
    for found, each in zip(checkpoint.read(checkpoint).values(), wanted.values(), strict=True):
        assert (found.dtype, found.shape, found.tobytes()) == (each.dtype, each.shape, each.tobytes())


def test_layers_without_tensors_are_listed_as_keras_lists_them(tmp_path):
    write_legacy(tmp_path / "a.h5", {"x": {}, "a": {"a/kernel": np.ones(2)}}, writer="3.15.1")
    with h5py.File(tmp_path / "a.h5") as file:
        assert list(file.attrs["layer_names"]) == [b"x", b"a"]
        assert file["x"].attrs["weight_names"].size == 0
    assert open_checkpoint(tmp_path / "a.h5").specs["a/kernel"].position == 1


def test_kernels_are_halved_and_vectors_and_other_types_are_kept(tmp_path):
    path = tmp_path / "a.h5"
    kernel = np.array([[1.0, 1e-3], [65504.0, -2.5]], "float32")
    tensors = {"a/kernel": kernel, "a/bias": kernel[0], "a/count": np.array(3), "a/table": np.ones((2, 2), "int32")}
    write_legacy(path, {"a": tensors}, writer="3.15.1")
    size = path.stat().st_size
    halve_kernels(path)
    checkpoint = open_checkpoint(path)
    assert [each.dtype for each in checkpoint.specs.values()] == ["float16", "float32", "int64", "int32"]
    np.testing.assert_array_equal(checkpoint["a/kernel"], kernel.astype("float16"))
    np.testing.assert_array_equal(checkpoint["a/bias"], kernel[0])
    assert path.stat().st_size <= size
    assert [each.name for each in tmp_path.iterdir()] == ["a.h5"]


@pytest.mark.parametrize("value", [70_000.0, np.inf, -np.inf])
def test_values_that_float16_cannot_hold_are_refused_and_the_file_is_kept(tmp_path, value):
    path = tmp_path / "a.h5"
    write_legacy(path, {"a": {"a/kernel": np.full((2, 2), value, "float32")}}, writer="3.15.1")
    before = path.read_bytes()
    with pytest.raises(OutputError, match="cannot be stored as float16") as caught:
        halve_kernels(path)
    assert "a/a/kernel" in caught.value.problems[0].where
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.h5"]


def test_a_file_that_does_not_hold_what_it_should_is_noticed(tmp_path):
    path = tmp_path / "a.h5"
    kernel = np.ones((2, 2), "float32")
    write_legacy(path, {"a": {"a/kernel": kernel}}, writer="3.15.1")
    check_written(path, {"whatever": kernel})
    for wrong in ({"a": kernel + 1}, {"a": kernel.astype("float64")}, {"a": kernel, "b": kernel}, {}):
        with pytest.raises(OutputError, match="does not read back"):
            check_written(path, wrong)


def test_a_card_is_put_into_an_archive_beside_what_is_there(tmp_path):
    write_legacy(tmp_path / "inside.h5", {"a": {"a/kernel": np.ones((2, 2))}}, writer="3.15.1")
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", "{}")
        file.writestr("metadata.json", json.dumps({"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}))
        file.writestr("model.weights.h5", (tmp_path / "inside.h5").read_bytes())
        file.writestr("assets/words.txt", "a\nb\n")
    write_card(path, Card(name="first"))
    write_card(path, Card(name="second"))
    assert open_checkpoint(path).card.name == "second"
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert file.read("assets/words.txt") == b"a\nb\n"
        assert len(file.namelist()) == len(set(file.namelist())) == 5
        assert json.loads(file.read("metadata.json"))["date_saved"] == ""
