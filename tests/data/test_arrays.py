"""Arrays with labels: every way in which x and y can be wrong is named, and no file is believed about its size."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from transfer.data.array_files import read_array_inputs, read_npz
from transfer.data.arrays import from_arrays
from transfer.errors import DataError

X = np.arange(12, dtype=np.float32).reshape(4, 3)


def fault(x, y, classes=None) -> str:
    """Where, expected and found of the one problem."""
    with pytest.raises(DataError) as caught:
        from_arrays(x, y, classes)
    (problem,) = caught.value.problems
    return f"{problem.where}: {problem.expected}: {problem.found}"


def npz(path: Path, **arrays) -> Path:
    np.savez(path, **arrays)
    return path


def zipped(path: Path, compression: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def npy(array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npy_that_claims(shape: tuple[int, ...], descr: str, content: bytes = b"") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


def npz_fault(path: Path) -> dict[str, str]:
    with pytest.raises(DataError) as caught:
        read_npz(path)
    return {problem.where: problem.found for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array([7, 3, 3, 10]), ("3", "7", "10")),
        (np.array([-1, -5, -5, 2], np.int8), ("-5", "-1", "2")),
        (np.array([1.0, 0.0, 0.0, 2.0], np.float16), ("0", "1", "2")),
        (np.array([True, False, False, True]), ("False", "True")),
        (["dog", "cat", "cat", "eel"], ("cat", "dog", "eel")),
        (np.array([b"dog", b"cat", b"cat", b"eel"]), ("cat", "dog", "eel")),
        (pd.Series(["dog", "cat", "cat", "eel"]), ("cat", "dog", "eel")),
        (np.array([[1], [0], [0], [2]]), ("0", "1", "2")),
        (np.array([2**63, 0, 0, 2**64 - 1], np.uint64), ("0", str(2**63), str(2**64 - 1))),
    ],
)
def test_classes_are_the_distinct_labels_in_order(y, classes):
    examples = from_arrays(X, y)
    assert examples.classes == classes
    assert examples.labels.tolist() == [1, 0, 0, min(2, len(classes) - 1)]
    assert examples.names == ("x[0]", "x[1]", "x[2]", "x[3]")
    assert (examples.kind, examples.source) == ("arrays", "arrays")


@given(hnp.arrays(np.int64, st.integers(2, 20), elements=st.integers(-5, 5)).filter(lambda y: len(set(y.tolist())) > 1))
def test_class_of_every_row_is_its_label(y):
    examples = from_arrays(np.zeros((len(y), 2)), y)
    assert [int(examples.classes[label]) for label in examples.labels] == y.tolist()


def test_labels_are_places_in_given_classes_which_may_have_no_example():
    examples = from_arrays(X, [2, 0, 0, 2], classes=["cat", "dog", "eel"])
    assert examples.classes == ("cat", "dog", "eel")
    assert examples.labels.tolist() == [2, 0, 0, 2]


def test_text_labels_are_names_in_given_classes():
    examples = from_arrays(X, ["eel", "cat", "cat", "eel"], classes=["eel", "dog", "cat"])
    assert examples.labels.tolist() == [0, 2, 2, 0]


def test_inputs_are_kept_as_they_are_and_cannot_be_changed_by_mistake():
    examples = from_arrays(X, [0, 1, 1, 0])
    assert np.shares_memory(examples.inputs, X)
    with pytest.raises(ValueError, match="read-only"):
        examples.inputs[0] = 1
    assert X.flags.writeable


def test_byte_order_does_not_matter():
    big = from_arrays(X.astype(">f4"), [0, 1, 1, 0])
    assert big.inputs.dtype == np.dtype("=f4")
    assert big.digests() == from_arrays(X, [0, 1, 1, 0]).digests()


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.where(np.arange(12).reshape(4, 3) > 6, np.nan, 1.0), "NaN or infinite in 5 of 12 values, first in row 2"),
        (np.where(np.arange(12).reshape(4, 3) == 11, np.inf, 1.0), "NaN or infinite in 1 of 12 values, first in row 3"),
        (np.full((4, 3), "a"), "x: numbers: type <U1"),
        (np.full((4, 3), None), "x: numbers: type object"),
        (np.zeros((4, 3), complex), "x: numbers: type complex128"),
        (np.zeros(4), "at least two axes, none of them 0: (4,)"),
        (np.zeros((4, 0)), "at least two axes, none of them 0: (4, 0)"),
    ],
)
def test_inputs_that_are_wrong(x, expected):
    assert expected in fault(x, [0, 1, 1, 0])


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([0, 1, 1], "y: 4 labels, one for each row of x: 3"),
        ([0.5, 1, 1, 1.5], "y: whole numbers: not whole in 2 of 4 rows, first in row 0"),
        ([0, np.nan, 1, np.nan], "y: a label for every row: NaN or infinite in 2 of 4 rows, first in row 1"),
        (["a", "b", "", "a"], "y: a label for every row: empty in 1 of 4 rows, first in row 2"),
        (np.array(["a", None, "b", 1.0], object), "y: whole numbers, texts or booleans: type object"),
        (np.eye(4), "(4, 4); if these are one-hot rows, give y.argmax(axis=1)"),
        (np.zeros((4, 1, 1)), "(4, 1, 1)"),
        ([5, 5, 5, 5], "y: at least 2 classes: 1: every label is '5'"),
        (np.array([0, 1, 1, 0], "M8[s]"), "type datetime64[s]"),
    ],
)
def test_labels_that_are_wrong(y, expected):
    assert expected in fault(X, y)


@pytest.mark.parametrize(
    ("y", "classes", "expected"),
    [
        ([0, 1, 3, -1], ["a", "b", "c"], "y: 0 to 2, places in classes: -1, 3"),
        (["a", "z", "a", "b"], ["a", "b"], "y: names in classes: 'z'"),
        ([0, 1, 1, 0], ["a", "a"], "classes: each name once: 2 names, 1 distinct"),
        ([1, 1, 1, 1], ["a", "b"], "every label is 'b'"),
    ],
)
def test_classes_that_do_not_fit(y, classes, expected):
    assert expected in fault(X, y, classes)


def test_all_problems_come_at_once():
    with pytest.raises(DataError) as caught:
        from_arrays(np.full((3, 2), np.nan), [0.5, 1])
    assert [problem.where for problem in caught.value.problems] == ["x", "y", "y"]


@pytest.mark.parametrize(
    ("x", "y", "step"),
    [
        ([[1.0], [np.nan]], [0, 1], "leave out rows with values that are missing, or fill these in before"),
        ([[1.0], [2.0]], [4, 4], "add examples of another class: there is nothing to tell apart"),
        ([[1.0], [2.0]], [0, np.nan], "leave out rows without a label, or label them"),
        ([[1.0], [2.0]], ["a", ""], "leave out rows without a label, or label them"),
        ([[np.inf], [2.0]], [0.5, 1], "leave out rows with values that are missing, or fill these in before; give the"),
        ([1.0, 2.0], [0, 1], "give x (n, …) numbers and y (n,) labels, in a file by numpy.savez"),
        ([[np.nan], [2.0]], [[0, 1], [1, 0]], "give x (n, …) numbers and y (n,) labels, in a file by numpy.savez"),
    ],
)
def test_the_next_step_is_another_where_the_form_is_right_and_what_is_in_it_is_not(x, y, step):
    with pytest.raises(DataError) as caught:
        from_arrays(np.array(x), np.array(y))
    assert caught.value.next_step.startswith(step)


def test_inputs_alone_with_values_missing_say_what_to_do(tmp_path):
    np.savez(tmp_path / "rows.npz", x=np.array([[1.0], [np.nan]]))
    with pytest.raises(DataError) as caught:
        read_array_inputs(tmp_path / "rows.npz")
    assert caught.value.next_step == "leave out rows with values that are missing, or fill these in before"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_comes_back_as_it_was_written(tmp_path, save):
    save(tmp_path / "a.npz", x=np.asfortranarray(X), y=np.array([3, 7, 7, 3]), other=np.zeros(1))
    examples = read_npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(examples.inputs, X)
    assert examples.classes == ("3", "7")
    assert examples.labels.tolist() == [0, 1, 1, 0]
    assert examples.source == str(tmp_path / "a.npz")


def test_npz_names_its_classes(tmp_path):
    path = npz(tmp_path / "a.npz", x=X, y=np.array([1, 0, 0, 1]), classes=np.array(["cat", "hündchen"]))
    assert read_npz(path).classes == ("cat", "hündchen")


def test_npz_with_classes_that_are_no_names(tmp_path):
    path = npz(tmp_path / "a.npz", x=X, y=np.array([1, 0, 0, 1]), classes=np.array([1, 2]))
    assert npz_fault(path) == {"classes": "(2,) int64"}


def test_missing_arrays_are_listed_with_those_that_are_there(tmp_path):
    path = npz(tmp_path / "a.npz", images=X, labels=np.zeros(4))
    assert npz_fault(path) == dict.fromkeys(("x", "y"), "the arrays 'images', 'labels'")


def test_pickled_objects_are_never_loaded(tmp_path):
    path = npz(tmp_path / "a.npz", x=X, y=np.array(["a", "b", "b", None], object))
    assert npz_fault(path) == {"y": "Python objects, which are never loaded: they may run code"}


@pytest.mark.parametrize("shape", [(2**20, 2**20), (5, 3), (3, 3)])
def test_header_that_promises_other_than_the_file_holds_is_refused(tmp_path, shape):
    path = zipped(tmp_path / "a.npz", x=npy_that_claims(shape, "<f4", X.tobytes()), y=npy(np.zeros(4)))
    assert npz_fault(path)["x"].startswith("its header promises ")


@pytest.mark.parametrize(
    ("shape", "descr"), [((0, 3), "<f4"), ((4, -1), "<f4"), ((-4, -3), "<f4"), ((2**62,), "|S0"), ((), "<f4")]
)
def test_empty_shapes_are_refused_before_anything_is_made(tmp_path, shape, descr):
    path = zipped(tmp_path / "a.npz", x=npy_that_claims(shape, descr, X.tobytes()), y=npy(np.zeros(4)))
    assert "x" in npz_fault(path) or str(path) in npz_fault(path)


def test_gigabytes_out_of_a_small_file_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    header = npy_that_claims((2**11, 2**20), "|u1")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("y.npy", npy(np.zeros(2**11)))
        with archive.open("x.npy", "w") as stream:
            stream.write(header)
            stream.write(bytes(1000))
    content = path.read_bytes()
    place = content.rindex(b"PK\x01\x02")
    claimed = (len(header) + 2**31).to_bytes(4, "little")
    path.write_bytes(content[: place + 24] + claimed + content[place + 28 :])
    found = npz_fault(path)["x"]
    assert found.endswith(f"bytes that claim to become {len(header) + 2**31}")


def test_zeros_compress_well_and_are_read_all_the_same(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((100, 10_000), np.uint8), y=np.arange(100) % 2)
    assert read_npz(tmp_path / "a.npz").inputs.shape == (100, 10_000)


def test_lengths_are_compared_before_anything_is_read(tmp_path):
    path = npz(tmp_path / "a.npz", x=X, y=np.zeros(3))
    assert npz_fault(path) == {"y": "3"}


def test_flipped_bit_is_found(tmp_path):
    path = npz(tmp_path / "a.npz", x=X, y=np.array([0, 1, 1, 0]))
    content = bytearray(path.read_bytes())
    content[content.index(X[1].tobytes())] ^= 1
    path.write_bytes(content)
    assert "CRC" in npz_fault(path)[str(path)]


def test_array_that_stands_twice_is_refused(tmp_path):
    path = npz(tmp_path / "a.npz", x=X, y=np.array([0, 1, 1, 0]))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x.npy", npy(X + 1))
    assert npz_fault(path) == {str(path): "a name that stands there twice"}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"\x93NUMPY"])
def test_what_is_no_npz_is_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    assert str(tmp_path / "a.npz") in npz_fault(tmp_path / "a.npz")


@pytest.mark.parametrize("share", np.linspace(0.05, 0.95, 10))
def test_cut_npz_is_refused(tmp_path, share):
    path = npz(tmp_path / "a.npz", x=X, y=np.array([0, 1, 1, 0]))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert npz_fault(path)
