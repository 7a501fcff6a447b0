"""Opening: by content and not by name, without reading a tensor, and an error that says what a file is instead."""

import gzip
import io
import json
import pickle
import zipfile

import h5py
import numpy as np
import pytest

import transfer
from transfer.errors import CheckpointError
from transfer.specs import TensorSpec, Writer
from transfer.weights import reading
from transfer.weights.opening import open_checkpoint
from transfer.weights.writing import write_legacy

KERNEL = np.arange(12, dtype="float32").reshape(3, 4)
BIAS = np.arange(4, dtype="float32")


@pytest.fixture
def legacy(tmp_path):
    path = tmp_path / "weights.h5"
    write_legacy(path, {"dense": {"dense/kernel": KERNEL, "dense/bias": BIAS}}, writer="3.15.1")
    return path


@pytest.fixture
def archive(legacy, tmp_path):
    """A `.keras` archive with nothing unusual."""
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", json.dumps({"class_name": "Functional", "config": {}}))
        file.writestr("metadata.json", json.dumps({"keras_version": "3.9.2"}))
        file.writestr("model.weights.h5", legacy.read_bytes())
    return path


def fault(path):
    """The error that opening gives, held against what every error promises."""
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(path)
    error = caught.value
    assert error.exit_code == 3
    assert len(str(error).encode()) < 2048
    assert "BytesIO" not in str(error)
    return error


# What is there


def test_a_checkpoint_is_a_mapping_from_names_to_arrays_in_the_writers_order(legacy):
    checkpoint = open_checkpoint(legacy)
    assert list(checkpoint) == ["dense/kernel", "dense/bias"]
    assert len(checkpoint) == 2
    assert "dense/bias" in checkpoint
    np.testing.assert_array_equal(checkpoint["dense/kernel"], KERNEL)
    assert repr(checkpoint) == "<Checkpoint weights.h5: 2 tensors, legacy .h5 weights>"


def test_specs_tell_of_each_tensor(legacy):
    checkpoint = open_checkpoint(legacy)
    assert checkpoint.specs["dense/kernel"] == TensorSpec(
        "dense/kernel", (3, 4), "float32", "dense", "kernel", layer_class="", position=0
    )
    assert checkpoint.specs["dense/kernel"].size_bytes == 48
    assert checkpoint.writer == Writer("3.15.1", "tensorflow")
    assert (checkpoint.extras, checkpoint.config, checkpoint.card, checkpoint.architecture) == ((), None, None, None)


def test_opening_reads_no_tensor(legacy, monkeypatch):
    def read(*_, **__):
        raise AssertionError("a tensor was read")

    monkeypatch.setattr(reading, "read_datasets", read)
    checkpoint = open_checkpoint(legacy)
    assert checkpoint.specs["dense/bias"].shape == (4,)
    with pytest.raises(AssertionError, match="a tensor was read"):
        checkpoint["dense/bias"]


def test_a_checkpoint_serves_in_a_with_block_and_holds_no_file_open(legacy):
    with open_checkpoint(legacy) as checkpoint:
        pass
    np.testing.assert_array_equal(checkpoint["dense/bias"], BIAS)
    with h5py.File(legacy, "r+"):  # nobody else has it open
        pass


@pytest.mark.parametrize(
    "name", ["weights", "weights.txt", "weights.keras", "weights.html", "модель.h5", "a b.weights.h5"]
)
def test_the_name_does_not_decide(legacy, name):
    other = legacy.rename(legacy.with_name(name))
    assert open_checkpoint(other).dialect == "legacy .h5 weights"


@pytest.mark.parametrize("name", ["model", "model.h5", "model.zip"])
def test_the_name_does_not_decide_about_archives_either(archive, name):
    checkpoint = open_checkpoint(archive.rename(archive.with_name(name)))
    assert checkpoint.dialect == ".keras archive (legacy .h5 weights)"
    assert checkpoint.writer.keras == "3.9.2"
    assert checkpoint.config == {"class_name": "Functional", "config": {}}
    np.testing.assert_array_equal(checkpoint["dense/kernel"], KERNEL)


