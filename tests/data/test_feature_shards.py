"""Shards of cached features: whole or not there, whatever happens to their writers and their bytes."""

import hashlib
import os
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest

from transfer.data.feature_shards import KEY, find_shards, write_shard
from transfer.errors import DataError, OutputError

ROWS = np.random.default_rng(0).normal(size=(7, 2, 3)).astype(np.float32)
KEYS = np.array([f"{k:032x}" for k in range(7)], KEY)


def test_rows_come_back_to_the_bit_in_any_order(tmp_path):
    written = write_shard(tmp_path / "new" / "folder", KEYS, ROWS)
    (found,) = find_shards(tmp_path / "new" / "folder")
    assert found.path == written.path
    assert found.offset == written.offset
    assert found.keys.tolist() == KEYS.tolist()
    places = np.array([6, 0, 0, 3])
    for shard in (written, found):
        assert shard.read(places).tobytes() == ROWS[places].tobytes()
        assert shard.read(np.array([], np.int64)).shape == (0, 2, 3)


def test_a_shard_is_plain_hdf5(tmp_path):
    with h5py.File(write_shard(tmp_path, KEYS, ROWS).path) as file:
        assert np.array_equal(file["rows"][()], ROWS)
        assert file["keys"][3] == b"0" * 31 + b"3"


def test_bytes_come_back_as_bytes_and_take_no_more(tmp_path):
    rows = np.random.default_rng(1).integers(0, 256, (7, 2, 3), np.uint8)
    written = write_shard(tmp_path, KEYS, rows)
    (found,) = find_shards(tmp_path)
    for shard in (written, found):
        assert (shard.dtype, shard.row_bytes) == (np.uint8, 6)
        values = shard.read(np.array([6, 0, 3]))
        assert values.dtype == np.uint8
        assert np.array_equal(values, rows[[6, 0, 3]])


def test_the_same_rows_written_twice_are_one_file(tmp_path):
    assert write_shard(tmp_path, KEYS, ROWS).path == write_shard(tmp_path, KEYS, ROWS).path
    assert len(list(tmp_path.iterdir())) == 1


def test_a_flip_at_any_place_is_found_and_the_file_taken_away(tmp_path):
    path = write_shard(tmp_path, KEYS, ROWS).path
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert list(find_shards(tmp_path)) == []
        assert not path.exists()
    path.write_bytes(whole)
    assert len(list(find_shards(tmp_path))) == 1


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_cut_file_is_no_shard(share, tmp_path):
    path = write_shard(tmp_path, KEYS, ROWS).path
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert list(find_shards(tmp_path)) == []


def test_files_of_other_names_are_left_alone(tmp_path):
    (tmp_path / "notes.h5").write_text("mine")
    (tmp_path / f"{'0' * 63}.h5").write_text("mine")
    assert list(find_shards(tmp_path)) == []
    assert len(list(tmp_path.iterdir())) == 2
    assert list(find_shards(tmp_path / "nowhere")) == []


def test_a_file_of_the_right_digest_that_holds_something_else_is_no_shard(tmp_path):
    image = tmp_path / "other.h5"
    with h5py.File(image, "w") as file:
        file["weights"] = ROWS
    path = tmp_path / f"{hashlib.sha256(image.read_bytes()).hexdigest()}.h5"
    image.rename(path)
    assert list(find_shards(tmp_path)) == []


def test_a_folder_that_cannot_be_listed_holds_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    assert list(find_shards(tmp_path / "file")) == []


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_shard_that_changes_while_it_is_used_is_told(damage, tmp_path):
    shard = write_shard(tmp_path, KEYS, ROWS)
    if damage == "cut":
        shard.path.write_bytes(shard.path.read_bytes()[:-4])
    else:
        shard.path.unlink()
    with pytest.raises(DataError, match="have changed while they were used") as caught:
        shard.read(np.array([6]))
    assert caught.value.problems[0].where == shard.path.name


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        write_shard(tmp_path / "file" / "below", KEYS, ROWS)


@pytest.mark.skipif(os.name == "nt", reason="no signals")
def test_what_a_killed_writer_leaves_is_no_shard_and_is_taken_away(tmp_path):
    code = f"""
import numpy as np, os, signal
from transfer import placing
from transfer.data.feature_shards import write_shard
placing._sync = lambda path: os.kill(os.getpid(), signal.SIGKILL)
write_shard(__import__("pathlib").Path({str(tmp_path)!r}), np.array(["0" * 32], "S32"), np.ones((1, 4), np.float32))
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    assert list(find_shards(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="no signals")
def test_what_a_living_writer_has_not_finished_is_left_to_it(tmp_path):
    code = f"""
import pathlib, time
from transfer.placing import placed_file
with placed_file(pathlib.Path({str(tmp_path)!r}) / "shard.h5") as temporary:
    print("begun", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "begun\n"
        assert list(find_shards(tmp_path)) == []
        left = len(list(tmp_path.iterdir()))
        writer.kill()
    assert left == 1
