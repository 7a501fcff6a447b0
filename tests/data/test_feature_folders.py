"""A folder of cached features stays within its bounds, and nothing is taken from a run that is at work."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from transfer.data import feature_folders
from transfer.data.feature_folders import hold_piece, list_pieces, trim_shards
from transfer.data.feature_shards import KEY, find_shards, write_shard

ROOT = Path(__file__).resolve().parents[2]
ROWS = np.random.default_rng(0).normal(size=(7, 2, 3)).astype(np.float32)
KEYS = np.array([f"{k:032x}" for k in range(7)], KEY)
NAMES = ["a" * 32, "b" * 32, "c" * 32, "d" * 32]
needs_locks = pytest.mark.skipif(os.name == "nt", reason="folders cannot be locked there")


@pytest.fixture
def paths(tmp_path):
    """A shard of each of four pieces, used three, five, four and no hours ago; with a file that is no shard."""
    found = [write_shard(tmp_path / name, KEYS, ROWS + k).path for k, name in enumerate(NAMES)]
    for hours, path in zip((3, 5, 4, 0), found, strict=True):
        os.utime(path, (0, time.time() - 3600 * hours))
    return found


def there(paths):
    return [path.exists() for path in paths]


def size_of(paths):
    (size,) = {path.stat().st_size for path in paths}
    return size


@needs_locks
def test_what_was_used_longest_ago_goes_first(paths, tmp_path):
    size = size_of(paths)
    trim_shards(tmp_path, 4 * size)
    assert there(paths) == [True, True, True, True]
    trim_shards(tmp_path, 4 * size - 1)
    assert there(paths) == [True, False, True, True]
    list(find_shards(tmp_path / NAMES[2]))  # used again
    trim_shards(tmp_path, 2 * size)
    assert there(paths) == [False, False, True, True]
    trim_shards(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []
    trim_shards(tmp_path / "nowhere", 0)


@needs_locks
def test_nothing_but_shards_in_folders_of_pieces_is_touched(paths, tmp_path):
    mine = [
        tmp_path / "notes.h5",
        tmp_path / paths[0].name,
        tmp_path / "other" / paths[0].name,
        tmp_path / ("e" * 31) / paths[0].name,
        tmp_path / NAMES[0] / "notes.h5",
        tmp_path / NAMES[1] / f"{'0' * 63}.h5",
        tmp_path / NAMES[2] / "below" / paths[0].name,
    ]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    trim_shards(tmp_path, 0)
    assert there(paths) == [False] * 4
    assert [path.read_text() for path in mine] == ["mine"] * len(mine)


@needs_locks
def test_what_a_run_holds_stays_however_old_it_is_until_it_lets_go(paths, tmp_path):
    holds = [hold_piece(tmp_path / NAMES[1]) for _ in range(2)]  # two runs
    trim_shards(tmp_path, 0)
    assert there(paths) == [False, True, False, False]
    assert [each.is_held for each in list_pieces(tmp_path)] == [True]
    holds[0].release()
    holds[0].release()
    trim_shards(tmp_path, 0)
    assert paths[1].exists()
    holds[1].release()
    trim_shards(tmp_path, 0)
    assert not paths[1].exists()
    assert hold_piece(tmp_path / NAMES[1]) is None  # the folder has gone


@needs_locks
def test_what_a_killed_run_held_is_free(paths, tmp_path):
    code = f"""
import pathlib, time
from transfer.data.feature_folders import hold_piece
hold = hold_piece(pathlib.Path({str(tmp_path / NAMES[0])!r}))
print("held", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "held\n"
        trim_shards(tmp_path, 0)
        assert there(paths) == [True, False, False, False]
        run.kill()
    trim_shards(tmp_path, 0)
    assert there(paths) == [False] * 4


@needs_locks
def test_a_folder_that_was_taken_away_while_it_was_locked_is_not_held(paths, tmp_path, monkeypatch):
    piece = paths[0].parent
    lock = feature_folders.fcntl.flock
    calls = []

    def slow(handle, kind):
        calls.append(kind)
        if len(calls) == 1:  # another process trims and a third one makes the folder anew, between open and lock
            paths[0].unlink()
            piece.rmdir()
            piece.mkdir()
        lock(handle, kind)

    monkeypatch.setattr(feature_folders.fcntl, "flock", slow)
    hold = hold_piece(piece)
    assert len(calls) == 2
    assert [each.is_held for each in list_pieces(tmp_path) if each.name == NAMES[0]] == []
    with feature_folders._alone(piece) as alone:
        assert alone is False
    hold.release()


@pytest.mark.parametrize("system", ["none", "refused"])
def test_without_locks_what_was_used_within_the_last_day_stays(system, paths, tmp_path, monkeypatch):
    if system == "none":
        monkeypatch.setattr(sys, "platform", "win32")
    else:
        monkeypatch.setattr(feature_folders, "_lock", refuse)
    os.utime(paths[1], (0, time.time() - 90_000))
    assert hold_piece(tmp_path / NAMES[0]) is None
    trim_shards(tmp_path, 0)
    assert there(paths) == [True, False, True, True]
    assert {each.is_held for each in list_pieces(tmp_path)} == {None}
    trim_shards(tmp_path, 0, idle_seconds=0)
    assert there(paths) == [False] * 4


def refuse(*_, **__):
    raise OSError("no locks available")


def test_pieces_are_listed_by_their_last_use(paths, tmp_path):
    write_shard(tmp_path / NAMES[1], KEYS, ROWS + 9)
    (tmp_path / NAMES[0] / "notes.h5").write_text("mine")
    size = size_of(paths)
    found = list_pieces(tmp_path)
    assert sorted(each.name for each in found[:2]) == [NAMES[1], NAMES[3]]
    assert [each.name for each in found[2:]] == [NAMES[0], NAMES[2]]
    assert {each.name: (each.shards, each.size_bytes) for each in found} == {
        NAMES[0]: (1, size), NAMES[1]: (2, 2 * size), NAMES[2]: (1, size), NAMES[3]: (1, size)
    }  # fmt: skip
    assert found[2].used_at == paths[0].stat().st_mtime
    assert list_pieces(tmp_path / "nowhere") == ()
    assert list_pieces(paths[0]) == ()


@pytest.mark.skipif(os.name == "nt", reason="no signals")
def test_what_killed_writers_left_in_pieces_that_nobody_asks_for_goes_too(paths, tmp_path):
    code = f"""
import os, pathlib, signal
from transfer.placing import placed_file
with placed_file(pathlib.Path({str(tmp_path / NAMES[0])!r}) / ("0" * 64 + ".h5")) as temporary:
    temporary.write_bytes(bytes(1000))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60)
    assert len(list((tmp_path / NAMES[0]).iterdir())) == 2
    trim_shards(tmp_path, 10**9)
    assert list((tmp_path / NAMES[0]).iterdir()) == [paths[0]]
