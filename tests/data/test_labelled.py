"""A labelled set keeps names, labels and inputs together."""

import hashlib

import numpy as np
import pytest

from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem
from transfer.labellings import Labelling, Output


def of_arrays(x=None) -> LabelledSet:
    x = np.arange(12, dtype=np.float32).reshape(4, 3) if x is None else x
    labels = np.array([0, 1, 1, 0], np.int64)
    return LabelledSet.of_labels(
        "here", ("x[0]", "x[1]", "x[2]", "x[3]"), labels, ("cat", "dog"), x, (Problem("a.txt"),)
    )


def of_pictures(tmp_path) -> LabelledSet:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    return LabelledSet.of_labels(
        str(tmp_path), ("a", "b"), np.array([0, 1], np.int64), ("cat", "dog"), (tmp_path / "a", tmp_path / "b")
    )


def test_kind_and_length(tmp_path):
    assert (of_arrays().kind, len(of_arrays())) == ("arrays", 4)
    assert (of_pictures(tmp_path).kind, len(of_pictures(tmp_path))) == ("images", 2)


def test_subset_takes_names_labels_and_rows_in_the_order_given():
    part = of_arrays().subset([3, 1])
    assert part.names == ("x[3]", "x[1]")
    assert part.labels.tolist() == [0, 1]
    np.testing.assert_array_equal(part.inputs, [[9, 10, 11], [3, 4, 5]])
    assert part.classes == ("cat", "dog")
    assert part.problems == (Problem("a.txt"),)


def test_subset_takes_files(tmp_path):
    part = of_pictures(tmp_path).subset(np.array([1]))
    assert (part.names, part.inputs, part.labels.tolist()) == (("b",), (tmp_path / "b",), [1])


def test_empty_subset_is_empty():
    part = of_arrays().subset([])
    assert len(part) == 0
    assert part.inputs.shape == (0, 3)


@pytest.mark.parametrize("indices", [np.array([True, False, True, False]), [0.5]])
def test_subset_refuses_what_is_no_list_of_indices(indices):
    with pytest.raises(ValueError, match="whole numbers"):
        of_arrays().subset(indices)


def test_digest_of_a_file_is_the_sha256_of_its_bytes(tmp_path):
    assert of_pictures(tmp_path).digests() == tuple(hashlib.sha256(name).hexdigest()[:32] for name in (b"a", b"b"))


def test_digest_of_a_row_depends_on_its_values_type_and_shape_alone():
    x = np.arange(16, dtype=np.float32).reshape(4, 4)
    digests = of_arrays(x).digests()
    assert len(set(digests)) == 4
    assert all(len(digest) == 32 for digest in digests)
    assert of_arrays(np.asfortranarray(x)).digests() == digests
    assert of_arrays(x).subset([2]).digests() == digests[2:3]
    assert set(of_arrays(x.reshape(4, 2, 2)).digests()).isdisjoint(digests)
    assert set(of_arrays(x.view(np.int32)).digests()).isdisjoint(digests)


def test_digests_name_all_files_that_have_gone(tmp_path):
    examples = of_pictures(tmp_path)
    (tmp_path / "a").unlink()
    (tmp_path / "b").unlink()
    with pytest.raises(DataError) as caught:
        examples.digests()
    assert [problem.where for problem in caught.value.problems] == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ("x[0]",)}, r"1 names, \[2\] labels of each output and 2 inputs"),
        ({"labels": np.array([0, 2], np.int64)}, "outside -1 to 1"),
        ({"labels": np.array([0, -1], np.int64)}, "outside 0 to 1"),
        ({"labels": np.array([0, 1], np.int32)}, "int64"),
        ({"classes": ("cat", "cat")}, "named twice"),
    ],
)
def test_construction_refuses_what_does_not_fit_together(changes, message):
    right = {
        "source": "here",
        "names": ("x[0]", "x[1]"),
        "labels": np.array([0, 1], np.int64),
        "classes": ("cat", "dog"),
        "inputs": np.zeros((2, 3)),
    }
    with pytest.raises(ValueError, match=message):
        LabelledSet.of_labels(**(right | changes))


def test_in_print_it_is_a_line_with_its_source_and_the_examples_of_each_class(tmp_path):
    line = "<LabelledSet here: 4 arrays (3,) float32, 2 classes: cat (2), dog (2); 1 left out>"
    assert str(of_arrays()) == repr(of_arrays()) == line
    assert repr(of_pictures(tmp_path)) == f"<LabelledSet {tmp_path}: 2 pictures, 2 classes: cat (1), dog (1)>"


def test_in_print_one_output_is_one_output():
    labelling = Labelling((Output("tags", "sigmoid", ("a", "b")),))
    found = LabelledSet("here", ("x[0]",), labelling, (np.array([[1, 0]], np.int64),), np.zeros((1, 2)))
    assert repr(found) == "<LabelledSet here: 1 arrays (2,) float64, 1 output: tags (sigmoid of 2, 1 known)>"


def test_in_print_many_classes_are_counted_and_one_without_examples_has_none():
    names = tuple(f"kind {place}" for place in range(11))
    found = LabelledSet.of_labels("here", ("x[0]",), np.array([1], np.int64), names, np.zeros((1, 2)))
    assert repr(found).endswith(
        "11 classes: " + ", ".join(f"kind {k} ({int(k == 1)})" for k in range(8)) + ", and 3 more>"
    )


def test_a_label_beside_another_one_may_not_stand_under_another_class():
    parts = Output("parts", "sigmoid", ("crust", "core"), parent="food", under=("dessert", "fruit"))
    labelling = Labelling((Output("food", classes=("dessert", "fruit")), parts))
    for food, said in ((1, [1, 0]), (0, [1, 1]), (1, [0, -1]), (-1, [1, -1])):
        targets = (np.array([food]), np.array([said]))
        with pytest.raises(ValueError, match="stands under"):
            LabelledSet("x", ("a",), labelling, targets, np.zeros((1, 2)))
    assert len(LabelledSet("x", ("a",), labelling, (np.array([1]), np.array([[-1, 0]])), np.zeros((1, 2)))) == 1
