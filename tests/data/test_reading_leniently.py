"""A set with damaged pictures is read for a look at it, and what is damaged is listed."""

import numpy as np
import pytest
from PIL import Image

from transfer.data.reading_leniently import read_leniently, read_strictly
from transfer.errors import DataError


@pytest.fixture
def folder(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for k in range(3):
            Image.fromarray(np.full((8, 8, 3), 10 * k, np.uint8)).save(tmp_path / label / f"{k}.png")
    (tmp_path / "cat" / "bad.png").write_bytes(b"nothing")
    return tmp_path


def test_damaged_pictures_are_listed_and_the_others_read(folder):
    data, damaged = read_leniently(folder)
    assert len(data) == 6
    assert [each.where for each in damaged] == ["cat/bad.png"]


def test_what_is_left_out_by_request_is_not_refused(folder):
    data, damaged = read_leniently(folder, skip_unreadable=True)
    assert (len(data), damaged) == (6, ())
    assert [each.where for each in data.problems] == ["cat/bad.png"]


def test_a_run_reads_strictly(folder):
    with pytest.raises(DataError):
        read_strictly(folder)
    with pytest.raises(DataError):
        read_leniently(folder, strict=True)


def test_a_class_of_damaged_pictures_alone_is_refused_with_all_that_is_wrong(folder):
    for path in (folder / "dog").iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(DataError) as refused:
        read_leniently(folder)
    assert {each.where for each in refused.value.problems} >= {
        "cat/bad.png",
        "dog",
        "dog/0.png",
        "dog/1.png",
        "dog/2.png",
    }
