"""Rows that wait on the disk come back as they were written."""

import os
from pathlib import Path

import numpy as np
import pytest

from transfer.data.spooled_rows import SpooledRows
from transfer.errors import OutputError


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (3,), (4, 2, 3)])
def test_rows_come_back_in_any_order_and_as_often_as_they_are_asked_for(dtype, shape):
    values = (np.random.default_rng(0).normal(size=(20, *shape)) * 50).astype(dtype)
    rows = SpooledRows(20)
    rows.write(np.array([7, 3, 19]), values[[7, 3, 19]])
    rows.write(np.arange(10), values[:10])
    found = rows.read(np.array([19, 0, 3, 3]))
    assert found.dtype == dtype
    assert np.array_equal(found, values[[19, 0, 3, 3]])
    assert rows.read(np.array([], np.int64)).shape == (0, *shape)
    assert len(rows) == 20


def test_a_row_that_is_written_again_is_what_was_written_last():
    rows = SpooledRows(2)
    rows.write(np.array([0, 1]), np.array([[1], [2]]))
    rows.write(np.array([1]), np.array([[9]]))
    assert rows.read(np.arange(2)).tolist() == [[1], [9]]


def test_what_was_not_written_is_told_and_not_made_up():
    rows = SpooledRows(4)
    rows.write(np.array([2, 0]), np.ones((2, 3)))
    assert rows.missing(np.array([0, 1, 2, 3])).tolist() == [1, 3]
    with pytest.raises(ValueError, match="not written"):
        rows.read(np.array([0, 1]))


@pytest.mark.parametrize("wrong", [np.ones((2, 4)), np.ones((3, 3)), np.ones((2, 3), np.float32)])
def test_rows_of_another_shape_or_type_are_refused(wrong):
    rows = SpooledRows(4)
    rows.write(np.array([0]), np.ones((1, 3)))
    with pytest.raises(ValueError, match="not"):
        rows.write(np.array([1, 2]), wrong)


def test_nothing_is_left_in_the_folder_for_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rows = SpooledRows(2)
    rows.write(np.arange(2), np.ones((2, 3)))
    assert not list(tmp_path.iterdir()) or os.name == "nt"


def test_a_disk_that_takes_nothing_is_an_error_that_says_where(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(OutputError, match="gone") as caught:
        SpooledRows(2).write(np.arange(2), np.ones((2, 3)))
    assert "TMPDIR" in caught.value.next_step
