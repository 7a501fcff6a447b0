"""What only Keras can bring into its architecture is written in the layout that its name asks for, as without Keras."""

import h5py
import keras
import numpy as np
import pytest

import transfer
from transfer.errors import KerasNeededError, OutputError
from transfer.jobs.extraction.extracting import extract_file
from transfer.jobs.extraction.extracting_models import extract_through_keras
from transfer.specs import Extraction

L = keras.layers
STUDENT = Extraction(drop_last=1, heads=(transfer.Head("label", 5),), freeze=("backbone",), seed=3)


def digits():
    return transfer.open_checkpoint("digits_mlp")


@pytest.mark.parametrize("job", [extract_file, extract_through_keras], ids=["files", "keras"])
@pytest.mark.parametrize("name", ["student.h5", "student.hdf5"])
def test_a_whole_model_is_one_that_keras_loads(job, name, tmp_path):
    job(digits(), tmp_path / name, STUDENT)
    (tmp_path / name).rename(tmp_path / "again.h5")  # Keras goes by this suffix
    model = keras.models.load_model(tmp_path / "again.h5", compile=False)
    assert [each.name for each in model.layers] == ["digits", "dense_1", "dense_2", "label"]
    assert [each.trainable for each in model.layers[1:]] == [False, False, True]
    np.testing.assert_array_equal(model.get_layer("dense_1").kernel.numpy(), digits()["dense_1/kernel"])
    restored = transfer.restore(tmp_path / "again.h5").model
    for ours, theirs in zip(model.get_weights(), restored.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_both_ways_put_the_same_values_into_the_same_places(tmp_path):
    for way in (extract_file, extract_through_keras):
        way(digits(), tmp_path / f"{way.__name__}.h5", STUDENT)
    held = []
    for way in (extract_file, extract_through_keras):
        with h5py.File(tmp_path / f"{way.__name__}.h5") as file:
            held.append({name: each[()].tobytes() for name, each in _sets(file)})
            assert "model_config" in file.attrs
    assert held[0] == held[1]


def _sets(file):
    found = []
    file.visititems(lambda name, each: found.append((name, each)) if isinstance(each, h5py.Dataset) else None)
    return found


def test_outputs_of_a_whole_model_are_recorded_and_hold(tmp_path):
    extract_through_keras(digits(), tmp_path / "student.h5", STUDENT)
    assert transfer.open_checkpoint(tmp_path / "student.h5").card.fingerprint is not None
    assert transfer.restore(tmp_path / "student.h5").receipt.fingerprint == "verified"


def test_a_model_that_only_keras_can_describe_is_sent_to_an_archive(tmp_path):
    inputs = keras.Input((4, 6), name="x")
    model = keras.Model(inputs, L.Dense(2, name="end")(keras.ops.sort(inputs)), name="sorting")
    model.save(tmp_path / "source.keras")
    how = Extraction(freeze=("end",))
    with pytest.raises(KerasNeededError):
        extract_file(transfer.open_checkpoint(tmp_path / "source.keras"), tmp_path / "a.h5", how)
    with pytest.raises(OutputError, match=r"a\.h5 cannot hold this model") as caught:
        extract_through_keras(transfer.open_checkpoint(tmp_path / "source.keras"), tmp_path / "a.h5", how)
    assert caught.value.next_step == "call it a.keras"
    assert [each.name for each in tmp_path.iterdir()] == ["source.keras"]
    extract_through_keras(transfer.open_checkpoint(tmp_path / "source.keras"), tmp_path / "a.keras", how)
    given = np.random.default_rng(0).normal(size=(3, 4, 6)).astype("float32")
    found = keras.models.load_model(tmp_path / "a.keras").predict(given, verbose=0)
    np.testing.assert_array_equal(found, model.predict(given, verbose=0))
