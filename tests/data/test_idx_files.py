"""IDX files are read as their format says, with the labels beside them; what they promise is not believed."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import transfer
from transfer.data.forms import as_examples
from transfer.data.idx_files import is_idx
from transfer.data.inputs import read_inputs
from transfer.data.reading import read_labelled
from transfer.errors import DataError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
IMAGES = np.random.default_rng(3).integers(0, 256, (6, 4, 5), np.uint8)
LABELS = np.array([3, 0, 9, 3, 0, 9], np.uint8)


def idx_bytes(values, code: int | None = None) -> bytes:
    """As the format is described, value by value."""
    dtype = values.dtype.str[1:]
    content = bytes([0, 0, CODES[dtype] if code is None else code, values.ndim])
    content += b"".join(struct.pack(">I", size) for size in values.shape)
    letter = {"u1": "B", "i1": "b", "i2": "h", "i4": "i", "f4": "f", "f8": "d"}[dtype]
    return content + b"".join(struct.pack(f">{letter}", value) for value in values.reshape(-1).tolist())


def write(path, values, **options):
    content = idx_bytes(values, **options)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def fault(function, *arguments, **options) -> DataError:
    with pytest.raises(DataError) as caught:
        function(*arguments, **options)
    assert len(str(caught.value)) < 2048
    assert caught.value.next_step
    return caught.value


@pytest.mark.parametrize("images", ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte"])
@pytest.mark.parametrize("gz", ["", ".gz"])
def test_images_have_the_labels_that_lie_beside_them(tmp_path, images, gz):
    path = write(tmp_path / images, IMAGES)
    beside = images.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    write(tmp_path / f"{beside}{gz}", LABELS)
    for found in (read_labelled(path), transfer.read_labelled(str(path))):
        assert found.inputs.tolist() == IMAGES.tolist()
        assert found.classes == ("0", "3", "9")
        assert [found.classes[place] for place in found.labels] == list(map(str, LABELS))
    for inputs in (read_inputs([path]), as_examples(path)):
        assert inputs.inputs.dtype == np.uint8
        assert inputs.inputs.tolist() == IMAGES.tolist()
        assert len(inputs) == 6


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_every_type_is_read_in_this_machines_byte_order(tmp_path, dtype, suffix):
    values = (np.random.default_rng(1).normal(size=(3, 2, 4)) * 60).astype(dtype if dtype != "u1" else np.uint8)
    found = read_inputs([write(tmp_path / f"a-idx3{suffix}", values)]).inputs
    assert found.dtype == np.dtype(dtype)
    assert found.dtype.isnative
    assert np.array_equal(found, values)


@given(shape=st.lists(st.integers(1, 4), min_size=2, max_size=6).map(tuple), seed=st.integers(0, 9))
def test_any_number_of_axes_is_read(tmp_path_factory, shape, seed):
    values = np.random.default_rng(seed).integers(-9, 9, shape, np.int16)
    path = write(tmp_path_factory.mktemp("idx") / "a", values)
    assert read_inputs([path]).inputs.tolist() == values.tolist()


def test_the_bytes_decide_and_not_the_name(tmp_path):
    write(tmp_path / "pictures.bin", IMAGES)
    assert read_inputs([tmp_path / "pictures.bin"]).inputs.shape == (6, 4, 5)
    assert not is_idx(tmp_path / "a-idx3-ubyte", b"\x89PNG\r\n")
    assert not is_idx(tmp_path / "a-idx3-ubyte", b"\0\0\x07\3")
    assert not is_idx(tmp_path / "a.gz", gzip.compress(b"file,label\n"))
    assert not is_idx(tmp_path / "a", b"")


def test_labels_that_are_missing_or_of_another_set_are_told(tmp_path):
    path = write(tmp_path / "train-images-idx3-ubyte.gz", IMAGES)
    error = fault(read_labelled, path)
    assert error.problems[0].expected == "train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz"
    assert "train-labels-idx1-ubyte" in error.next_step
    labels = write(tmp_path / "train-labels-idx1-ubyte", LABELS[:5])
    assert fault(read_labelled, path).problems[0].expected == "6 labels, one for each image"
    assert fault(read_labelled, path).problems[0].found == "5"
    labels.write_bytes(b"\0\0\x08\1\0\0")
    assert str(labels) in str(fault(read_labelled, path))
    error = fault(read_labelled, write(tmp_path / "pictures", IMAGES))
    assert "train-labels-idx1-ubyte" in error.next_step


def test_labels_of_one_class_are_refused_as_in_any_set(tmp_path):
    path = write(tmp_path / "a-images-idx3-ubyte", IMAGES)
    write(tmp_path / "a-labels-idx1-ubyte", np.full(6, 4, np.uint8))
    assert "at least 2 classes" in str(fault(read_labelled, path))
    assert fault(read_labelled, path, group_by="who").problems[0].where == "who"


def test_a_file_of_labels_is_told_from_images(tmp_path):
    path = write(tmp_path / "train-labels-idx1-ubyte.gz", LABELS)
    for error in (fault(read_inputs, [path]), fault(read_labelled, path)):
        assert error.problems[0].found == "6 labels: one axis"
        assert "train-images-idx3-ubyte.gz" in error.next_step


def header(axes: int, *sizes: int, code: int = 0x08) -> bytes:
    return bytes([0, 0, code, axes]) + b"".join(struct.pack(">I", size) for size in sizes)


HOSTILE = {
    "no axes": (header(0), "1 to 32 axes", "0"),
    "255 axes": (header(255, *[1] * 255) + b"\0", "1 to 32 axes", "255"),
    "sizes cut off": (header(3, 5), "", ""),
    "a size of 0": (header(3, 0, 4, 5), "sizes above 0", "0 x 4 x 5"),
    "negative sizes": (header(2, 5, 2**32 - 1) + bytes(20), "21,474,836,475 bytes", "20"),
    "huge sizes": (header(4, 5, *[2**32 - 1] * 3) + bytes(20), "bytes of values", "20"),
    "too many examples": (header(2, 2**31, 1) + bytes(20), "at most 10,000,000 examples", "2,147,483,648"),
    "truncated": (idx_bytes(IMAGES)[:-1], "120 bytes of values for 6 x 4 x 5 uint8", "119"),
    "more than it says": (idx_bytes(IMAGES) + b"\0", "120 bytes", "121"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_hostile_bytes_are_an_error_that_takes_no_memory(tmp_path, name, suffix):
    content, expected, found = HOSTILE[name]
    path = tmp_path / f"train-images-idx3-ubyte{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    tracemalloc.start()
    error = fault(read_inputs, [path])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20 if not suffix else 2**25
    (problem,) = error.problems
    if not suffix:
        assert expected in problem.expected
        assert found in problem.found
    assert problem.expected
    assert problem.found
    assert fault(read_labelled, path).problems == error.problems


def test_a_bomb_is_refused_before_it_is_unpacked_or_where_it_passes_what_it_says(tmp_path):
    path = tmp_path / "a-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(header(2, 10**6, 10**4)))
    assert fault(read_inputs, [path]).problems[0].expected.startswith("10,000,000,000 bytes")
    path.write_bytes(gzip.compress(header(2, 2, 3) + bytes(2**26)))
    tracemalloc.start()
    (problem,) = fault(read_inputs, [path]).problems
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert problem.expected == "6 bytes"
    assert problem.found.startswith("more")
    assert peak < 2**25


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.99])
def test_a_gzip_that_is_cut_off_or_damaged_is_an_error(tmp_path, cut):
    whole = gzip.compress(idx_bytes(np.random.default_rng(0).integers(0, 256, (9, 20, 20), np.uint8)))
    path = tmp_path / "a-images-idx3-ubyte.gz"
    path.write_bytes(whole[: int(len(whole) * cut)])
    assert fault(read_inputs, [path]).problems[0].expected
    flipped = bytearray(whole)
    flipped[-6] ^= 0xFF  # of the checksum
    path.write_bytes(flipped)
    assert "CRC" in fault(read_inputs, [path]).problems[0].found


def test_a_gzip_without_a_start_is_told_by_its_name(tmp_path):
    path = tmp_path / "a-images-idx3-ubyte.gz"
    path.write_bytes(b"\x1f\x8b\x08")
    assert "IDX" in fault(read_inputs, [path]).problems[0].expected
