"""The folder of pictures that were fetched, as long as it is needed."""

import os
import sys
import tempfile

import pytest

from transfer.data.fetched_pictures import FetchedPictures


def test_files_of_this_machine_stay_in_place_and_what_is_not_there_is_told(tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    there, gone = f"file://{tmp_path}/a.png", f"file://{tmp_path}/b.png"
    assert FetchedPictures().bring([there, gone, there]) == (
        {there: tmp_path / "a.png"},
        {gone: "cannot be fetched: No such file or directory"},
    )


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked there")
def test_what_a_killed_process_left_goes_and_what_is_in_use_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    in_use = FetchedPictures()
    (made,) = tmp_path.iterdir()
    left, young = made.with_name(f"{made.name}left"), made.with_name(f"{made.name}young")
    for folder in (left, young):
        folder.mkdir()
        (folder / "a.png").touch()
    for folder in tmp_path.iterdir():
        if folder != young:
            os.utime(folder, (0, 0))
    other = FetchedPictures()
    assert not left.exists()
    assert len([*tmp_path.iterdir()]) == 3
    del in_use, other
    assert [*tmp_path.iterdir()] == [young]
