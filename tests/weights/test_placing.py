"""Outputs appear whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from transfer.errors import OutputError
from transfer.placing import placed_file, placed_folder


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
        assert temporary.name.startswith(".a.weights.h5.")


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
