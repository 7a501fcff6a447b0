"""Extraction as a job: from file to file, with Keras and without."""

import keras
import numpy as np
import pytest

import transfer
from transfer.errors import KerasNeededError, LayerError, OutputError
from transfer.graphs.parsing import parse_config
from transfer.jobs.extraction.extracting import extract_file
from transfer.jobs.extraction.extracting_models import extract_through_keras
from transfer.specs import Extraction, Restoring

STUDENT = Extraction(drop_last=1, heads=(transfer.Head("label", 5),), freeze=("backbone",), seed=3)


@pytest.fixture(params=[extract_file, extract_through_keras], ids=["files", "keras"])
def job(request):
    return request.param


def digits():
    return transfer.open_checkpoint("digits_mlp")


def test_extracting_a_file_accounts_for_every_layer(job, tmp_path):
    found = job(digits(), tmp_path / "student.keras", STUDENT)
    assert found.dropped == ("predictions",)
    assert set(found.kept) == {"digits", "dense_1", "dense_2"}
    assert [(each.name, each.parameters, each.trainable, each.state) for each in found.layers] == [
        ("digits", 0, 0, ""),
        ("dense_1", 50_240, 0, "frozen"),
        ("dense_2", 4_160, 0, "frozen"),
        ("label", 325, 325, "new"),
    ]
    assert (found.before, found.after, found.trainable) == (55_050, 54_725, 325)
    assert found.after == keras.models.load_model(found.out).count_params()
    assert isinstance(found.receipt, transfer.Receipt)
    assert str(found).splitlines()[0] == str(found.receipt).splitlines()[0]
    assert str(found).splitlines()[-1].split() == ["total", "54,725", "325", "trainable"]


@pytest.mark.parametrize("name", ["student.keras", "student.weights.h5", "student.h5"])
def test_both_ways_write_the_same_values(name, tmp_path):
    restored = []
    for way in (extract_file, extract_through_keras):
        out = tmp_path / way.__name__ / name
        out.parent.mkdir()
        way(digits(), out, STUDENT)
        model = transfer.restore(out).model
        restored.append([*model.get_weights(), *(np.array(each.trainable) for each in model.layers)])
    for ours, theirs in zip(*restored, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_dry_run_says_the_same_and_writes_nothing(job, tmp_path):
    dry = job(digits(), None, STUDENT)
    wet = job(digits(), tmp_path / "student.keras", STUDENT)
    assert dry.to_json() | {"out": "", "notes": []} == wet.to_json() | {"out": "", "notes": []}
    if job is extract_file:
        assert dry.notes == ("no value was read: nothing was held against a digest",)
    assert "wrote     nothing (a dry run)" in str(dry)
    assert [each.name for each in tmp_path.iterdir()] == ["student.keras"]


@pytest.mark.parametrize("name", ["student", "student.txt", "student.KERAS"])
def test_a_name_that_does_not_say_what_to_write_is_refused(job, name, tmp_path):
    with pytest.raises(OutputError):
        job(digits(), tmp_path / name, STUDENT)
    assert list(tmp_path.iterdir()) == []


def test_a_new_layer_is_new_although_it_takes_the_name_of_a_dropped_one(job, tmp_path):
    how = Extraction(drop_last=1, heads=(transfer.Head("predictions", 5),))
    found = job(digits(), tmp_path / "student.keras", how)
    assert "predictions" in found.dropped
    assert "predictions" not in found.kept
    assert next(each["new"] for each in found.to_json()["layers"] if each["name"] == "predictions")


def test_the_card_is_carried_over_and_says_what_was_done(job, tmp_path):
    job(digits(), tmp_path / "student.h5", STUDENT)
    before, after = digits().card, transfer.open_checkpoint(tmp_path / "student.h5").card
    assert after.history == (*before.history, "dropped predictions", "attached label:5")
    assert (after.name, after.origin, after.licence) == (before.name, before.origin, before.licence)
    assert after.classes == ()
    assert parse_config(after.architecture).names == ("digits", "dense_1", "dense_2", "label")
    # What the network computes is recorded where a network was built.
    assert (after.fingerprint is not None) == (job is extract_through_keras)
    assert transfer.restore(tmp_path / "student.h5").receipt.plan.coverage == 1


def test_the_source_keeps_its_bytes(job, tmp_path):
    source = tmp_path / "source.keras"
    source.write_bytes(digits().path.read_bytes())
    before = source.read_bytes()
    job(transfer.open_checkpoint(source), tmp_path / "student.keras", STUDENT)
    assert source.read_bytes() == before


def test_skipped_tensors_start_from_the_seed(job, tmp_path):
    kernels = []
    for seed in (1, 1, 2):
        how = Extraction(seed=seed)
        job(digits(), tmp_path / "s.keras", how, restoring=Restoring(skip=("predictions/*",)), force=True)
        kernels.append(transfer.open_checkpoint(tmp_path / "s.keras")["predictions/kernel"].tobytes())
    assert kernels[0] == kernels[1] != kernels[2]
    assert kernels[0] != digits()["predictions/kernel"].tobytes()


def test_recorded_outputs_need_keras(tmp_path):
    with pytest.raises(KerasNeededError, match="on a Keras model alone"):
        extract_file(digits(), tmp_path / "s.keras", STUDENT, restoring=Restoring(check="outputs.npz"))


def test_an_error_writes_nothing(job, tmp_path):
    with pytest.raises(LayerError, match="no layer 'dense_9'"):
        job(digits(), tmp_path / "student.keras", Extraction(at=("dense_9",)))
    assert list(tmp_path.iterdir()) == []
