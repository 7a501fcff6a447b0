"""A table of pictures and classes: it labels what it names, and each line that is wrong is told."""

import os
import random
import shutil
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image

from transfer.data import table_pictures
from transfer.data.folders import read_folder
from transfer.data.reading import read_labelled
from transfer.errors import DataError

ROWS = ("cat/1.png,cat", "cat/2.png,cat", "dog/1.png,dog", "dog/2.png,dog")


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
def photos(tmp_path) -> Path:
    for row in ROWS:
        picture(tmp_path / "photos" / row.split(",")[0])
    return tmp_path / "photos"


def table(folder: Path, *rows: str, name: str = "labels.csv", header: str = "file,label") -> Path:
    (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder / name


def refused(path: Path, **options) -> DataError:
    with pytest.raises(DataError) as caught:
        read_labelled(path, **options)
    assert len(str(caught.value)) < 2048
    return caught.value


def faults(path: Path, **options) -> list[tuple[str, str]]:
    return [(problem.where, problem.found) for problem in refused(path, **options).problems]


def left_out(path: Path, **options) -> list[tuple[str, str]]:
    return [(problem.where, problem.found) for problem in read_labelled(path, **options).problems]


def test_a_table_gives_what_class_folders_give_whatever_the_order_of_its_rows(photos):
    expected = read_folder(photos)
    rows = list(ROWS)
    random.Random(0).shuffle(rows)
    found = read_labelled(table(photos, *rows))
    assert (found.names, found.classes, found.inputs) == (expected.names, expected.classes, expected.inputs)
    assert found.labels.tolist() == expected.labels.tolist() == [0, 0, 1, 1]
    assert found.digests() == expected.digests()
    assert (found.source, found.problems, found.kind) == (str(photos / "labels.csv"), (), "images")


def test_the_table_and_not_the_subfolders_labels_a_folder(photos):
    table(photos, "cat/1.png,tame", "cat/2.png,wild", "dog/1.png,tame", "dog/2.png,wild")
    found = read_labelled(photos)
    assert found.classes == ("tame", "wild")
    assert found.names == ("cat/1.png", "dog/1.png", "cat/2.png", "dog/2.png")
    assert (found.source, found.problems) == (str(photos), ())


def test_pictures_may_lie_loose_beside_the_table(tmp_path):
    picture(tmp_path / "1.png")
    picture(tmp_path / "2.png")
    table(tmp_path, "1.png\tdog", "2.png\tcat", name="Labels.TSV", header="path\tclass")
    assert read_labelled(tmp_path).names == ("2.png", "1.png")


def test_pictures_of_the_folder_that_have_no_row_are_left_out_by_name(photos):
    picture(photos / "bird/1.png")
    (photos / "notes.txt").write_text("…")
    given = table(photos, *ROWS)
    assert left_out(photos) == [
        ("bird/1.png", "has no row in labels.csv"),
        ("notes.txt", "not a picture by its name"),
    ]
    assert left_out(given) == [], "where the table is given it is the set"
    assert len(refused(photos, strict=True).problems) == 2


def test_a_table_of_any_name_is_taken_where_it_is_given(photos):
    assert len(read_labelled(table(photos, *ROWS, name="train.csv"))) == 4
    assert len(read_labelled(table(photos, *ROWS, name="list"))) == 4
    assert len(read_labelled(table(photos, *(row.replace(",", "|") for row in ROWS[1:]), header="", name="a.txt"))) == 3


def test_a_folder_with_a_table_of_another_name_is_labelled_by_its_subfolders(photos):
    table(photos, "cat/1.png,x", name="train.csv")
    assert read_labelled(photos).classes == ("cat", "dog")


def test_paths_count_from_the_folder_of_the_table(photos, monkeypatch):
    given = table(photos / "dog", "1.png,a", "./2.png,b")
    monkeypatch.chdir(photos / "dog")
    assert read_labelled(given).names == read_labelled("labels.csv").names == ("1.png", "2.png")


def test_a_picture_needs_no_suffix_where_a_row_names_it(photos):
    (photos / "cat/1.png").rename(photos / "cat/0001")
    (photos / "labels.csv").write_text("cat/0001,cat\ndog/1.png,dog\n")
    assert read_labelled(photos / "labels.csv").names == ("cat/0001", "dog/1.png")
    assert ("cat/0001", "not a picture by its name") not in left_out(photos)


def test_all_lines_that_are_wrong_are_told_at_once_in_their_order(photos):
    (photos / "dog/text.png").write_text("not a picture")
    given = table(
        photos,
        "cat/1.png,cat",
        "dog/nope.png,dog",
        "cat/2.png,",
        "dog/text.png,dog",
        "dog/1.png,NaN",
        "cat/1.png,dog",
        ",dog",
        "dog/2.png,dog,more",
        "dog,dog",
    )
    error = refused(given)
    assert error.summary == f"{given} cannot be used as a labelled set: 8 problems."
    assert [(problem.where, problem.found) for problem in error.problems] == [
        ("labels.csv line 3", "'dog/nope.png' does not exist"),
        ("labels.csv line 4", "'cat/2.png' has no label"),
        (
            "labels.csv line 5",
            "'dog/text.png' cannot be used: not a PNG, JPEG, BMP, GIF, WebP or TIFF file: it starts with b'not a pi'",
        ),
        ("labels.csv line 6", "'dog/1.png' has no label ('NaN' stands there)"),
        ("labels.csv line 7", "'cat/1.png' is 'dog' here and 'cat' on line 2"),
        ("labels.csv line 8", "no path"),
        ("labels.csv line 9", "3: 'dog/2.png', 'dog', 'more'; quote a cell that holds the separator"),
        ("labels.csv line 10", "'dog' is a folder"),
    ]
    assert "--skip-unreadable" in error.next_step


def test_what_lies_outside_is_not_opened(photos, tmp_path, monkeypatch):
    (photos / "cat/out.png").symlink_to(picture(tmp_path / "outside/x.png"))
    opened = []
    monkeypatch.setattr(
        table_pictures, "check_image", lambda path, **_: opened.append(path.relative_to(photos).as_posix())
    )
    given = table(photos, *ROWS, "cat/out.png,cat", "../outside/x.png,cat", f"{tmp_path}/outside/x.png,cat")
    assert [where for where, _ in faults(given)] == [f"labels.csv line {line}" for line in (6, 7, 8)]
    assert opened == ["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"]


def test_a_row_that_repeats_another_is_left_out(photos):
    given = table(photos, *ROWS, "cat/./1.png,cat")
    assert left_out(given) == [("labels.csv line 6", "'cat/1.png' stands on line 2 already")]
    assert len(read_labelled(given)) == 4
    assert "--strict" in refused(given, strict=True).next_step


def test_damaged_pictures_are_left_out_when_asked_for(photos):
    (photos / "cat/2.png").write_bytes(b"")
    given = table(photos, *ROWS)
    found = [("labels.csv line 3", "'cat/2.png' cannot be used: the file is empty (0 bytes)")]
    assert faults(given) == left_out(given, skip_unreadable=True) == found
    assert read_labelled(given, skip_unreadable=True).names == ("cat/1.png", "dog/1.png", "dog/2.png")
    assert faults(given, skip_unreadable=True, strict=True) == found


def test_pictures_that_are_too_large_are_left_out(photos):
    oversized(photos / "cat/2.png")
    given = table(photos, *ROWS)
    found = "'cat/2.png' cannot be used: 400.0 megapixels; the limit is 67.1"
    assert left_out(given) == [("labels.csv line 3", found)]
    assert [where for where, _ in faults(given, strict=True)] == ["labels.csv line 3"]


def test_a_class_of_which_nothing_is_left_is_refused_with_the_reasons(photos):
    oversized(photos / "cat/1.png")
    (photos / "cat/2.png").write_bytes(b"")
    assert [where for where, _ in faults(table(photos, *ROWS), skip_unreadable=True)] == [
        "labels.csv line 2",
        "labels.csv line 3",
        "class 'cat'",
    ]


def test_one_class_is_refused(photos):
    error = refused(table(photos, *ROWS[:2]))
    assert [(each.where, each.expected, each.found) for each in error.problems] == [
        ("labels.csv", "at least 2 classes", "1: 'cat'")
    ]


def test_columns_that_are_not_used_are_told_and_are_nothing_left_out(photos):
    given = table(photos, *(f"{row},7" for row in ROWS), header="file,label,width")
    assert left_out(given, strict=True) == [("labels.csv", "column 'width' is not used")]


def test_of_a_column_that_could_be_learnt_too_it_is_told_how(photos):
    kinds = ("tabby", "tiger", "tabby", "poodle")
    rows = [f"{row},{kind},{place}" for place, (row, kind) in enumerate(zip(ROWS, kinds, strict=True))]
    given = table(photos, *rows, header="file,category,a kind,id")
    assert left_out(given) == [
        ("labels.csv", "column 'a kind' is not used; --head category --head a_kind learns both"),
        ("labels.csv", "column 'id' is not used"),
    ]
    assert read_labelled(given, outputs=["category", "a_kind"]).labelling.names == ("category", "a_kind")
    assert left_out(given, outputs=["category"])[0] == ("labels.csv", "column 'a kind' is not used")


def test_an_empty_cell_comes_with_what_takes_it_as_not_known(photos):
    given = table(photos, *ROWS[:3], "dog/2.png,", "cat/3.png,cat", header="file,sort of animal")
    picture(photos / "cat/3.png")
    error = refused(given)
    assert [each.found for each in error.problems] == ["'dog/2.png' has no label"]
    assert "; --head sort_of_animal takes an empty cell as not known, and leaves its row out" in error.next_step
    found = read_labelled(given, outputs=["sort_of_animal"])
    assert found.names == ("cat/1.png", "cat/2.png", "cat/3.png", "dog/1.png")
    assert [each.found for each in found.problems] == ["nothing is known of 'dog/2.png'"]
    assert "--head" not in refused(table(photos, "cat/9.png,cat", *ROWS)).next_step


def test_classes_are_in_the_order_of_their_names(photos):
    names = ("ähre", "10", "Zebra", "2")
    given = table(photos, *(f"{row.split(',')[0]},{name}" for row, name in zip(ROWS, names, strict=True)))
    found = read_labelled(given)
    assert found.classes == ("10", "2", "Zebra", "ähre")
    assert found.names == ("cat/2.png", "dog/2.png", "dog/1.png", "cat/1.png")


def test_two_tables_in_a_folder_are_refused(photos):
    table(photos, *ROWS)
    table(photos, *ROWS, name="labels.tsv")
    error = refused(photos)
    assert error.problems[0].found == "labels.csv and labels.tsv"
    assert str(photos / "labels.csv") in error.next_step


def test_a_table_of_a_folder_that_is_a_link_out_of_it_is_refused(photos, tmp_path):
    (photos / "labels.csv").symlink_to(table(tmp_path, *ROWS, name="secret"))
    assert faults(photos) == [("labels.csv", "a link that leads out of it, or no regular file")]
    (tmp_path / "secret").unlink()
    assert faults(photos) == [("labels.csv", "a link that leads out of it, or no regular file")]


def test_a_class_folder_may_have_the_name_of_a_table(photos):
    picture(photos / "labels.csv/1.png")
    assert read_labelled(photos).classes == ("cat", "dog", "labels.csv")


def test_a_table_that_is_too_large_is_refused_without_being_read(photos):
    given = table(photos, *ROWS)
    os.truncate(given, 2**40)
    tracemalloc.start()
    error = refused(given)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.problems[0].found == str(2**40)
    assert peak < 2**20


def test_a_text_named_csv_that_is_no_table_says_what_a_table_is(photos):
    (photos / "a.csv").write_text("some words\n")
    (photos / "b.csv").write_bytes(b"")
    assert faults(photos / "a.csv") == [("a.csv line 1", "1: 'some words'")]
    assert faults(photos / "b.csv") == [("b.csv", "an empty table")]
    assert "file,label" in refused(photos / "b.csv").next_step


def test_pictures_that_people_collected_are_read_from_a_table_that_pandas_wrote(tmp_path):
    clipart = Path(__file__).parents[2] / "examples/data/clipart"
    copy = shutil.copytree(clipart, tmp_path / "clipart")
    paths = sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file())
    frame = pandas.DataFrame({"image": paths, "category": [path.split("/")[0] for path in paths]})
    frame.sample(frac=1, random_state=0).to_csv(copy / "labels.csv", index=False)
    found, expected = read_labelled(copy), read_folder(clipart)
    assert len(found) > 200
    assert (found.names, found.classes) == (expected.names, expected.classes)
    assert found.labels.tolist() == expected.labels.tolist()


def test_columns_that_an_audit_writes_are_told_only_where_they_are_not_its_own(photos):
    whole = table(photos, *(f"{row},dog,0.5" for row in ROWS), header="file,label,suggested,score")
    assert left_out(whole, strict=True) == []
    part = table(photos, *(f"{row},7" for row in ROWS), header="file,label,score")
    assert left_out(part, strict=True) == [("labels.csv", "column 'score' is not used")]
