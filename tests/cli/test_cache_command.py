"""`transfer cache`, and what `finetune` keeps where nothing is said: shown, bounded, taken away, done without."""

import os
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from transfer.cli.caching import default_folder
from transfer.data.feature_folders import hold_piece
from transfer.data.feature_shards import KEY, write_shard

KEYS = np.array([f"{k:032x}" for k in range(3)], KEY)
needs_locks = pytest.mark.skipif(os.name == "nt", reason="folders cannot be locked there")


@pytest.fixture
def kept(tmp_path, monkeypatch) -> Path:
    """The folder that the command uses: two pieces, one with two files that were used an hour ago."""
    folder = tmp_path / "kept"
    monkeypatch.setenv("TRANSFER_CACHE", str(folder))
    for name, value in (("a", 1), ("a", 2), ("b", 3)):
        path = write_shard(folder / (32 * name), KEYS, np.full((3, 100), value, np.float32)).path
        os.utime(path, (0, time.time() - 3600 * (name == "a")))
    (folder / "notes.txt").write_text("mine")
    return folder


def files(folder):
    return [path for path in folder.rglob("*.h5") if path.is_file()]


def test_it_says_where_and_how_much_and_when_it_was_last_used(call, kept):
    ended = call("cache")
    assert ended.code == 0
    size = sum(path.stat().st_size for path in files(kept))
    lines = ended.stdout.splitlines()
    assert lines[0] == f"{kept}: 3 files, {size / 2**20:.1f} MB"
    table = [line.split() for line in lines if line[:1] in "ab"]
    assert [row[:2] for row in table] == [["b" * 12, "1"], ["a" * 12, "2"]]
    used = datetime.strptime(" ".join(table[1][3:5]), "%Y-%m-%d %H:%M").timestamp()
    assert abs(used - (time.time() - 3600)) < 120


def test_as_json_it_has_bytes_times_and_what_is_in_use(call, kept):
    hold = hold_piece(kept / ("a" * 32))
    found = call("cache", "--json").json
    assert found["folder"] == str(kept)
    assert (found["files"], found["size_bytes"]) == (3, sum(path.stat().st_size for path in files(kept)))
    assert [each["piece"] for each in found["pieces"]] == ["b" * 32, "a" * 32]
    used = [datetime.fromisoformat(each["last_used"]) for each in found["pieces"]]
    assert abs(used[0].timestamp() - time.time()) < 120
    assert 3500 < (used[0] - used[1]).total_seconds() < 3700
    if os.name != "nt":
        assert [each["in_use"] for each in found["pieces"]] == [False, True]
        hold.release()


def test_where_nothing_is_kept_it_says_so(call, tmp_path):
    folder = tmp_path / "none"
    assert call("cache", "--cache", folder).stdout == f"{folder}: nothing is kept\n"
    assert call("cache", "--cache", folder, "--json").json["pieces"] == []
    assert call("cache", "--cache", folder, "clear").stdout == f"{folder}: nothing is kept, now nothing is kept\n"
    assert not folder.exists()


@needs_locks
def test_clearing_asks_takes_what_nobody_uses_and_nothing_else(call, kept, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("click.confirm", interrupt)
    assert call("cache", "clear").code == 130
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    ended = call("cache", "clear")
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "nothing was taken away\n")
    assert len(files(kept)) == 3
    hold = hold_piece(kept / ("a" * 32))
    ended = call("cache", "clear", "--yes")
    assert ended.code == 0
    assert len(files(kept)) == 2
    assert "in use by a run" in ended.stderr
    hold.release()
    ended = call("cache", "clear", "--yes", "--json")
    assert ended.json["before"]["files"] == 2
    assert ended.json["after"] == {"folder": str(kept), "files": 0, "size_bytes": 0}
    assert [path.name for path in kept.iterdir()] == ["notes.txt"]


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_where_nobody_can_be_asked_clearing_takes_nothing_and_names_the_option(call, kept, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    ended = call("cache", "clear")
    assert ended.code == 2
    assert "pass --yes" in ended.stderr
    assert str(kept) in ended.stderr
    assert len(files(kept)) == 3


def test_the_folder_may_be_named_before_clear_or_behind_it(call, kept, tmp_path):
    for place, words in enumerate((("--cache", "x", "clear"), ("clear", "--cache", "x"))):
        folder = tmp_path / f"other{place}"
        write_shard(folder / (32 * "c"), KEYS, np.zeros((3, 10), np.float32))
        ended = call("cache", *(str(folder) if word == "x" else word for word in words), "--yes")
        assert ended.code == 0, ended.stderr
        assert (len(files(folder)), len(files(kept))) == (0, 3)


def test_the_folder_is_the_users_own_unless_the_environment_names_one(monkeypatch, tmp_path):
    monkeypatch.setenv("TRANSFER_CACHE", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.setenv("TRANSFER_CACHE", "")
    assert default_folder() == Path(platformdirs.user_cache_dir("h5transfer", appauthor=False)) / "features"
    monkeypatch.delenv("TRANSFER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if platformdirs.user_cache_path("x").is_relative_to(tmp_path):  # not on every system
        assert default_folder() == tmp_path / "xdg" / "h5transfer" / "features"


def finetune(call, pictures, out, *options):
    return call("finetune", "digits_mlp", pictures, "-o", out, "--shots", "5", "--recipe", "probe", *options)


def test_finetune_keeps_features_unless_it_is_told_not_to_and_the_runs_are_the_same(
    call, pictures, tmp_path, monkeypatch
):
    folder = tmp_path / "kept"
    monkeypatch.setenv("TRANSFER_CACHE", str(folder))
    for name, options in {
        "without": ("--no-cache",),
        "cold": (),
        "warm": (),
        "named": ("--cache", tmp_path / "named"),
        "small": ("--cache-size", "0"),
    }.items():
        assert finetune(call, pictures, tmp_path / "runs" / name, *options).code == 0
        assert (len(files(folder)) > 0) == (name in ("cold", "warm", "named"))
        for file in ("model.keras", "result.json", "run.json", "history.jsonl"):
            found, expected = (tmp_path / "runs" / each / file for each in (name, "without"))
            assert found.read_bytes() == expected.read_bytes()
    assert len(files(tmp_path / "named")) > 0


def test_a_cache_that_cannot_be_written_is_noted_where_nobody_named_it_and_an_error_where_somebody_did(
    call, pictures, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRANSFER_CACHE", str(tmp_path / "file" / "features"))
    ended = finetune(call, pictures, tmp_path / "run", "--json")
    assert ended.code == 0
    (note,) = [each for each in ended.json["notes"] if "not kept" in each]
    assert str(tmp_path / "file") in note
    ended = finetune(call, pictures, tmp_path / "other", "--cache", tmp_path / "file" / "other", "--json")
    assert ended.code == 8
    assert ended.error["summary"].startswith("Features cannot be kept")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("other", [("--cache", "here"), ("--cache-size", "1")])
def test_no_cache_and_how_it_is_kept_exclude_each_other(call, pictures, tmp_path, other):
    ended = finetune(call, pictures, tmp_path / "run", "--no-cache", *other)
    assert ended.code == 2
    assert "--no-cache alone" in ended.stderr
