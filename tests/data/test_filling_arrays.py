"""Arrays of files come in blocks: the same values in memory and on the disk, whatever the format."""

import os

import h5py
import numpy as np
import pytest

from transfer.data import filling_arrays, hdf5_child
from transfer.data.array_files import read_array_inputs, spool_array_inputs
from transfer.data.filling_arrays import LengthError, fill_array
from transfer.data.hdf5_files import read_hdf5_arrays
from transfer.data.npz_files import read_npz_arrays
from transfer.errors import DataError, OutputError


def blocks(content: bytes, size: int):
    return (content[start : start + size] for start in range(0, len(content), size))


@pytest.mark.parametrize("dtype", ["u1", "<i4", ">i4", "<f8", ">f8", "?", ">f2"])
@pytest.mark.parametrize("in_memory_bytes", [None, 10**6, 0])
def test_values_are_the_same_in_memory_and_on_the_disk(dtype, in_memory_bytes):
    values = (np.random.default_rng(0).normal(size=(7, 3, 2)) * 100).astype(dtype)
    found = fill_array(blocks(values.tobytes(), 16), values.shape, values.dtype, in_memory_bytes)
    assert isinstance(found, np.memmap) == (in_memory_bytes == 0)
    assert found.dtype == values.dtype.newbyteorder("=")
    assert found.tolist() == values.tolist()


@pytest.mark.parametrize("in_memory_bytes", [None, 0])
@pytest.mark.parametrize(("length", "found"), [(0, "0 bytes"), (13, "13 bytes"), (23, "23 bytes"), (25, "more")])
def test_other_bytes_than_promised_are_an_error(in_memory_bytes, length, found):
    with pytest.raises(LengthError) as caught:
        fill_array(blocks(bytes(length), 8), (3, 2), np.dtype("<f4"), in_memory_bytes)
    assert caught.value.expected == "24 bytes"
    assert caught.value.found.startswith(found)


def test_a_shape_that_promises_much_takes_nothing_of_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(LengthError):
        fill_array(iter([bytes(8)]), (10**6, 10**6), np.dtype("u1"), 0)
    assert not list(tmp_path.iterdir()) or os.name == "nt"


def test_a_disk_that_takes_nothing_is_an_error_that_says_where(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(OutputError, match="gone"):
        fill_array(iter([bytes(8)]), (8,), np.dtype("u1"), 0)


VALUES = np.random.default_rng(4).normal(size=(50, 3, 4)).astype(">f4")


def write_npz(path, packed, **arrays):
    with path.open("wb") as stream:
        (np.savez_compressed if packed else np.savez)(stream, **arrays)
    return path


def write_hdf5(path, packed, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, chunks=(7, 2, 4) if packed and array.ndim == 3 else None)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("write", "read"), [(write_npz, read_npz_arrays), (write_hdf5, read_hdf5_arrays)])
@pytest.mark.parametrize("in_memory_bytes", [0, 10**6])
def test_files_give_inputs_that_lie_on_the_disk(tmp_path, monkeypatch, write, read, packed, in_memory_bytes):
    monkeypatch.setattr(filling_arrays, "BLOCK_BYTES", 64)
    path = write(tmp_path / "a.data", packed, x=VALUES, y=np.arange(50))

    def some(path, choose):
        return read(path, choose, in_memory_bytes=in_memory_bytes)

    found, is_labelled = spool_array_inputs(path, some)
    assert is_labelled
    assert isinstance(found, np.memmap) == (in_memory_bytes == 0)
    assert found.dtype == np.float32
    assert found.dtype.isnative
    assert found.tolist() == VALUES.tolist()
    path = write(tmp_path / "b.data", packed, x_a=VALUES, x_b=VALUES[:, :, 0])
    found, is_labelled = spool_array_inputs(path, some)
    assert not is_labelled
    assert found.names == ("a", "b")
    assert found.arrays["b"].tolist() == VALUES[:, :, 0].tolist()
    with pytest.raises(DataError, match="no inputs") as caught:
        spool_array_inputs(write(tmp_path / "c.data", packed, x=np.arange(3)), some)
    assert "two axes" in caught.value.problems[0].expected


def test_an_array_in_fortrans_order_is_read_whole(tmp_path):
    path = write_npz(tmp_path / "a.npz", packed=False, x=np.asfortranarray(VALUES))
    found = read_npz_arrays(path, lambda names: names, in_memory_bytes=0)["x"]
    assert found.tolist() == VALUES.tolist()


def test_a_flipped_byte_of_an_array_on_the_disk_is_told(tmp_path):
    path = write_npz(tmp_path / "a.npz", packed=False, x=VALUES)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="CRC"):
        spool_array_inputs(path, lambda path, choose: read_npz_arrays(path, choose, in_memory_bytes=0))


@pytest.mark.parametrize(("chunks", "rows"), [(None, 4), ((7, 12), 7), ((3, 5), 3), ((1, 12), 4)])
def test_the_child_reads_whole_chunks_at_a_time(tmp_path, monkeypatch, chunks, rows):
    monkeypatch.setattr(hdf5_child, "BLOCK_BYTES", 4 * 12 * 8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", data=np.zeros((20, 12)), chunks=chunks)
        assert hdf5_child.rows_of_block(dataset) == rows


def test_a_chunk_that_is_damaged_behind_others_is_an_error(tmp_path):
    path = tmp_path / "a.h5"
    values = np.random.default_rng(0).integers(0, 99, (2**21, 8))
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x", data=values, chunks=(2**18, 8), compression="lzf", fletcher32=True)
        place = dataset.id.get_chunk_info(7).byte_offset
    with path.open("r+b") as stream:
        stream.seek(place + 5000)
        stream.write(bytes(5000))
    with pytest.raises(DataError) as caught:
        read_array_inputs(path, read_hdf5_arrays)
    assert str(path) in caught.value.problems[0].where
