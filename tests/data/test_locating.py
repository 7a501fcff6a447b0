"""Paths and labels of a table's rows: a regular file below the folder and a name of a class, or a word on why not."""

import os
from pathlib import Path

import pytest

from transfer.data.locating import Located, is_picture, locate_pictures
from transfer.data.rows import Row, Table
from transfer.data.sheets import Sheet


@pytest.fixture
def photos(tmp_path) -> Path:
    """Files that need not be pictures: nothing is opened."""
    for name in ("photos/cat/1.png", "photos/cat/2.png", "photos/dog/1.png", "outside/x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path / "photos"


def located(folder: Path, *rows: tuple[str, str]) -> Located:
    table = Table(tuple(Row(line, path, label) for line, (path, label) in enumerate(rows, 2)))
    sheet = Sheet("labels.csv", 1, ("file", "label"), True, False, ())
    return locate_pictures(sheet, table, folder)


def fault(folder: Path, path: str, label: str = "cat") -> str:
    (problem,) = located(folder, (path, label)).faults
    assert problem.where == "labels.csv line 2"
    return problem.found


def test_where_none_is_opened_a_picture_need_not_be_there_but_stays_below_the_folder(photos):
    (photos / "cat" / "gone.png").symlink_to("nowhere")
    (photos / "cat" / "out.png").symlink_to("../../outside/x.png")
    rows = (
        Row(line, path, "cat") for line, path in enumerate(("no\\3.png", "cat/gone.png", "cat/out.png", "../x.png"), 2)
    )
    sheet = Sheet("labels.csv", 1, ("file", "label"), True, False, ())
    found = locate_pictures(sheet, Table(tuple(rows)), photos, present=False)
    assert [each.name for each in found.entries] == ["no/3.png", "cat/gone.png"]
    assert [each.where for each in found.faults] == ["labels.csv line 4", "labels.csv line 5"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/etc/hostname", "is an absolute path; those of a table start from its folder"),
        ("C:\\photos\\1.png", "is an absolute path; those of a table start from its folder"),
        ("\\\\server\\photos\\1.png", "is an absolute path; those of a table start from its folder"),
        ("../outside/x.png", "leads out of the folder"),
        ("cat/../../outside/x.png", "leads out of the folder"),
        ("..\\outside\\x.png", "leads out of the folder"),
        ("..", "leads out of the folder"),
        ("cat/out.png", "is a link that leads out of the folder"),
        ("more/x.png", "is a link that leads out of the folder"),
        ("more/gone.png", "is a link that leads out of the folder"),
        ("cat/gone.png", "is a link that leads nowhere"),
        ("cat/gone/1.png", "does not exist"),
        ("cat/pipe.png", "is neither a file nor a folder"),
        (".", "is a folder"),
        ("cat/", "is a folder"),
    ],
)
def test_a_path_that_is_no_file_below_the_folder_is_told(photos, path, found):
    (photos / "cat/out.png").symlink_to(photos.parent / "outside/x.png")
    (photos / "more").symlink_to(photos.parent / "outside")
    (photos / "cat/gone.png").symlink_to(photos / "gone.png")
    os.mkfifo(photos / "cat/pipe.png")
    assert fault(photos, path) == f"{path!r} {found}"


def test_a_path_that_the_system_refuses_is_told_in_its_words(photos):
    assert fault(photos, "cat/1.png/x.png") == "'cat/1.png/x.png': Not a directory"
    assert fault(photos, "x" * 300).endswith(": File name too long")


def test_a_path_is_required(photos):
    assert fault(photos, "") == "no path"


def test_a_sibling_whose_name_begins_like_the_folders_lies_outside(photos):
    (photos.parent / "photos-2").mkdir()
    (photos.parent / "photos-2/x.png").touch()
    (photos / "x.png").symlink_to("../photos-2/x.png")
    assert fault(photos, "x.png") == "'x.png' is a link that leads out of the folder"


def test_paths_as_windows_writes_them_and_detours_within_the_folder_are_followed(photos):
    found = located(photos, (r"cat\1.png", "cat"), ("cat/../dog/./1.png", "dog"))
    assert [entry.name for entry in found.entries] == ["cat/1.png", "dog/1.png"]
    assert [entry.path for entry in found.entries] == [photos / "cat/1.png", photos / "dog/1.png"]


def test_a_name_may_hold_a_backslash_and_a_colon(photos):
    for name in (r"a\b.png", "c:d.png"):
        (photos / name).touch()
        assert located(photos, (name, "cat")).entries[0].name == name


def test_links_within_the_folder_are_followed_and_one_file_is_one_picture(photos):
    (photos / "cat/same.png").symlink_to("1.png")
    (photos / "felines").symlink_to("cat")
    found = located(photos, ("cat/1.png", "cat"), ("cat/same.png", "cat"), ("felines/1.png", "dog"))
    assert [entry.line for entry in found.entries] == [2]
    assert [(each.where, each.found) for each in found.repeated] == [
        ("labels.csv line 3", "'cat/same.png' stands on line 2 already")
    ]
    assert [(each.where, each.found) for each in found.faults] == [
        ("labels.csv line 4", "'felines/1.png' is 'dog' here and 'cat' on line 2")
    ]


@pytest.mark.parametrize("label", ["nan", "NaN", "NA", "N/A", "<NA>", "#N/A"])
def test_what_spreadsheets_write_for_nothing_is_no_label(photos, label):
    assert fault(photos, "cat/1.png", label) == f"'cat/1.png' has no label ({label!r} stands there)"


def test_an_empty_label_is_told(photos):
    assert fault(photos, "cat/1.png", "") == "'cat/1.png' has no label"


def test_labels_that_no_class_can_have_are_told(photos):
    assert "256 characters" in fault(photos, "cat/1.png", "d" * 256)
    assert fault(photos, "cat/1.png", "d\x1b[2Jog") == "a label with control characters: 'd\\x1b[2Jog'"
    assert located(photos, ("cat/1.png", "fox\u200ces")).faults == (), "joiners belong to a word"


def test_path_and_label_of_a_row_are_told_together(photos):
    found = located(photos, ("nope.png", ""))
    assert [each.found for each in found.faults] == ["'nope.png' has no label", "'nope.png' does not exist"]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("gone.PNG", True), ("cat/0001", True), ("cat", False), ("label", False), ("", False), ("x" * 10**5, False)],
)
def test_a_picture_is_known_by_its_suffix_or_because_it_is_there(photos, cell, expected):
    (photos / "cat/0001").touch()
    assert is_picture(photos, cell) is expected
