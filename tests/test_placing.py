"""Outputs appear whole or not at all."""

import json
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from transfer import placing
from transfer.errors import LayerError, OutputError, Problem
from transfer.placing import make_folder, place_json, placed_file, placed_folder


@pytest.fixture
def umask():
    old = os.umask(0o027)
    yield
    os.umask(old)


def put_file(path, text="new", *, force=False, error=None):
    with placed_file(path, force=force) as temporary:
        temporary.write_text(text)
        if error is not None:
            raise error


def put_folder(path, text="new", *, force=False, error=None):
    with placed_folder(path, force=force) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "a.txt").write_text(text)
        if error is not None:
            raise error


def content(path):
    return (path / "inner" / "a.txt" if path.is_dir() else path).read_text()


def names(folder):
    return [each.name for each in folder.iterdir()]


both = pytest.mark.parametrize("put", [put_file, put_folder])


@both
def test_an_output_appears_under_its_name_with_nothing_beside_it(put, tmp_path):
    put(tmp_path / "out")
    assert content(tmp_path / "out") == "new"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("placed", [placed_file, placed_folder])
def test_an_output_is_not_there_before_it_is_complete(placed, tmp_path):
    with placed(tmp_path / "out") as temporary:
        assert not (tmp_path / "out").exists()
        assert temporary.parent == tmp_path
    assert (tmp_path / "out").exists()


@both
def test_an_existing_output_is_refused(put, tmp_path):
    put(tmp_path / "out", "old")
    with pytest.raises(OutputError, match="out exists already") as caught:
        put(tmp_path / "out")
    assert content(tmp_path / "out") == "old"
    assert caught.value.exit_code == 8
    assert "--force" in caught.value.next_step
    assert names(tmp_path) == ["out"]


@both
def test_force_replaces_an_output_whole(put, tmp_path):
    put(tmp_path / "out", "old")
    put(tmp_path / "out", force=True)
    assert content(tmp_path / "out") == "new"
    assert names(tmp_path) == ["out"]


@both
def test_force_is_no_duty(put, tmp_path):
    put(tmp_path / "out", force=True)
    assert content(tmp_path / "out") == "new"


@both
@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_leaves_the_old_output_and_nothing_else(put, error, tmp_path):
    put(tmp_path / "out", "old")
    with pytest.raises(type(error)):
        put(tmp_path / "out", force=True, error=error)
    assert content(tmp_path / "out") == "old"
    assert names(tmp_path) == ["out"]


@both
def test_an_error_leaves_nothing_where_nothing_was(put, tmp_path):
    with pytest.raises(ValueError, match="mine"):
        put(tmp_path / "out", error=ValueError("mine"))
    assert names(tmp_path) == []


@both
def test_a_full_disk_is_an_output_error(put, tmp_path):
    with pytest.raises(OutputError, match="No space left on device") as caught:
        put(tmp_path / "out", error=OSError(28, "No space left on device"))
    assert "free some space" in caught.value.next_step
    assert names(tmp_path) == []


@pytest.mark.parametrize("placed", [placed_file, placed_folder])
def test_an_error_names_the_output_and_not_what_stands_in_for_it(placed, tmp_path):
    out = tmp_path / "out.h5"

    def fail(path):
        inner = Problem(path.name, f"{path} whole", f"{path.name}: half of it")
        raise LayerError(f"{path} has no layer.", [inner], f"open {path.name} again")

    with pytest.raises(LayerError) as caught, placed(out) as temporary:
        fail(temporary)
    assert caught.value.summary == f"{out} has no layer."
    assert caught.value.problems == (Problem("out.h5", f"{out} whole", "out.h5: half of it"),)
    assert caught.value.next_step == "open out.h5 again"


@pytest.mark.parametrize("placed", [placed_file, placed_folder])
def test_an_error_that_speaks_of_something_else_stays_the_same(placed, tmp_path):
    error = LayerError("no layer", [Problem("a/kernel")])
    with pytest.raises(LayerError) as caught, placed(tmp_path / "out"):
        raise error
    assert caught.value is error


@both
def test_an_output_that_somebody_else_made_meanwhile_is_kept(put, tmp_path):
    placed = placed_file if put is put_file else placed_folder
    with pytest.raises(OutputError, match="exists already"), placed(tmp_path / "out"):
        (tmp_path / "out").write_text("theirs")
    assert (tmp_path / "out").read_text() == "theirs"
    assert names(tmp_path) == ["out"]


