"""A folder of class folders: what is in it is used, left out by name, or refused by name."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfer.data.folders import read_folder
from transfer.errors import DataError


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(len(str(path))).integers(0, 256, (9, 9, 3), np.uint8)).save(path)
    return path


def oversized(path: Path) -> Path:
    header = b"IHDR" + struct.pack(">IIBBBBB", 20000, 20000, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (header, data))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("dog/1.png", "dog/2.png", "cat/1.png", "cat/2.png"):
        picture(tmp_path / "set" / name)
    return tmp_path / "set"


def refused(folder: Path, **options) -> DataError:
    with pytest.raises(DataError) as caught:
        read_folder(folder, **options)
    return caught.value


def left_out(folder: Path, **options) -> dict[str, str]:
    return {problem.where: problem.found for problem in read_folder(folder, **options).problems}


def test_classes_are_the_subfolders_in_the_order_of_their_names(folder):
    examples = read_folder(folder)
    assert examples.classes == ("cat", "dog")
    assert examples.names == ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")
    assert examples.labels.tolist() == [0, 0, 1, 1]
    assert examples.inputs == tuple(folder / name for name in examples.names)
    assert examples.problems == ()
    assert examples.source == str(folder)


def test_pictures_are_found_below_subfolders_with_suffixes_in_any_case(folder):
    picture(folder / "cat/wild/lion/a.JPG")
    picture(folder / "cat/tame.Jpeg")
    examples = read_folder(folder)
    assert examples.names[:4] == ("cat/1.png", "cat/2.png", "cat/tame.Jpeg", "cat/wild/lion/a.JPG")
    assert examples.labels.tolist() == [0, 0, 0, 0, 1, 1]


def test_order_is_that_of_paths_and_classes_stay_together(folder):
    for name in ("cat-big/1.png", "cat/a/z.png", "cat/a-b.png"):
        picture(folder / name)
    examples = read_folder(folder)
    assert examples.names[2:5] == ("cat/a-b.png", "cat/a/z.png", "cat-big/1.png")
    assert (np.diff(examples.labels) >= 0).all()


def test_hidden_files_and_what_desktops_leave_behind_are_passed_over(folder):
    for name in (".DS_Store", "Thumbs.db", "cat/desktop.ini", "cat/.hidden.png", "dog/THUMBS.DB"):
        (folder / name).write_bytes(b"")
    picture(folder / ".cache/1.png")
    picture(folder / "cat/.trash/1.png")
    examples = read_folder(folder)
    assert examples.problems == ()
    assert len(examples) == 4


def test_what_is_no_picture_and_loose_pictures_are_left_out_by_name(folder):
    picture(folder / "loose.png")
    (folder / "README.md").write_text("…")
    (folder / "dog/notes.txt").write_text("…")
    assert left_out(folder) == {
        "README.md": "not a picture by its name",
        "dog/notes.txt": "not a picture by its name",
        "loose.png": "lies in no class folder",
    }


def test_links_that_lead_away_are_left_out_and_links_within_are_followed(folder, tmp_path):
    outside = picture(tmp_path / "outside/x.png")
    (folder / "cat/out.png").symlink_to(outside)
    (folder / "cat/gone.png").symlink_to(tmp_path / "gone.png")
    (folder / "cat/loop.png").symlink_to(folder / "cat/loop.png")
    (folder / "cat/more").symlink_to(outside.parent)
    (folder / "bird").symlink_to(outside.parent)
    (folder / "dog/3.png").symlink_to("1.png")
    examples = read_folder(folder)
    assert "dog/3.png" in examples.names
    assert examples.classes == ("cat", "dog")
    assert {problem.where: problem.found for problem in examples.problems} == {
        "bird": "a link to a folder; such links are not followed",
        "cat/gone.png": "a link that leads nowhere",
        "cat/loop.png": "a link that leads nowhere",
        "cat/more": "a link to a folder; such links are not followed",
        "cat/out.png": "a link that leads out of the folder",
    }


def test_folder_may_itself_be_a_link(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    assert len(read_folder(tmp_path / "link")) == 4


def test_pipe_is_left_out_and_not_opened(folder):
    os.mkfifo(folder / "cat/pipe.png")
    assert left_out(folder) == {"cat/pipe.png": "neither a file nor a folder"}


def test_name_that_is_not_utf8_is_left_out(folder):
    Path(os.fsdecode(os.fsencode(folder / "cat") + b"/\xff.png")).write_bytes((folder / "cat/1.png").read_bytes())
    assert left_out(folder) == {"cat/\\udcff.png": "its name is not valid UTF-8"}


def test_oversized_picture_is_left_out_by_name(folder):
    oversized(folder / "cat/big.png")
    examples = read_folder(folder)
    assert "cat/big.png" not in examples.names
    assert [str(problem) for problem in examples.problems] == ["  cat/big.png: 400.0 megapixels; the limit is 67.1"]


def test_limit_can_be_set(folder):
    Image.new("L", (5, 5)).save(folder / "cat/small.png")
    Image.new("L", (5, 5)).save(folder / "dog/small.png")
    examples = read_folder(folder, max_pixels=25)
    assert examples.names == ("cat/small.png", "dog/small.png")
    assert len(examples.problems) == 4


def test_strict_refuses_everything_that_would_be_left_out(folder):
    oversized(folder / "cat/big.png")
    picture(folder / "loose.png")
    (folder / "dog/bad.png").write_bytes(b"")
    error = refused(folder, strict=True, skip_unreadable=True)
    assert {problem.where for problem in error.problems} == {"cat/big.png", "loose.png", "dog/bad.png"}
    assert "--strict" in error.next_step


def test_all_unreadable_pictures_are_named_in_one_error(folder):
    (folder / "cat/zero.jpg").write_bytes(b"")
    (folder / "cat/text.png").write_text("not a picture")
    whole = (folder / "dog/1.png").read_bytes()
    (folder / "dog/cut.png").write_bytes(whole[: len(whole) // 2])
    error = refused(folder)
    assert [problem.where for problem in error.problems] == ["cat/text.png", "cat/zero.jpg", "dog/cut.png"]
    assert error.problems[1].found == "the file is empty (0 bytes)"
    assert "--skip-unreadable" in error.next_step


def test_unreadable_pictures_are_left_out_when_asked_for(folder):
    (folder / "cat/zero.jpg").write_bytes(b"")
    assert left_out(folder, skip_unreadable=True) == {"cat/zero.jpg": "the file is empty (0 bytes)"}
    assert len(read_folder(folder, skip_unreadable=True)) == 4


def test_empty_class_folder_and_damage_are_reported_together(folder):
    (folder / "bird").mkdir()
    (folder / "cow/deeper").mkdir(parents=True)
    (folder / "dog/zero.png").write_bytes(b"")
    error = refused(folder)
    assert [(problem.where, problem.found) for problem in error.problems] == [
        ("bird", "none"),
        ("cow", "none"),
        ("dog/zero.png", "the file is empty (0 bytes)"),
    ]


def test_class_of_which_nothing_is_left_is_refused_with_the_reasons(folder):
    (folder / "bird").mkdir()
    oversized(folder / "bird/big.png")
    error = refused(folder)
    assert [problem.where for problem in error.problems] == ["bird", "bird/big.png"]
    assert error.problems[0].found == "1, and none can be used"


def test_missing_folder_and_file_in_its_place(tmp_path):
    assert refused(tmp_path / "gone").problems[0].found == "nothing of that name"
    (tmp_path / "a.png").write_bytes(b"x")
    assert refused(tmp_path / "a.png").problems[0].found == "a file"


def test_one_class_is_refused(tmp_path):
    picture(tmp_path / "cat/1.png")
    error = refused(tmp_path)
    assert error.problems[0].expected == "at least 2 class folders"
    assert error.problems[0].found == "1 class folder, 'cat'"
    assert error.next_step == "add a second class"


def test_folder_one_level_too_high_says_which_one_to_give(folder):
    error = refused(folder.parent)
    assert error.next_step == f"give {folder} if its subfolders are the classes"


def test_loose_pictures_alone_say_so(tmp_path):
    picture(tmp_path / "1.png")
    picture(tmp_path / "2.png")
    error = refused(tmp_path)
    assert error.problems[0].found == "2 pictures that lie loose in the folder"
    assert "folder named after its class" in error.next_step


@pytest.mark.parametrize("names", [[], ["cat", "dog"]])
def test_folder_without_pictures_says_so(tmp_path, names):
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.svg").write_text("<svg/>")
    error = refused(tmp_path)
    assert error.summary.endswith("has no labelled pictures.")
    assert error.problems[0].found.startswith(f"{len(names)} subfolders and no picture")
    assert [problem.where for problem in error.problems[1:]] == [f"{name}/a.svg" for name in names]


def test_parts_of_a_set_are_not_taken_for_classes(tmp_path):
    for part in ("train", "Test"):
        picture(tmp_path / part / "cat/1.png")
        picture(tmp_path / part / "dog/1.png")
    error = refused(tmp_path)
    assert "parts of a set" in error.summary
    assert error.next_step == f"give one part, such as {tmp_path / 'Test'}"
    assert read_folder(tmp_path / "train").classes == ("cat", "dog")
