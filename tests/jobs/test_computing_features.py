"""Features of many examples in a folder of shards: to the bit, whatever ends the job, and nothing computed twice."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import transfer
from transfer.errors import DataError, OutputError
from transfer.jobs.examples.feeding import as_learnt, make_feed
from transfer.jobs.examples.reading_unlabelled import read_unlabelled
from transfer.models.building import read_model
from transfer.training.engines import LocalEngine
from transfer.training.prefixing import Piece

# A run to its end and one that is killed between the third shard and its record; then the second once more.
KILLED = """
import os, signal, sys
import transfer
from transfer.jobs.features import filling_shards

data, whole, cut = sys.argv[1:]
if os.path.exists(whole):
    print(transfer.compute_features("digits_mlp", data, cut, shard_rows=7).computed)
    sys.exit()
transfer.compute_features("digits_mlp", data, whole, shard_rows=7)

write, calls = filling_shards.write_record, []

def kill(folder, record):
    calls.append(record)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    write(folder, record)

filling_shards.write_record = kill
transfer.compute_features("digits_mlp", data, cut, shard_rows=7)
"""


def shards_of(folder: Path) -> dict[str, bytes]:
    """Bytes of all shards, by their path below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/*.h5")}


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


@pytest.fixture(scope="module")
def computed(restored, digits_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("computed") / "features"
    return transfer.compute_features(restored, digits_folder, out, shard_rows=7)


def test_rows_are_those_of_the_extracted_network_to_the_bit(computed, restored, digits_folder):
    network = read_model(transfer.extract(restored, at="features"))
    inputs = read_unlabelled(digits_folder)
    feed = make_feed(network, inputs)
    piece = Piece(as_learnt(feed, inputs), shape=feed.example_shape(inputs), feeding=feed.to_json())
    wanted = np.concatenate([piece.run(batch.images) for batch in feed.batches(inputs, piece.batch_size)])
    assert wanted.std() > 0
    np.testing.assert_array_equal(computed.load(), wanted)
    by_keras = feed.network.predict(feed.load(inputs, 30), verbose=0)
    np.testing.assert_allclose(computed.load(), by_keras, rtol=1e-4, atol=1e-5)


def test_ids_are_paths_below_the_folder_and_shards_give_them_with_their_rows(computed, digits_folder):
    assert computed.ids == tuple(sorted(str(path.relative_to(digits_folder)) for path in digits_folder.rglob("*.png")))
    parts = list(computed.shards())
    assert [len(ids) for ids, _ in parts] == [7, 7, 7, 7, 2]
    assert all(isinstance(rows.base, np.memmap) or isinstance(rows, np.memmap) for _, rows in parts)
    np.testing.assert_array_equal(np.concatenate([rows for _, rows in parts]), computed.load())
    assert computed.rows == len(computed) == 30
    assert "30 rows of" in str(computed)
    assert "in 5 shards" in str(computed)


def test_the_manifest_tells_of_each_shard_its_rows_ids_and_digest(computed):
    told = manifest_of(computed.folder)
    assert (told["finished"], told["rows"], told["failed"]) == (True, 30, 0)
    assert [each["rows"] for each in told["shards"]] == [7, 7, 7, 7, 2]
    assert [name for each in told["shards"] for name in each["ids"]] == list(computed.ids)
    there = {Path(name).stem for name in shards_of(computed.folder)}
    assert {each["sha256"] for each in told["shards"]} == there
    assert sorted(path.name for path in computed.folder.iterdir() if path.is_file()) == ["failed.csv", "manifest.json"]


def test_asked_again_it_computes_nothing_and_writes_nothing(computed, restored, digits_folder, snapshot):
    before = {name: content for name, (content, _) in snapshot(computed.folder).items()}
    again = transfer.compute_features(restored, digits_folder, computed.folder, shard_rows=7)
    assert (again.computed, again.is_reused) == (0, True)
    assert "nothing was computed" in str(again)
    assert {name: content for name, (content, _) in snapshot(computed.folder).items()} == before
    np.testing.assert_array_equal(again.load(), computed.load())


def test_a_job_that_is_killed_goes_on_and_ends_with_the_same_bytes(digits_folder, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    asked = [sys.executable, "-c", KILLED, digits_folder, whole, cut]
    killed = subprocess.run(asked, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not manifest_of(cut)["finished"]
    assert len(list((cut / "unfinished").glob("*.json"))) == 2
    assert len(shards_of(cut)) == 3
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["16"], "rows of shards without a record"
    assert len(shards_of(cut)) == 5
    assert shards_of(cut) == shards_of(whole)
    assert manifest_of(cut) == manifest_of(whole)
    assert not (cut / "unfinished").exists()
    assert list(cut.rglob(".*")) == []


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_shard_that_was_harmed_is_computed_anew_and_no_other(computed, restored, digits_folder, tmp_path, harm):
    out = shutil.copytree(computed.folder, tmp_path / "features")
    path = sorted(out.glob("*/*.h5"))[0]
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    found = transfer.compute_features(restored, digits_folder, out, shard_rows=7)
    assert found.computed in (2, 7)
    assert shards_of(out) == shards_of(computed.folder)
    assert manifest_of(out) == manifest_of(computed.folder)
    assert not (out / "unfinished").exists()


