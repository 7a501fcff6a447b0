"""What lies around the weights: archives, their folders, shards; nothing is unpacked, nothing leads out."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from transfer.errors import CheckpointError
from transfer.weights.opening import open_checkpoint

FILES = Path(__file__).parent / "files"
ARCHIVE = FILES / "keras-3.0.5/c_nested__keras.keras"
SHARDS = FILES / "keras-3.15.1/p_shard__shard.weights.json"


def repacked(path, how=zipfile.ZIP_STORED, **extra):
    """The same archive, packed otherwise, with more members."""
    with zipfile.ZipFile(ARCHIVE) as source, zipfile.ZipFile(path, "w", how) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
        for name, content in extra.items():
            target.writestr(name, content)
    return path


def contents(path):
    return {name: values.tobytes() for name, values in open_checkpoint(path).stream()}


def test_a_deflated_archive_holds_what_the_stored_one_holds(tmp_path):
    assert contents(repacked(tmp_path / "a.keras", zipfile.ZIP_DEFLATED)) == contents(ARCHIVE)


def test_an_unpacked_archive_holds_what_the_archive_holds(tmp_path):
    with zipfile.ZipFile(ARCHIVE) as source:
        source.extractall(tmp_path / "a")
    checkpoint = open_checkpoint(tmp_path / "a")
    assert contents(tmp_path / "a") == contents(ARCHIVE)
    assert checkpoint.dialect == "unpacked .keras archive (Keras 3 .weights.h5)"
    assert (checkpoint.writer.keras, checkpoint.config["class_name"]) == ("3.0.5", "Sequential")


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_of_packing_are_named(tmp_path, how):
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(repacked(tmp_path / "a.keras", how))
    assert caught.value.problems[0].expected == "stored or deflated"


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "assets/../../outside", "..\\outside"])
def test_a_member_that_leads_out_is_refused(tmp_path, name):
    with pytest.raises(CheckpointError, match="made to harm") as caught:
        open_checkpoint(repacked(tmp_path / "a.keras", **{name: b"x"}))
    assert caught.value.problems[0].where == name


def test_members_of_one_name_are_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        path = repacked(tmp_path / "a.keras", **{"config.json": b"{}"})
    with pytest.raises(CheckpointError, match="made to harm"):
        open_checkpoint(path)


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_changed_byte_of_the_weights_does_not_fit_the_archives_checksum(tmp_path, how):
    content = bytearray(repacked(tmp_path / "a.keras", how).read_bytes())
    content[len(content) // 2] ^= 4
    (tmp_path / "a.keras").write_bytes(content)
    with pytest.raises(CheckpointError):
        contents(tmp_path / "a.keras")


def test_shards_are_put_together(tmp_path):
    """Each shard holds the groups of some layers; the same values as the one shard that Keras wrote here."""
    import h5py

    places = json.loads(SHARDS.read_text())["weight_map"]
    whole = SHARDS.with_name("p_shard__shard_00000.weights.h5")
    with h5py.File(whole) as source:
        for number, group in enumerate(places):
            with h5py.File(tmp_path / f"part_{number}.weights.h5", "w") as target:
                source.copy(source[group], target.require_group(group.rpartition("/")[0]), "vars")
            places[group] = f"part_{number}.weights.h5"
    (tmp_path / "a.weights.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    checkpoint = open_checkpoint(tmp_path / "a.weights.json")
    assert checkpoint.dialect == "4 shards (Keras 3 .weights.h5)"
    assert contents(tmp_path / "a.weights.json") == contents(SHARDS) == contents(whole)


@pytest.mark.parametrize("name", ["../part.weights.h5", "/part.weights.h5", "sub/part.weights.h5", "absent.weights.h5"])
def test_a_shard_is_a_file_beside_its_list(tmp_path, name):
    (tmp_path / "sub").mkdir()
    for place in (tmp_path / "sub", tmp_path.parent):
        shutil.copy(SHARDS.with_name("p_shard__shard_00000.weights.h5"), place / "part.weights.h5")
    (tmp_path / "a.weights.json").write_text(json.dumps({"metadata": {}, "weight_map": {"/layers": name}}))
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(tmp_path / "a.weights.json")
    assert caught.value.problems[0].where == name


@pytest.mark.parametrize(
    "text", ['{"metadata": 1}', '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": {"a": 1']
)
def test_a_list_of_shards_that_says_nothing_is_an_error(tmp_path, text):
    (tmp_path / "a.weights.json").write_text(text)
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path / "a.weights.json")


def test_values_are_the_callers_own(tmp_path):
    path = shutil.copy(ARCHIVE, tmp_path / "a.keras")
    checkpoint = open_checkpoint(path)
    name = next(iter(checkpoint))
    values = checkpoint[name]
    values += 1  # writable
    Path(path).write_bytes(b"")  # what the file becomes changes nothing
    assert np.isfinite(values).all()
