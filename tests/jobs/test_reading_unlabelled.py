"""Whatever holds examples gives them without its labels, and says so."""

import struct

import h5py
import numpy as np
import pytest
from PIL import Image

import transfer
from transfer.data.inputs import Inputs
from transfer.data.named_arrays import NamedArrays
from transfer.errors import DataError
from transfer.jobs.examples.reading_unlabelled import read_unlabelled

X = np.random.default_rng(0).integers(0, 256, (6, 4, 5), np.uint8)
Y = np.array([0, 1, 0, 1, 0, 1])


@pytest.fixture
def photos(tmp_path):
    """Pictures in two folders, one of them two folders down."""
    for name in ("cat/a.png", "dog/b.png", "dog/old/c.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (5, 4)).save(path)
    return tmp_path / "photos"


def note(source, count: int = 6) -> tuple[str, ...]:
    return (f"labels are not used: {count} of {source} are taken as examples alone",)


def test_a_folder_gives_all_pictures_below_it_in_the_order_of_their_names(photos):
    found = read_unlabelled(photos)
    assert found.inputs == tuple(photos / name for name in ("cat/a.png", "dog/b.png", "dog/old/c.png"))
    assert found.notes == note(photos, 3)
    (photos / "dog" / "notes.txt").write_text("so")
    assert [each.where for each in read_unlabelled(str(photos)).problems] == ["dog/notes.txt"]


def test_a_folder_without_classes_has_no_labels_to_speak_of(photos):
    (photos / "loose.png").write_bytes((photos / "cat" / "a.png").read_bytes())
    assert read_unlabelled(photos).notes == ()
    assert read_unlabelled(photos / "dog").notes == ()
    (photos / "labels.csv").write_text("file,label\nloose.png,x\n")
    found = read_unlabelled(photos)
    assert found.notes == note(photos, 4)
    assert len(found) == 4, "those without a row are examples too"


def test_a_table_gives_the_pictures_that_it_names_whatever_their_labels(photos):
    table = photos / "some.csv"
    table.write_text("file,label\ndog/b.png,\ncat/a.png,one class\n")
    found = read_unlabelled(table)
    assert found.inputs == (photos / "dog/b.png", photos / "cat/a.png")
    assert found.notes == note(table, 2)
    table.write_text("file\ndog/b.png\ncat/a.png\n")
    assert read_unlabelled(table).notes == ()


def test_a_list_of_pictures_and_folders_is_taken(photos):
    assert len(read_unlabelled([photos / "cat" / "a.png", photos / "dog"])) == 3
    assert len(read_unlabelled([photos])) == 3


def write_npz(path, **arrays):
    np.savez(path, **arrays)


def write_hdf5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values


@pytest.mark.parametrize(("name", "write"), [("a.npz", write_npz), ("a.h5", write_hdf5)])
@pytest.mark.parametrize("in_memory_bytes", [0, 10**6])
def test_a_file_of_arrays_gives_x_alone(tmp_path, name, write, in_memory_bytes):
    path = tmp_path / name
    write(path, x=X)
    found = read_unlabelled(path, in_memory_bytes=in_memory_bytes)
    assert isinstance(found.inputs, np.memmap) == (in_memory_bytes == 0)
    assert found.inputs.tolist() == X.tolist()
    assert found.notes == ()
    write(path, x=X, y=np.zeros(6, int), year=Y)
    assert read_unlabelled(path, in_memory_bytes=in_memory_bytes).notes == note(path)
    write(path, x_a=X, x_b=X[:, 0], y_t=Y)
    found = read_unlabelled(path, in_memory_bytes=in_memory_bytes)
    assert found.inputs.arrays["b"].tolist() == X[:, 0].tolist()
    assert found.notes == note(path)


@pytest.mark.parametrize("in_memory_bytes", [0, 10**6])
def test_images_of_the_mnist_family_need_no_labels(tmp_path, in_memory_bytes):
    path = tmp_path / "t-images-idx3-ubyte"
    path.write_bytes(b"\0\0\x08\3" + struct.pack(">III", *X.shape) + X.tobytes())
    found = read_unlabelled(path, in_memory_bytes=in_memory_bytes)
    assert found.inputs.tolist() == X.tolist()
    assert found.notes == ()


def test_sets_and_arrays_are_taken_as_they_are():
    data = transfer.from_arrays(X, Y, source="digits")
    assert read_unlabelled(data).notes == note("digits")
    assert read_unlabelled(data).inputs is data.inputs
    given = Inputs.of_array(X)
    assert read_unlabelled(given) is given
    assert read_unlabelled(X).inputs is X
    assert read_unlabelled((X, Y)).inputs is X
    assert read_unlabelled((X, Y)).notes == note("an array")
    for several in ({"a": X, "b": X}, NamedArrays({"a": X, "b": X})):
        assert read_unlabelled(several).inputs.names == ("a", "b")
    assert read_unlabelled(({"a": X, "b": X}, Y)).notes == note("arrays")


@pytest.mark.parametrize("wrong", [X[:1], X[:0], np.array(["a", "b"])[:, None], np.arange(5), 7, None])
def test_what_holds_fewer_than_two_examples_or_none_at_all_is_an_error(wrong):
    with pytest.raises(DataError):
        read_unlabelled(wrong)


def test_numbers_that_are_not_read_are_told_where_they_can_stand(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n0.5,1\n0.25,3\n")
    (tmp_path / "bare.csv").write_text("0.5,1\n0.25,3\n")
    np.save(tmp_path / "rows.npy", X)
    for name in ("rows.csv", "bare.csv", "rows.npy"):
        with pytest.raises(DataError) as refused:
            read_unlabelled(tmp_path / name)
        assert "numpy.savez('rows.npz', x=" in refused.value.next_step
        assert "label" not in str(refused.value)


def test_a_path_that_holds_nothing_is_an_error_that_says_what_is_near(photos, tmp_path):
    with pytest.raises(DataError, match="does not exist") as caught:
        read_unlabelled(tmp_path / "photo")
    assert "photos" in caught.value.next_step
    with pytest.raises(DataError, match="too few"):
        read_unlabelled(photos / "cat")