def test_reading_a_shard_that_was_harmed_is_an_error(computed, restored, digits_folder, tmp_path):
    out = shutil.copytree(computed.folder, tmp_path / "features")
    found = transfer.compute_features(restored, digits_folder, out, shard_rows=7)
    next(iter(out.glob("*/*.h5"))).write_bytes(b"nothing")
    with pytest.raises(DataError, match="have gone or were changed"):
        found.load()


def test_a_picture_that_has_changed_since_is_computed_anew(computed, restored, digits_folder, tmp_path):
    data, out = (shutil.copytree(each, tmp_path / each.name) for each in (digits_folder, computed.folder))
    changed = data / computed.ids[8]
    Image.new("L", (28, 28), 90).save(changed)
    found = transfer.compute_features(restored, data, out, shard_rows=7)
    assert found.computed == 7
    same = np.all(found.load() == computed.load(), axis=1)
    assert np.flatnonzero(~same).tolist() == [8]
    assert len(shards_of(out)) == 5, "the old shard goes"


def test_bad_pictures_are_set_aside_with_their_reasons(restored, digits_folder, truncate, tmp_path):
    data = shutil.copytree(digits_folder, tmp_path / "data")
    truncate(data / "digit_1" / "=cut, \n.jpg")
    (data / "digit_2" / "empty.png").write_bytes(b"")
    (data / os.fsdecode(b"n\xffme.png")).write_bytes((data / "digit_0" / "00.png").read_bytes())
    out = tmp_path / "features"
    found = transfer.compute_features(restored, data, out, shard_rows=7)
    assert found.rows == 30
    assert len(shards_of(out)) == 5
    with (out / "failed.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        header, *lines = list(csv.reader(stream))
    assert header == ["id", "reason"]
    reasons = dict(lines)
    assert len(lines) == 3
    assert set(reasons) > {"digit_1/=cut, \n.jpg", "digit_2/empty.png"}
    assert "its name is not valid UTF-8" in reasons.values()
    assert all(reasons.values())
    again = transfer.compute_features(restored, data, out, shard_rows=7)
    assert (again.computed, len(again.failed)) == (0, 3)


def test_where_no_picture_can_be_read_it_is_an_error_that_names_them(restored, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match="None of the 1 examples"):
        transfer.compute_features(restored, data, tmp_path / "features")


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"shard_rows": 8}, "--shard-rows"),
        ({"shard_rows": 7, "at": "dense"}, "--at, the last layer that is kept"),
        ({"shard_rows": 7, "preprocessing": "raw", "size": (28, 28)}, "--preprocessing"),
    ],
)
def test_another_request_is_refused_with_what_differs(computed, restored, digits_folder, snapshot, other, named):
    before = snapshot(computed.folder)
    if "at" in other:
        names = [layer.name for layer in restored.model.layers if layer.get_weights()]
        other = {**other, "at": names[0]}
    with pytest.raises(OutputError, match="another request") as raised:
        transfer.compute_features(restored, digits_folder, computed.folder, **other)
    assert named in [problem.where for problem in raised.value.problems]
    assert all(problem.expected != problem.found for problem in raised.value.problems)
    assert snapshot(computed.folder) == before


