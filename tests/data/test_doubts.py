"""Doubts about a labelled set, on sets made by hand."""

import json

import numpy as np
import pytest

from transfer.data.doubts import (
    Conflict,
    Doubts,
    find_doubts,
    refuse_unreadable,
)
from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem
from transfer.labellings import Labelling, Output

CLASSES = ("cat", "dog", "owl")


def of_classes(digests, labels, names, classes, **how):
    """The doubts about examples of one class each."""
    return find_doubts(digests, Labelling.of_classes(tuple(classes)), [np.asarray(labels, np.int64)], names, **how)


def test_the_same_bytes_under_two_classes_are_told_with_both_names():
    found = of_classes(["a", "b", "a", "c", "b"], np.array([0, 1, 1, 2, 1]), list("vwxyz"), CLASSES)
    assert found.conflicts == (Conflict(("v", "x"), ("cat", "dog")),)
    assert found.repeated == 1  # z repeats w; x is no repetition, it contradicts
    warning = found.warnings[0]
    assert "v (cat) = x (dog)" in warning


def test_copies_of_one_class_are_counted_and_no_warning():
    labels = np.repeat(np.arange(2), 6)
    found = of_classes(["a"] * 6 + ["b"] * 5 + ["c"], labels, [str(k) for k in range(12)], CLASSES[:2])
    assert (found.conflicts, found.repeated, found.warnings) == ((), 5 + 4, ())
    assert "9 examples with the bytes of another of the same class" in str(found)


def test_three_copies_of_which_one_contradicts_are_one_conflict_and_one_repetition():
    found = of_classes(["a", "a", "a"], np.array([0, 0, 1]), ["u", "v", "w"], CLASSES[:2])
    assert found.conflicts == (Conflict(("u", "v", "w"), ("cat", "cat", "dog")),)
    assert found.repeated == 1


def test_test_examples_that_are_learnt_from_are_named():
    found = of_classes(
        ["a", "b", "a", "c"], np.array([0, 1, 0, 1]), list("wxyz"), CLASSES[:2], train=[0, 1], test=[2, 3]
    )
    assert found.leaked == ("y",)


@pytest.mark.parametrize(("each", "told"), [(4, True), (5, False)])
def test_classes_of_few_examples_to_learn_from_are_named(each, told):
    labels = np.repeat(np.arange(2), [each + 3, 20])
    train = np.arange(3, each + 23)  # three of the first class are tested on
    found = of_classes([str(k) for k in range(each + 23)], labels, [""] * (each + 23), CLASSES[:2], train=train)
    assert found.counts == (("cat", each), ("dog", 20))
    assert any("cat (4)" in warning for warning in found.warnings) == told


def test_a_class_without_examples_is_small_and_divides_nothing_by_zero():
    found = of_classes(["a"] * 2, np.array([0, 0]), ["x", "y"], CLASSES)
    assert found.small == (("cat", 2), ("dog", 0), ("owl", 0))
    assert found.ratio == 2


@pytest.mark.parametrize(("most", "told"), [(60, False), (61, True)])
def test_classes_of_very_different_size_are_told(most, told):
    labels = np.repeat(np.arange(2), [most, 6])
    warnings = of_classes([str(k) for k in range(most + 6)], labels, [""] * (most + 6), CLASSES[:2]).warnings
    assert any(f"{most} examples of 'cat' and 6 of 'dog'" in each for each in warnings) == told


def test_rows_of_arrays_are_the_same_by_type_shape_and_bytes():
    rows = np.array([[1, 2], [3, 4], [1, 2]], np.float32)
    data = LabelledSet.of_labels("arrays", ("x[0]", "x[1]", "x[2]"), np.array([0, 1, 1]), ("no", "yes"), rows)
    found = of_classes(data.digests(), data.labels, data.names, data.classes)
    assert found.conflicts == (Conflict(("x[0]", "x[2]"), ("no", "yes")),)


def test_everything_is_listed_in_print_and_in_json():
    unreadable = tuple(Problem(f"cat/{k}.png", found="damaged") for k in range(20))
    conflicts = tuple(Conflict((f"cat/{k}", f"dog/{k}"), ("cat", "dog")) for k in range(30))
    found = Doubts(
        conflicts=conflicts,
        repeated=1,
        leaked=("t",),
        counts=(("cat", 9), ("dog", 9)),
        unreadable=unreadable,
        left_out=(Problem("notes.txt", found="not a picture by its name"),),
        blank=("white.png",),
        seen=50,
        examples=70,
    )
    lines = str(found).splitlines()
    assert lines[0] == "50 of 70 examples were tried, drawn at random; 20 cannot be read"
    assert all(f"  {each.where}: damaged" in lines for each in unreadable)
    assert all(f"  {each}" in lines for each in conflicts)
    assert lines[21:23] == ["1 left out:", "  notes.txt: not a picture by its name"]
    assert lines[-3:] == [
        "1 example with the bytes of another of the same class",
        "1 example to test on with bytes that are learnt from, left out of the test",
        "1 example of one value throughout: white.png",
    ]
    values = json.loads(json.dumps(found.to_json()))
    assert len(values["unreadable"]) == 20
    assert len(values["same_bytes_other_class"]) == 30
    assert values["examples_to_learn_from"] == {"cat": 9, "dog": 9}