@pytest.mark.parametrize("start", [512, 1024])
def test_an_archive_whose_hdf5_begins_where_a_user_block_would_end_is_an_archive(tmp_path, legacy, start):
    path = tmp_path / "model.keras"
    config = json.dumps({"class_name": "Functional", "config": {}})
    for spaces in range(2048):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("config.json", config + " " * spaces)
            file.writestr("model.weights.h5", legacy.read_bytes())
        if path.read_bytes().find(b"\x89HDF") == start:
            break
    assert path.read_bytes().find(b"\x89HDF") == start
    assert open_checkpoint(path).config == json.loads(config)


def test_hdf5_behind_a_user_block_is_recognised(tmp_path, legacy):
    path = tmp_path / "block.h5"
    with h5py.File(path, "w", userblock_size=1024) as file, h5py.File(legacy) as source:
        file.attrs["layer_names"] = source.attrs["layer_names"]
        source.copy("dense", file)
    with path.open("r+b") as file:
        file.write(b"<html> is what this file starts with")
    np.testing.assert_array_equal(open_checkpoint(path)["dense/bias"], BIAS)


@pytest.mark.parametrize(("name", "count"), [("digits_mlp", 6), ("mobilenet_v2_imagenet", 260)])
def test_shipped_checkpoints_open_by_name_and_read_as_their_card_says(name, count):
    checkpoint = transfer.open_checkpoint(name)
    assert len(checkpoint) == count
    assert set(checkpoint.card.digests) == set(checkpoint)
    assert len(checkpoint.read(checkpoint)) == count
    assert checkpoint.card.licence


def test_a_file_goes_before_a_shipped_checkpoint_of_its_name(legacy, monkeypatch):
    legacy.rename(legacy.with_name("digits_mlp"))
    monkeypatch.chdir(legacy.parent)
    assert list(open_checkpoint("digits_mlp")) == ["dense/kernel", "dense/bias"]


def test_a_name_that_is_not_in_the_file_offers_the_nearest(legacy):
    with pytest.raises(KeyError, match="dense/kernel"):
        open_checkpoint(legacy)["dense/kernal"]


# What it is instead


