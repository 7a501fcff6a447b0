"""Rows of a mapped file are copies, and nothing that was written to a map is lost."""

import numpy as np
import pytest

from transfer.data.mapped_rows import take_rows

VALUES = np.arange(600, dtype=np.int32).reshape(100, 6)


@pytest.mark.parametrize("places", [slice(3, 9), np.array([5, 5, 99, 0]), np.array([], np.int64)])
def test_rows_are_those_of_the_array(tmp_path, places):
    VALUES.tofile(tmp_path / "a")
    mapped = np.memmap(tmp_path / "a", np.int32, "r", shape=(100, 6))
    for array in (mapped, mapped.reshape(100, 2, 3), mapped[:].view(), VALUES):
        found = take_rows(array, places)
        assert found.tolist() == VALUES.reshape(array.shape)[places].tolist()
    assert not np.shares_memory(take_rows(mapped, places), mapped)


@pytest.mark.parametrize("mode", ["c", "r+"])
def test_what_was_written_to_a_map_stays(tmp_path, mode):
    VALUES.tofile(tmp_path / "a")
    mapped = np.memmap(tmp_path / "a", np.int32, mode, shape=(100, 6))
    mapped[7] = -1
    for view in (mapped, mapped.reshape(50, 12)[:], np.asarray(mapped)):
        take_rows(view, slice(0, 50))
    assert mapped[7].tolist() == [-1] * 6