def test_a_missing_parent_folder_of_a_file_is_told(tmp_path):
    with pytest.raises(OutputError, match="nowhere is not a folder, so out cannot be written") as caught:
        put_file(tmp_path / "nowhere" / "out")
    assert "create the folder" in caught.value.next_step


def test_folders_above_a_folder_are_made_for_it(tmp_path):
    put_folder(tmp_path / "runs" / "today" / "out")
    assert names(tmp_path / "runs" / "today") == ["out"]


@both
def test_a_file_in_place_of_the_parent_folder_is_told(put, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"is not a folder|File exists|Not a directory"):
        put(tmp_path / "file" / "out")


@both
def test_a_link_that_leads_nowhere_is_an_existing_output(put, tmp_path):
    (tmp_path / "out").symlink_to(tmp_path / "gone")
    with pytest.raises(OutputError, match="exists already"):
        put(tmp_path / "out")
    assert names(tmp_path) == ["out"]


@both
def test_a_relative_name_means_the_current_folder(put, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(Path("out"))
    assert content(tmp_path / "out") == "new"


@pytest.mark.usefixtures("umask")
def test_permissions_follow_the_umask(tmp_path):
    put_file(tmp_path / "file")
    put_folder(tmp_path / "folder")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o750


@pytest.mark.usefixtures("umask")
def test_the_umask_is_left_as_it_was(tmp_path):
    put_file(tmp_path / "file")
    assert os.umask(0o027) == 0o027


def test_the_temporary_name_keeps_the_suffixes_that_keras_looks_at(tmp_path):
    with placed_file(tmp_path / "a.weights.h5") as temporary:
        assert temporary.name.endswith(".weights.h5")
        assert temporary.name.startswith(".a.weights.h5.unfinished-")


@pytest.mark.parametrize("make", ["folder", "file"])
def test_force_replaces_no_folder_by_a_file_in_silence(make, tmp_path):
    # A folder is more than a file: to put one in place of the other is refused or told, never half done.
    if make == "folder":
        put_folder(tmp_path / "out", "old")
        with pytest.raises(OutputError):
            put_file(tmp_path / "out", force=True)
        assert content(tmp_path / "out") == "old"
    else:
        put_file(tmp_path / "out", "old")
        put_folder(tmp_path / "out", force=True)
        assert content(tmp_path / "out") == "new"
    assert names(tmp_path) == ["out"]


# Killed at any moment

WRITE = """
import sys
from pathlib import Path
from transfer.placing import placed_file

with placed_file(Path(sys.argv[1]), force=True) as temporary:
    with temporary.open("wb") as file:
        for block in range(64):
            file.write(bytes([block]) * 100_000)
            if not block:
                print("under way", flush=True)
"""
NEW = b"".join(bytes([block]) * 100_000 for block in range(64))


def kill_a_write(path, seconds, write=WRITE):
    """Start a process that writes, and kill it `seconds` after its first byte."""
    with subprocess.Popen(
        [sys.executable, "-c", write, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"under way\n"
        time.sleep(seconds)
        process.kill()


def check_kills(path, count):
    """Old or new, never a mixture; the next write takes away what the killed ones left."""
    for place in range(count):
        path.write_bytes(b"old")
        kill_a_write(path, 0.1 * place / count)
        assert path.read_bytes() in (b"old", NEW)
        strays = [each for each in path.parent.iterdir() if each != path]
        assert all(each.name.startswith(f".{path.name}.unfinished-") for each in strays)
        assert len(strays) <= 1, "an earlier stray outlived a write"
    with placed_file(path, force=True) as temporary:
        temporary.write_bytes(b"next")
    assert (names(path.parent), path.read_bytes()) == ([path.name], b"next")


def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path):
    check_kills(tmp_path / "a.weights.h5", 3)


@pytest.mark.slow
def test_fifteen_kills_leave_the_old_file_or_the_new_one(tmp_path):
    check_kills(tmp_path / "a.weights.h5", 15)


def leave_behind(path):
    """A stray of a process that was killed in the midst of writing."""
    kill_a_write(
        path, 0, write=WRITE.replace('print("under way", flush=True)', 'print("under way", flush=True); input()')
    )
    strays = [each for each in path.parent.iterdir() if "unfinished" in each.name]
    assert len(strays) == 1
    return strays[0]


def test_what_belongs_to_others_is_left_alone(tmp_path):
    stray = leave_behind(tmp_path / "a.h5")
    machine = re.search(r"unfinished-([0-9a-f]{8})", stray.name).group(1)
    others = [
        stray.name.replace(machine, "00000000"),  # of another machine on a shared disk
        re.sub(r"-\d+-", f"-{os.getpid()}-", stray.name),  # of a process that lives
        stray.name.replace(".a.h5.", ".b.h5."),  # of another output
        ".a.h5.unfinished",
        "a.h5.unfinished-my-own",
    ]
    for name in others:
        (tmp_path / name).touch()
    put_file(tmp_path / "a.h5")
    assert sorted(names(tmp_path)) == sorted([*others, "a.h5"])


def test_what_a_writer_puts_beside_its_temporary_file_goes_too(tmp_path):
    stray = leave_behind(tmp_path / "a.keras")
    (tmp_path / f"{stray.name}.packed").touch()
    put_file(tmp_path / "a.keras")
    assert names(tmp_path) == ["a.keras"]


def test_a_folder_that_stepped_aside_comes_back_after_a_kill(tmp_path):
    """Where two names cannot be swapped in one step, a kill may come between two steps."""
    code = """
import os, sys
from pathlib import Path
from transfer import placing

placing._swap = lambda one, other: False
real, seen = Path.replace, []

def replace(self, target):
    real(self, target)
    seen.append(target)
    print("under way", flush=True)
    input()

Path.replace = replace
with placing.placed_folder(Path(sys.argv[1]), force=True) as temporary:
    (temporary / "new").touch()
"""
    put_folder(tmp_path / "run", "old")
    kill_a_write(tmp_path / "run", 0, write=code)
    assert not (tmp_path / "run").exists()
    with pytest.raises(OutputError, match="run exists already"):
        put_folder(tmp_path / "run")
    assert content(tmp_path / "run") == "old"
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize("swapped", [True, False])
def test_a_folder_is_replaced_with_and_without_a_swap(tmp_path, monkeypatch, swapped):
    if not swapped:
        monkeypatch.setattr(placing, "_swap", lambda *_: False)
    put_folder(tmp_path / "run", "old")
    put_folder(tmp_path / "run", force=True)
    assert content(tmp_path / "run") == "new"
    assert names(tmp_path) == ["run"]


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(placing, "_swap", lambda *_: False)
    put_folder(tmp_path / "run", "old")
    real = Path.replace

    def replace(self, target):
        if target == tmp_path / "run" and "unfinished" in self.name:
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OutputError, match="Input/output error"):
        put_folder(tmp_path / "run", force=True)
    assert content(tmp_path / "run") == "old"
    assert names(tmp_path) == ["run"]


# A full disk


def test_a_file_that_outgrows_the_room_leaves_the_old_one(tmp_path):
    """The system's own limit on the size of a file stands for a full disk."""
    code = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from transfer.errors import OutputError
from transfer.placing import placed_file
from transfer.weights.writing import write_legacy

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    with placed_file(Path(sys.argv[1]), force=True) as temporary:
        write_legacy(temporary, {"a": {"a/kernel": np.ones((300, 300))}}, writer="3.15.1")
except OutputError as error:
    print(type(error).__name__, error)
"""
    path = tmp_path / "a.h5"
    path.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("OutputError")
    assert "a.h5 cannot be written" in done.stdout
    assert (names(tmp_path), path.read_bytes()) == (["a.h5"], b"old")


def test_the_systems_reason_is_told_where_hdf5_hides_it_in_a_text_of_its_own(tmp_path):
    hidden = OSError("Can't write data (file write failed: errno = 28, error message = 'No space left on device')")
    with pytest.raises(OutputError) as caught:
        put_file(tmp_path / "a.h5", error=hidden)
    assert caught.value.summary.endswith("a.h5 cannot be written: No space left on device.")


def test_json_is_placed_below_folders_that_are_made_and_over_what_is_there(tmp_path):
    path = tmp_path / "a" / "b" / "told.json"
    for values in ({"n": 1}, {"n": [2, "ü"]}):
        place_json(path, values)
        assert json.loads(path.read_text(encoding="utf-8")) == values
    assert [each.name for each in path.parent.iterdir()] == ["told.json"]


def test_a_folder_in_whose_way_a_file_stands_is_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(OutputError, match="b cannot be made") as caught:
        make_folder(tmp_path / "a" / "b")
    assert caught.value.next_step == "choose another folder"