FOREIGN = {
    "page.h5": (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "an HTML page"),
    "denied.h5": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an HTML page"),
    "packed.h5": (gzip.compress(b"weights"), "a gzip archive"),
    "pickled.h5": (pickle.dumps({"weights": [1, 2]}), "a Python pickle, which can run code"),
    "config.h5": (b' {"class_name": "Functional"}', "JSON text"),
    "list.h5": (b"[1, 2]", "JSON text"),
    "empty.h5": (b"", "an empty file"),
    "tensors.h5": (b"\x40\x00\x00\x00\x00\x00\x00\x00" + b'{"a": {"dtype": "F32"}}', "a safetensors file"),
    "photo.jpg": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a picture"),
    "drawing.png": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a picture"),
    "noise.h5": (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", "bytes that start with b'\\x00\\x01"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_another_kind_of_file_is_told_for_what_it_is(tmp_path, name):
    content, found = FOREIGN[name]
    (tmp_path / name).write_bytes(content)
    error = fault(tmp_path / name)
    assert error.summary == f"{tmp_path / name} is not an HDF5 file."
    (problem,) = error.problems
    assert problem.where == str(tmp_path / name)
    assert problem.expected == "HDF5, or a .keras archive"
    assert found in problem.found
    assert error.next_step


def test_a_numpy_file_is_told_for_what_it_is(tmp_path):
    np.save(tmp_path / "a.npy", KERNEL)
    assert fault(tmp_path / "a.npy").problems[0].found == "a single numpy array (.npy)"


def test_an_npz_file_is_told_not_to_be_what_keras_saves(tmp_path):
    np.savez(tmp_path / "a.npz", kernel=KERNEL)
    error = fault(tmp_path / "a.npz")
    assert "is a zip, but not what Keras saves" in error.summary
    assert [each.where for each in error.problems] == ["config.json", "model.weights.h5"]


def test_a_git_lfs_pointer_tells_the_size_of_the_file_and_how_to_fetch_it(tmp_path):
    (tmp_path / "a.h5").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 14536120\n"
    )
    error = fault(tmp_path / "a.h5")
    assert error.problems[0].found == "a git-LFS pointer to a file of 14536120 bytes"
    assert "git lfs pull" in error.next_step


def test_a_directory_is_told_for_what_it_is(tmp_path):
    error = fault(tmp_path)
    assert error.summary == f"{tmp_path} is a directory."
    assert error.problems[0].found == "a directory"


def test_a_file_that_is_not_there_offers_the_nearest_names(legacy):
    error = fault(legacy.with_name("weihgts.h5"))
    assert "There is no file" in error.summary
    assert "'weights.h5'" in error.next_step


def test_a_shipped_checkpoint_whose_name_is_mistyped_is_offered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "'mobilenet_v2_imagenet'" in fault("mobilenet_v2_imagenett").next_step


def test_where_nothing_is_called_alike_files_of_weights_are_offered_and_no_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").touch()
    assert fault("nowhere.h5").next_step == (
        "no file of weights lies in .; 'transfer checkpoints' lists the names of those that come along"
    )
    (tmp_path / "vgg16_notop.h5").touch()
    assert fault("nowhere.zip").next_step.startswith("files of weights there: 'vgg16_notop.h5'; 'transfer checkpoints'")
    assert fault("vgg16_no_top.h5").next_step == "did you mean 'vgg16_notop.h5'?"


def test_a_file_in_a_folder_that_is_not_there_is_told(tmp_path):
    assert "There is no file" in fault(tmp_path / "nowhere" / "a.h5").summary


def test_a_link_that_leads_nowhere_is_told(tmp_path):
    (tmp_path / "a.h5").symlink_to(tmp_path / "gone.h5")
    assert str(tmp_path / "a.h5") in fault(tmp_path / "a.h5").summary


def test_a_file_that_may_not_be_read_is_told(legacy, monkeypatch):
    # Root may read everything, so the refusal is the file system's by proxy.
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    assert fault(legacy).summary == f"{legacy} cannot be read: Permission denied."


def test_hdf5_of_somebody_else_shows_what_it_holds(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["photos"] = KERNEL
        file.attrs["made_by"] = "others"
    error = fault(tmp_path / "a.h5")
    assert "not weights in a layout of Keras" in error.summary
    assert error.problems[0].found == "groups photos; attributes made_by"


# What is damaged


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_truncated_hdf5_file_is_damaged(legacy, share):
    content = legacy.read_bytes()
    legacy.write_bytes(content[: int(len(content) * share)])
    error = fault(legacy)
    length, whole = int(len(content) * share), len(content)
    assert error.summary == f"{legacy} is truncated: it has {length:,} of {whole:,} bytes."
    assert error.problems[0].found == f"{length:,} bytes"
    assert error.next_step == "get the file again from where it came from"


def test_no_prefix_of_a_file_is_read_as_a_checkpoint(legacy):
    content = legacy.read_bytes()
    for length in range(0, len(content), 97):
        legacy.write_bytes(content[:length])
        fault(legacy)


def test_a_layer_that_the_file_names_and_does_not_hold_is_told(legacy):
    with h5py.File(legacy, "r+") as file:
        del file["dense"]
    assert [each.where for each in fault(legacy).problems] == ["dense"]


def test_a_tensor_that_the_file_names_and_does_not_hold_is_told(legacy):
    with h5py.File(legacy, "r+") as file:
        del file["dense/dense/bias"]
    assert [each.where for each in fault(legacy).problems] == ["dense/dense/bias"]


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_an_archive_that_lacks_a_member_names_it(archive, name):
    with zipfile.ZipFile(archive) as source:
        kept = {each: source.read(each) for each in source.namelist() if each != name}
    with zipfile.ZipFile(archive, "w") as target:
        for each, content in kept.items():
            target.writestr(each, content)
    assert [(each.where, each.found) for each in fault(archive).problems] == [(name, "missing")]


def test_an_archive_whose_bytes_do_not_fit_their_crc_is_damaged(archive):
    content = bytearray(archive.read_bytes())
    place = content.index(KERNEL.tobytes())
    content[place] ^= 1
    archive.write_bytes(content)
    checkpoint = open_checkpoint(archive)  # only looking at an archive does not read it to the end
    with pytest.raises(CheckpointError) as caught:
        checkpoint["dense/bias"]
    assert caught.value.summary == f"{archive} is damaged."
    (problem,) = caught.value.problems
    assert problem.where == "model.weights.h5"
    assert "CRC" in problem.expected


def test_a_truncated_archive_is_damaged(archive):
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    assert "truncated or damaged zip" in fault(archive).summary


def test_an_archive_whose_weights_are_no_hdf5_is_damaged(archive):
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("config.json", "{}")
        file.writestr("model.weights.h5", b"<html>")
    error = fault(archive)
    assert str(archive) in error.summary
    assert "model.weights.h5" in error.summary


def test_a_config_that_is_no_json_is_told_when_it_is_asked_for(archive, legacy):
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("config.json", "{not json")
        file.writestr("model.weights.h5", legacy.read_bytes())
    checkpoint = open_checkpoint(archive)
    assert len(checkpoint) == 2
    with pytest.raises(CheckpointError, match=r"config\.json is damaged"):
        _ = checkpoint.config


def test_a_config_without_end_is_told(archive, legacy):
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("config.json", "[" * 200_000)
        file.writestr("model.weights.h5", legacy.read_bytes())
    with pytest.raises(CheckpointError, match=r"config\.json is damaged"):
        _ = open_checkpoint(archive).config


def test_an_archive_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path):
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", b" " * (70 << 20))
        file.writestr("model.weights.h5", b"")
    assert "asks for more than it holds" in fault(path).summary


def test_an_encrypted_archive_is_told(archive):
    content = bytearray(archive.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the bit that says "encrypted"
        place = content.find(signature)
        while place >= 0:
            content[place + flags] |= 1
            place = content.find(signature, place + 1)
    archive.write_bytes(content)
    assert "is damaged" in fault(archive).summary


# What changes


def test_a_file_that_changes_after_it_was_opened_is_refused(legacy):
    checkpoint = open_checkpoint(legacy)
    write_legacy(legacy, {"dense": {"dense/kernel": KERNEL + 1, "dense/bias": BIAS}}, writer="3.15.1")
    with pytest.raises(CheckpointError, match="has changed since it was opened") as caught:
        checkpoint["dense/kernel"]
    assert caught.value.next_step == "open it again"


def test_a_file_that_is_replaced_after_it_was_opened_is_refused(legacy):
    checkpoint = open_checkpoint(legacy)
    other = legacy.with_name("other.h5")
    other.write_bytes(legacy.read_bytes())
    other.replace(legacy)
    with pytest.raises(CheckpointError, match="has changed"):
        checkpoint["dense/kernel"]


def test_a_file_that_is_gone_after_it_was_opened_is_told(legacy):
    checkpoint = open_checkpoint(legacy)
    legacy.unlink()
    with pytest.raises(CheckpointError):
        checkpoint["dense/kernel"]


def test_a_message_stays_short_however_long_the_names_are(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = [("x" * 3000).encode()]
    fault(tmp_path / "a.h5")


def test_many_things_wrong_are_counted_and_not_all_written_out(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for k in range(50):
            file[f"{'group' * 30}{k}"] = KERNEL
    fault(tmp_path / "a.h5")


def test_a_buffer_is_no_path():
    with pytest.raises(TypeError):
        open_checkpoint(io.BytesIO(b""))
