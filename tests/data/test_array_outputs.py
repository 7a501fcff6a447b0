"""Arrays with labels of several outputs, in memory, in .npz files and in HDF5 files."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import transfer
from transfer.data import hdf5_files
from transfer.data.array_files import read_array_inputs, read_hdf5, read_npz
from transfer.data.arrays import from_arrays
from transfer.data.forms import as_labelled
from transfer.data.inputs import read_inputs
from transfer.data.reading import read_labelled
from transfer.errors import DataError
from transfer.labellings import Labelling, Output

X = np.arange(12, dtype=np.float32).reshape(4, 3)
TOPIC = np.array(["art", "", "sport", "art"])
TAGS = np.array([[1, 0], [0, -1], [1, 1], [-1, -1]])
PRICE = np.array([1.5, np.nan, 2, 3])
SEVERAL = {"topic": TOPIC, "tags": TAGS, "price": PRICE}
EXPECTED = Labelling(
    (Output("topic", classes=("art", "sport")), Output("tags", "sigmoid", ("0", "1")), Output("price", "regression"))
)


def write_npz(path, **arrays):
    with path.open("wb") as stream:
        np.savez(stream, **arrays)
    return path


def write_hdf5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            kind = np.asarray(array).dtype.kind
            file[name] = np.asarray(array, h5py.string_dtype()) if kind == "U" else array
    return path


WRITERS = pytest.mark.parametrize("write", [write_npz, write_hdf5])


def check(found) -> None:
    topic, tags, price = (found.targets[found.labelling.place(name)] for name in SEVERAL)
    assert topic.tolist() == [0, -1, 1, 0]
    assert tags.tolist() == TAGS.tolist()
    np.testing.assert_array_equal(price, PRICE[:, None])
    assert found.names == ("x[0]", "x[1]", "x[2]", "x[3]")


def problems(function, *arguments, **options) -> list[tuple[str, str, str]]:
    with pytest.raises(DataError) as caught:
        function(*arguments, **options)
    assert len(str(caught.value)) < 2048
    return [(each.where, each.expected, each.found) for each in caught.value.problems]


def test_labels_by_name_are_outputs():
    for found in (from_arrays(X, SEVERAL), as_labelled((X, SEVERAL)), transfer.from_arrays(X, SEVERAL)):
        assert found.labelling == EXPECTED
        check(found)


@WRITERS
def test_files_hold_them_by_the_names_of_the_outputs(tmp_path, write):
    named = {f"y_{name}": each for name, each in SEVERAL.items()}
    path = write(tmp_path / "a.data", x=X, **named, classes_tags=np.array(["loud", "old"]), more=np.zeros(7))
    found = read_labelled(path)
    assert found.labelling["tags"] == Output("tags", "sigmoid", ("loud", "old"))
    check(found)
    chosen = read_labelled(path, outputs=["tags"])
    assert chosen.labelling.names == ("tags",)
    assert chosen.names == ("x[0]", "x[1]", "x[2]"), "of the last nothing is known"
    assert [(each.where, each.found) for each in chosen.problems] == [("x[3]", "nothing is known of it")]


@WRITERS
def test_a_labelling_says_what_they_are(tmp_path, write):
    labelling = Labelling(
        (Output("topic", classes=("sport", "art", "play")), Output("tags", "sigmoid", ("loud", "old")))
    )
    path = write(tmp_path / "a.data", x=X, topic=TOPIC, y_tags=TAGS)
    for found in (read_labelled(path, labelling=labelling), from_arrays(X, SEVERAL, labelling=labelling)):
        assert found.labelling == labelling
        assert [values.tolist() for values in found.targets] == [[1, -1, 0, 1], TAGS.tolist()]
    assert problems(read_labelled, path, labelling=EXPECTED) == [
        ("y_price", "an array of the output 'price'", problems(read_labelled, path, labelling=EXPECTED)[0][2])
    ]


@WRITERS
def test_ones_and_zeros_of_several_labels_are_one_output_and_one_of_each_row_is_not(tmp_path, write):
    y = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    found = read_labelled(write(tmp_path / "a.data", x=X, y=y, classes=np.array(["loud", "old"])))
    assert found.labelling == Labelling((Output("labels", "sigmoid", ("loud", "old")),))
    assert found.targets[0].tolist() == y.tolist()
    path = write(tmp_path / "b.data", x=X, y=np.eye(4))
    assert "y.argmax" in problems(read_labelled, path)[0][2]
    labelling = Labelling((Output("tags", "sigmoid", tuple("abcd")),))
    assert read_labelled(path, labelling=labelling).targets[0].tolist() == np.eye(4).tolist()
    assert from_arrays(X, np.eye(4), labelling=labelling).targets[0].tolist() == np.eye(4).tolist()


def test_whole_numbers_are_classes_in_their_order_and_places_where_classes_are_named():
    y = {"a": [10, 9, -1, 9], "b": np.array([1.0, np.nan, 0, 2]), "c": [True, False, True, False]}
    found = from_arrays(X, y, {"b": ["p", "q", "r", "s"]})
    assert found.labelling == Labelling(
        (Output("a", classes=("9", "10")), Output("b", classes=("p", "q", "r", "s")), Output("c", "sigmoid", ("c",)))
    )
    assert [values.tolist() for values in found.targets] == [[1, 0, -1, 0], [1, -1, 0, 2], [[1], [0], [1], [0]]]
    again = from_arrays(X, y, labelling=found.labelling)
    assert [values.tolist() for values in again.targets] == [values.tolist() for values in found.targets]


def test_a_finer_array_stands_under_a_coarser_one_before_it():
    coarse, fine = np.repeat([1, 0], 20), np.repeat([7, 12, 3, 4], 10)
    found = from_arrays(np.zeros((40, 2)), {"coarse": coarse, "fine": fine})
    assert found.labelling["fine"] == Output(
        "fine", classes=("3", "4", "7", "12"), parent="coarse", under=("0", "0", "1", "1")
    )
    assert found.targets[1].tolist() == np.repeat([2, 3, 0, 1], 10).tolist()
    named = from_arrays(np.zeros((40, 2)), {"coarse": coarse, "fine": fine - 3}, {"coarse": ["z", "a"]})
    assert named.labelling["fine"].under == ("z", "z", "a", "a")
    assert named.labelling["coarse"].classes == ("z", "a")


def test_texts_with_a_separator_are_any_of_several():
    found = from_arrays(X, {"tags": ["loud;old", "", "-", "old"]})
    assert found.labelling == Labelling((Output("tags", "sigmoid", ("loud", "old")),))
    assert found.targets[0].tolist() == [[1, 1], [0, 0], [0, 1]]
    assert found.names == ("x[0]", "x[2]", "x[3]")
    assert found.inputs.tolist() == X[[0, 2, 3]].tolist()


@given(st.lists(st.sampled_from([-1, 0, 1, 2, 3]), min_size=1), st.lists(st.sampled_from([0, 1, -1]), min_size=1))
def test_places_and_answers_are_what_a_loop_makes_of_them(places, answers):
    count = min(len(places), len(answers))
    labelling = Labelling((Output("a", classes=tuple("wxyz")), Output("b", "sigmoid", ("b",))))
    targets = ([], [])
    for place, answer in zip(places[:count], answers[:count], strict=True):
        if place != -1 or answer != -1:
            targets[0].append(place)
            targets[1].append([answer])
    y = {"a": np.array(places[:count], np.int8), "b": np.where(np.array(answers[:count]) < 0, np.nan, answers[:count])}
    if targets[0]:
        found = from_arrays(np.zeros((count, 1)), y, labelling=labelling)
        assert [values.tolist() for values in found.targets] == list(targets)


@WRITERS
def test_several_inputs_are_arrays_by_name(tmp_path, write):
    path = write(tmp_path / "a.data", x_left=X, x_right=X[:, :2, None], y=np.array([0, 1, 1, 0]))
    found = read_labelled(path)
    assert found.labelling.is_single
    assert found.inputs.names == ("left", "right")
    assert found.inputs.arrays["right"].tolist() == X[:, :2, None].tolist()
    assert read_inputs([path]).inputs.shape_of("right") == (2, 1)
    assert from_arrays({"left": X, "right": X}, [0, 1, 1, 0]).inputs.arrays["left"].tolist() == X.tolist()
    path = write(tmp_path / "b.data", x_left=X, x=X, y=np.array([0, 1, 1, 0]))
    assert problems(read_labelled, path) == [("x", "one array x, or several x_NAME", "x and x_left")]
    path = write(tmp_path / "c.data", x_left=X, x_right=X[:3], y=np.array([0, 1, 1, 0]))
    assert problems(read_labelled, path) == [("x_right", "4 rows, one for each row of x_left", "3")]
    assert problems(from_arrays, {"a": X, "b": X[:3]}, [0, 1, 1, 0])[0][0] == "x_b"


@WRITERS
def test_inputs_alone_are_read_whatever_stands_beside_them(tmp_path, write):
    path = write(tmp_path / "a.data", x=X, y=np.zeros((2, 2, 2)))
    assert read_inputs([path]).inputs.tolist() == X.tolist()
    path = write(tmp_path / "b.data", images=X)
    assert problems(read_inputs, [path]) == [("x", "an array 'x'", "the arrays 'images'")]


def test_arrays_of_other_names_are_told_what_several_inputs_and_outputs_are_called(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, signal=X, activity=[0, 1, 0, 1], speed=[0.5, 1, 2, 3])
    with pytest.raises(DataError) as caught:
        read_labelled(path)
    assert [each.expected for each in caught.value.problems] == ["an array 'x'", "an array 'y'"]
    assert "x_NAME" in caught.value.next_step
    assert "y_NAME" in caught.value.next_step


@WRITERS
def test_groups_are_an_array_and_follow_rows_that_are_left_out(tmp_path, write):
    path = write(tmp_path / "a.data", x=X, y_t=np.array(["a", "", "b", "a"]), who=np.array(["p", "q", "r", "p"]))
    found = read_labelled(path, group_by="who")
    assert found.groups.tolist() == [0, 2, 0]
    assert problems(read_labelled, path, group_by="whom")[0][0] == "whom"
    assert from_arrays(X, [0, 1, 1, 0], groups=[5, 5, 9, 5]).groups.tolist() == [0, 0, 1, 0]
    assert problems(from_arrays, X, [0, 1, 1, 0], groups=[1])[0][0] == "groups"


def test_everything_that_is_wrong_is_told_at_once():
    labelling = Labelling(
        (
            Output("a", classes=("p", "q")),
            Output("b", "sigmoid", ("u", "v")),
            Output("c", "regression"),
            Output("d", classes=("s", "t")),
        )
    )
    y = {
        "a": [0, 2, -1, -2],
        "b": [[0, 1], [2, 0], [0.5, 1], [1, 1]],
        "c": [1, np.inf, np.nan, 2],
        "d": ["s", "r", "", "t"],
    }
    assert problems(from_arrays, X, y, labelling=labelling) == [
        ("y_a", "0 to 1, places in its classes, or -1", "something else in 2 of 4 rows, first in row 1"),
        (
            "y_b",
            "1 and 0, or -1 or NaN where it is not known",
            "something else in 2 of 4 rows, first in row 1",
        ),
        ("y_c", "finite numbers, or NaN", "something else in 1 of 4 rows, first in row 1"),
        ("y_d[1]", "a class of 'd'", "'r'; there are 's', 't'"),
    ]
    y = {"a": [[0, 1]] * 4, "b": [0, 1, 1, 0], "c": ["x"] * 4, "d": [0, 1]}
    assert [where for where, _, _ in problems(from_arrays, X, y, labelling=labelling)] == ["y_d"]
    y["d"] = [0, 1, 1, 0]
    assert [where for where, _, _ in problems(from_arrays, X, y, labelling=labelling)] == ["y_a", "y_b", "y_c"]


def test_a_label_under_another_parent_is_told_by_its_row():
    labelling = Labelling(
        (Output("a", classes=("p", "q")), Output("b", classes=("s", "t"), parent="a", under=("p", "q")))
    )
    assert problems(from_arrays, X, {"a": [0, 1, -1, 0], "b": [0, 0, 1, -1]}, labelling=labelling) == [
        ("row 1", "", "b stands under 'p', and a is 'q'")
    ]
    found = from_arrays(X, {"a": [0, 1, -1, 0], "b": [0, 1, 1, -1]}, labelling=labelling)
    assert found.targets[0].tolist() == [0, 1, 1, 0]


def test_hdf5_is_read_as_the_same_arrays_are_from_npz(tmp_path):
    arrays = {"x": X, "y": np.array(["ä", "b", "ä", "c"])}
    ours, theirs = read_hdf5(write_hdf5(tmp_path / "a.h5", **arrays)), read_npz(write_npz(tmp_path / "a.npz", **arrays))
    assert (ours.classes, ours.labels.tolist()) == (theirs.classes, theirs.labels.tolist())
    assert ours.digests() == theirs.digests()
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("x", data=X, compression="gzip", shuffle=True, fletcher32=True, chunks=(2, 3))
        file["y"] = np.array(["ä".encode(), b"b", "ä".encode(), b"c"], h5py.string_dtype(length=3))
    assert read_hdf5(tmp_path / "b.h5").digests() == theirs.digests()
    assert read_hdf5(tmp_path / "b.h5").classes == theirs.classes


def hdf5_fault(path) -> dict[str, str]:
    return {where: found for where, _, found in problems(read_hdf5, path)}


def test_what_lies_elsewhere_or_is_no_array_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = X
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = h5py.ExternalLink("other.h5", "x")
        file["y"] = h5py.SoftLink("/x")
    assert hdf5_fault(tmp_path / "a.h5") == dict.fromkeys("xy", "a link, not a dataset of this file")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_group("x")
        file.create_dataset("y", (4,), "i4", external=[(str(tmp_path / "raw"), 0, 16)])
    assert hdf5_fault(tmp_path / "b.h5") == {"x": "a group, not a dataset", "y": "values that lie in another file"}
    with h5py.File(tmp_path / "c.h5", "w") as file:
        layout = h5py.VirtualLayout((4, 3), "f4")
        layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "x", (4, 3))
        file.create_virtual_dataset("x", layout)
        file["y"] = np.zeros(4, np.dtype([("a", "i4")]))
    assert hdf5_fault(tmp_path / "c.h5") == {
        "x": "values that lie in another file",
        "y": "type [('a', '<i4')], neither numbers nor texts",
    }


def test_datasets_that_claim_more_than_they_hold_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (2**20, 2**20), "f4", chunks=(1, 2**10))
        file.create_dataset("y", (0,), "i4")
    assert hdf5_fault(tmp_path / "a.h5") == {
        "x": f"0 bytes that claim to become {2**42}",
        "y": "an empty array: shape (0,), type int32",
    }
    with h5py.File(tmp_path / "b.h5", "w") as file:
        x = file.create_dataset("x", (2**21, 2**10), "u1", chunks=(2**12, 2**10), compression="gzip")
        x[: 2**12] = 0
        file["y"] = np.zeros(2**21, np.int8)
    assert hdf5_fault(tmp_path / "b.h5")["x"].endswith(f"claim to become {2**31}")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["x"] = np.zeros((4, 1))
        y = file.create_dataset("y", (4,), h5py.string_dtype())
        y[:] = ["a" * 2**22] * 4
    assert read_array_inputs(tmp_path / "c.h5", transfer.data.hdf5_files.read_hdf5_arrays).shape == (4, 1)


def test_texts_far_longer_than_labels_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.zeros((1000, 1))
        y = file.create_dataset("y", (1000,), h5py.string_dtype())
        y[0] = "a" * 2**21
    assert "are no labels" in next(iter(hdf5_fault(tmp_path / "a.h5").values()))


@pytest.mark.parametrize("share", np.linspace(0.02, 0.98, 12))
def test_a_damaged_hdf5_file_is_refused_or_read_as_it_was(tmp_path, share):
    path = write_hdf5(tmp_path / "a.h5", x=X, y=np.array([0, 1, 1, 0]))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError):
        read_labelled(path)
    (tmp_path / "b.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(DataError):
        read_labelled(tmp_path / "b.h5")


@WRITERS
def test_classes_in_a_file_say_what_places_and_columns_are_whatever_the_order_of_the_labelling(tmp_path, write):
    labelling = Labelling((Output("a", classes=("s", "r", "q", "p")), Output("b", "sigmoid", ("w", "v", "u"))))
    path = write(
        tmp_path / "a.data",
        x=X,
        y_a=np.array([0, 1, -1, 2]),
        classes_a=np.array(["p", "q", "r"]),
        y_b=np.array([[1, 0], [0, 0], [1, 1], [0, -1]]),
        classes_b=np.array(["u", "w"]),
    )
    found = read_labelled(path, labelling=labelling)
    assert found.targets[0].tolist() == [3, 2, -1, 1]
    assert found.targets[1].tolist() == [[0, -1, 1], [0, -1, 0], [1, -1, 1], [-1, -1, 0]]
    fewer = Labelling((Output("a", classes=("p", "q")), Output("b", "sigmoid", ("u", "v"))))
    assert [each[::2] for each in problems(read_labelled, path, labelling=fewer)] == [
        ("y_a[3]", "'r'; there are 'p', 'q'"),
        ("classes of y_b", "'w'; there are 'u', 'v'"),
    ]


def test_names_of_classes_that_are_no_such_names_are_told():
    y = {"a": [0, 1, 0, 1], "b": TAGS, "c": [0, 1, 0, 1]}
    classes = {"a": ["p", "p"], "b": ["x", "y", "z"], "c": ["", "q"]}
    assert problems(from_arrays, X, y, classes) == [
        ("classes of y_a", "each name once", "2 names, 1 distinct"),
        ("classes of y_b", "2 names, one for each column", "3"),
        ("classes of y_c", "each name once", "2 names, 1 distinct"),
    ]
    assert problems(from_arrays, X, {"a b": TOPIC, "a_b": TOPIC})[0][2] == "two arrays of 'a_b'"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int16, np.float32, np.bool_])
def test_every_type_of_number_is_read(dtype):
    labelling = Labelling((Output("a", classes=("p", "q")), Output("b", "sigmoid", ("u",)), Output("c", "regression")))
    y = np.array([0, 1, 1, 0], dtype)
    found = from_arrays(X, {"a": y[:, None], "b": y, "c": y}, labelling=labelling)
    assert [values.reshape(-1).tolist() for values in found.targets] == [[0, 1, 1, 0]] * 3


@pytest.mark.parametrize(
    ("script", "seconds", "word"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 30, "damaged or hostile"),
        ("import time; time.sleep(60)", 0.2, "damaged or hostile"),
        ('input(); print(\'{"fault": "so"}\')', 30, "so"),
    ],
)
def test_a_reader_that_crashes_or_hangs_is_an_error(tmp_path, monkeypatch, script, seconds, word):
    path = write_hdf5(tmp_path / "a.h5", x=X, y=np.array([0, 1, 1, 0]))
    (tmp_path / "child.py").write_text(script)
    monkeypatch.setattr(hdf5_files, "_SCRIPT", tmp_path / "child.py")
    monkeypatch.setattr(hdf5_files, "_SECONDS", seconds)
    assert word in hdf5_fault(path)[str(path)]


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bytes_are_an_error_or_change_values_alone(tmp_path, seed):
    path = write_hdf5(tmp_path / "a.h5", x=X, y=np.array([0, 1, 1, 0]))
    content = bytearray(path.read_bytes())
    for place in np.random.default_rng(seed).integers(8, len(content), 6):
        content[place] ^= 0xFF
    path.write_bytes(content)
    try:
        assert read_labelled(path).inputs.shape[0] == 4
    except DataError as error:
        assert len(str(error)) < 2048  # noqa: PT017  # either end is right