def test_other_examples_are_refused(computed, restored, digits_folder, tmp_path):
    data = shutil.copytree(digits_folder, tmp_path / "data")
    (data / "digit_0" / "00.png").rename(data / "digit_0" / "zero.png")
    with pytest.raises(OutputError) as raised:
        transfer.compute_features(restored, data, computed.folder, shard_rows=7)
    assert [problem.where for problem in raised.value.problems] == ["data, the ids of the examples"]


def test_a_folder_that_holds_something_else_is_left_as_it_is(restored, digits_folder, tmp_path, snapshot):
    (tmp_path / "mine.txt").write_text("mine")
    before = snapshot(tmp_path)
    with pytest.raises(OutputError, match="something else"):
        transfer.compute_features(restored, digits_folder, tmp_path)
    (tmp_path / "manifest.json").write_text("[" * 9)
    with pytest.raises(OutputError, match="something else"):
        transfer.compute_features(restored, digits_folder, tmp_path)
    with pytest.raises(OutputError, match="something else"):
        transfer.compute_features(restored, digits_folder, tmp_path / "mine.txt")
    (tmp_path / "manifest.json").unlink()
    assert snapshot(tmp_path) == before


def test_a_manifest_names_pictures_and_its_labels_are_ignored(computed, restored, digits_folder, tmp_path):
    data = shutil.copytree(digits_folder, tmp_path / "data")
    chosen = [computed.ids[place] for place in (9, 0, 4)]
    lines = [f"{name},x" for name in (*chosen, chosen[0], "gone.png")]
    (data / "chosen.csv").write_text("\n".join(["file,label", *lines]))
    found = transfer.compute_features(restored, data / "chosen.csv", tmp_path / "features")
    assert list(found.ids) == chosen
    assert ["gone.png" in problem.found for problem in found.failed] == [True]
    np.testing.assert_array_equal(found.load(), computed.load()[[9, 0, 4]])


def test_arrays_go_by_numbers_of_rows_and_give_what_the_pictures_give(computed, restored, digits, tmp_path):
    np.savez(tmp_path / "digits.npz", x=digits[0], y=digits[1])
    found = transfer.compute_features(restored, tmp_path / "digits.npz", tmp_path / "features", shard_rows=7)
    assert found.ids == tuple(map(str, range(30)))
    np.testing.assert_array_equal(found.load(), computed.load())
    with h5py.File(tmp_path / "digits.h5", "w") as file:
        file["x"] = digits[0].astype(np.float64)
    other = transfer.compute_features(restored, tmp_path / "digits.h5", tmp_path / "others", shard_rows=1)
    np.testing.assert_array_equal(other.load(), computed.load())


def test_rows_of_numbers_that_are_not_finite_are_set_aside(convolutional, tmp_path):
    rows = np.random.default_rng(0).normal(size=(9, 24, 24, 3)).astype(np.float32)
    rows[4, 0, 0, 0], rows[7, 1, 1, 1] = np.nan, np.inf
    student = transfer.extract(convolutional, at="relu_2")
    path = tmp_path / "student.keras"
    transfer.save_model(student, path)
    found = transfer.compute_features(path, rows, tmp_path / "features", at="relu_2", shard_rows=4)
    assert [(each.where, each.found) for each in found.failed] == [
        ("4", "x is NaN or infinite"),
        ("7", "x is NaN or infinite"),
    ]
    good = [place for place in range(9) if place not in (4, 7)]
    assert found.shape == (6, 6, 8)
    by_keras = student.predict(rows[good], verbose=0).reshape(7, -1)
    np.testing.assert_allclose(found.load(), by_keras, rtol=1e-4, atol=1e-5)