def test_a_set_without_doubts_says_so_in_a_line():
    assert (
        str(Doubts(counts=(("cat", 9), ("dog", 9)), seen=18, examples=18))
        == "all 18 examples were tried; each can be read"
    )


def test_unreadable_examples_are_refused_with_all_of_them():
    bad = tuple(Problem(f"cat/{k}.png", found="damaged") for k in range(20))
    with pytest.raises(DataError) as refused:
        refuse_unreadable(bad, 40, "photos")
    assert refused.value.problems == bad
    assert refused.value.summary == "20 of 40 examples of photos cannot be read."
    refuse_unreadable((), 40, "photos")


SEVERAL = Labelling(
    (Output("food", classes=("fruit", "cake")), Output("tags", "sigmoid", ("x", "y")), Output("price", "regression"))
)


def several(food, tags, price) -> list:
    return [np.array(food), np.array(tags), np.array(price, float)[:, None]]


def test_the_same_bytes_with_other_labels_are_told_output_by_output():
    targets = several([0, 1, -1, 0, 0], [[1, 0], [1, 0], [1, 1], [0, 0], [-1, 0]], [1, 1, np.nan, 2, 2.5])
    found = find_doubts(["a", "a", "a", "b", "b"], SEVERAL, targets, list("vwxyz"))
    assert found.conflicts == (
        Conflict(("v", "w"), ("fruit", "cake"), "food"),
        Conflict(("v", "w", "x"), ("x", "x", "x, y"), "tags"),
        Conflict(("y", "z"), ("2", "2.5"), "price"),
    )
    assert str(found.conflicts[1]) == "tags: v (x) = w (x) = x (x, y)"
    assert found.repeated == 0
    assert json.loads(json.dumps(found.to_json()))["same_bytes_other_class"][0] == {
        "output": "food",
        "names": ["v", "w"],
        "classes": ["fruit", "cake"],
    }


def test_what_is_not_known_contradicts_nothing_and_repeats_only_itself():
    targets = several([0, -1, 0], [[1, -1], [1, 0], [1, -1]], [np.nan, 3, np.nan])
    found = find_doubts(["a", "a", "a"], SEVERAL, targets, list("uvw"))
    assert (found.conflicts, found.repeated) == ((), 1)


def test_classes_and_tags_of_few_examples_are_named_with_their_output():
    tags = np.zeros((70, 2), int)
    tags[:66, 0] = 1
    tags[:6, 1] = 1
    food = np.repeat([0, 1, -1], [60, 4, 6])
    digests = [str(place) for place in range(70)]
    found = find_doubts(digests, SEVERAL, several(food, tags, [0] * 70), digests)
    assert found.outputs == (("food", (("fruit", 60), ("cake", 4))), ("tags", (("x", 66), ("y", 6))))
    assert (found.counts, found.small, found.ratio) == ((), (("food cake", 4),), 15)
    assert any("60 examples of 'fruit' and 4 of 'cake'" in each for each in found.warnings)
    assert found.to_json()["examples_to_learn_from"] == {"food": {"fruit": 60, "cake": 4}, "tags": {"x": 66, "y": 6}}


def test_a_class_that_looks_misspelled_is_a_warning_with_its_examples_to_learn_from():
    labels = np.repeat([0, 1, 2], [40, 40, 3])
    digests = [str(place) for place in range(83)]
    train = [*range(0, 80, 2), 80, 82]
    found = of_classes(digests, labels, digests, ("animals", "plants", "anmials"), train=train)
    assert [str(each) for each in found.misspelled] == ["'anmials' (2 examples: 80, 82) looks like 'animals' (20)"]
    assert found.warnings[0].startswith("'anmials' (2 examples: 80, 82) looks like 'animals' (20); is it misspelled?")
    assert "looks like 'animals' (20)" in str(found)
    assert json.loads(json.dumps(found.to_json()))["look_misspelled"][0]["near"] == "animals"
    assert of_classes(digests, labels, digests, ("animals", "plants", "stones"), train=train).misspelled == ()