def test_a_network_of_several_inputs_takes_arrays_by_their_names(tmp_path):
    one, two = keras.Input((3,), name="one"), keras.Input((4, 2), name="two")
    joined = keras.layers.Concatenate(name="joined")([one, keras.layers.Flatten(name="flat")(two)])
    x = keras.layers.Dense(5, activation="relu", name="dense")(joined)
    model = keras.Model([one, two], keras.layers.Dense(2, name="classes")(x))
    transfer.save_model(model, tmp_path / "two.keras")
    random = np.random.default_rng(1)
    arrays = {"one": random.normal(size=(20, 3)), "two": random.normal(size=(20, 4, 2))}
    found = transfer.compute_features(tmp_path / "two.keras", arrays, tmp_path / "features", shard_rows=8)
    inner = keras.Model(model.inputs, model.get_layer("dense").output)
    wanted = inner.predict([arrays["one"], arrays["two"]], verbose=0)
    np.testing.assert_allclose(found.load(), wanted, rtol=1e-4, atol=1e-5)
    assert transfer.compute_features(tmp_path / "two.keras", arrays, tmp_path / "features", shard_rows=8).is_reused


def test_a_run_finds_its_features_in_the_folder(restored, digits_folder, tmp_path):
    out = tmp_path / "features"
    transfer.compute_features(restored, digits_folder, out)
    (piece,) = [each for each in out.iterdir() if each.is_dir()]
    before = sorted(piece.iterdir())
    student = transfer.extract(restored, at="features", freeze="backbone", heads=[transfer.Head("label", 3)])
    recipe = transfer.Recipe(transfer.Stage("probe"), seed=7)
    transfer.finetune(student, transfer.read_labelled(digits_folder), recipe=recipe, cache=out, out=tmp_path / "run")
    assert sorted(piece.iterdir()) == before


def test_shards_may_come_back_in_any_order(computed, restored, digits_folder, tmp_path):
    class Backwards(LocalEngine):
        def map(self, prepare, shards, *, lost=None):
            yield from super().map(prepare, reversed(list(shards)), lost=lost)

    out = tmp_path / "features"
    found = transfer.compute_features(restored, digits_folder, out, shard_rows=7, engine=Backwards())
    assert found.ids == computed.ids
    assert manifest_of(out) == manifest_of(computed.folder)


def test_parquet_holds_the_same_rows_with_their_ids(computed, restored, digits_folder, tmp_path):
    pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "features"
    found = transfer.compute_features(restored, digits_folder, out, shard_rows=16, format="parquet")
    np.testing.assert_array_equal(found.load(), computed.load())
    (folder,) = (each for each in out.iterdir() if each.is_dir())
    read = pd.read_parquet(folder).set_index("id")  # as the README says
    np.testing.assert_array_equal(np.stack(read.features[list(computed.ids)]), computed.load())
    again = transfer.compute_features(restored, digits_folder, out, shard_rows=16, format="parquet")
    assert again.is_reused


def test_without_pyarrow_parquet_is_refused_before_any_work(restored, digits_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OutputError, match="need pyarrow") as raised:
        transfer.compute_features(restored, digits_folder, tmp_path / "features", format="parquet")
    assert "h5transfer[parquet]" in raised.value.next_step
    assert not (tmp_path / "features").exists()


@pytest.mark.parametrize("wrong", [{"shard_rows": 0}, {"format": "csv"}])
def test_settings_out_of_bounds_are_refused(restored, digits_folder, tmp_path, wrong):
    with pytest.raises(ValueError, match="shard_rows is above 0"):
        transfer.compute_features(restored, digits_folder, tmp_path / "features", **wrong)


def test_pictures_that_are_given_twice_are_refused(restored, digits_folder, tmp_path):
    path = next(digits_folder.rglob("*.png"))
    with pytest.raises(DataError, match="1 example of 2 pictures comes twice"):
        transfer.compute_features(restored, [path, path], tmp_path / "features")
