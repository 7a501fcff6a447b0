"""Several inputs of each example are one value: taken, joined and told apart together."""

import numpy as np
import pytest

from transfer.data.forms import as_examples, as_labelled
from transfer.data.inputs import Inputs, one_array
from transfer.data.joining import join_sets
from transfer.data.labelled import LabelledSet
from transfer.data.named_arrays import NamedArrays, digest_rows
from transfer.errors import DataError

LEFT = np.arange(12).reshape(4, 3)
RIGHT = np.arange(8.0, dtype=np.float32).reshape(4, 2, 1)


def pairs() -> NamedArrays:
    return NamedArrays({"left": LEFT, "right": RIGHT})


def labelled(inputs, groups=None) -> LabelledSet:
    names = tuple(f"x[{place}]" for place in range(len(inputs)))
    labels = np.arange(len(inputs), dtype=np.int64) % 2
    found = LabelledSet.of_labels("pairs", names, labels, ("a", "b"), inputs)
    return (
        found
        if groups is None
        else LabelledSet(**{**{name: getattr(found, name) for name in found.__slots__}, "groups": np.array(groups)})
    )


def test_rows_of_all_arrays_are_taken_together():
    found = pairs()[np.array([2, 0])]
    assert (len(found), found.names, found.shape_of("right")) == (2, ("left", "right"), (2, 1))
    assert found.arrays["left"].tolist() == LEFT[[2, 0]].tolist()
    assert found.arrays["right"].tolist() == RIGHT[[2, 0]].tolist()
    assert str(found) == "left (3,) int64, right (2, 1) float32"
    assert [row["left"].tolist() for row in found] == LEFT[[2, 0]].tolist()


@pytest.mark.parametrize("arrays", [{}, {"a": np.zeros((2, 1)), "b": np.zeros((3, 1))}, {"a": np.zeros(())}])
def test_arrays_of_other_lengths_are_refused(arrays):
    with pytest.raises(ValueError, match="as many rows"):
        NamedArrays(arrays)


def test_a_set_of_several_inputs_is_one_of_arrays():
    found = labelled(pairs()).subset([3, 1])
    assert found.kind == "arrays"
    assert found.inputs.arrays["left"].tolist() == LEFT[[3, 1]].tolist()
    assert (
        repr(found)
        == "<LabelledSet pairs: 2 examples of left (3,) int64, right (2, 1) float32, 2 classes: a (0), b (2)>"
    )
    assert Inputs.of_array(pairs()).subset([1]).inputs.arrays["right"].tolist() == RIGHT[[1]].tolist()


def test_digests_are_of_all_inputs_with_their_names():
    expected = digest_rows(pairs())
    assert len(set(expected)) == 4
    assert digest_rows(NamedArrays({"right": RIGHT, "left": LEFT})) == expected, "whatever their order"
    assert digest_rows(pairs()[np.array([1, 1])]) == (expected[1],) * 2
    changed = RIGHT.copy()
    changed[2] += 1
    assert [
        a == b for a, b in zip(digest_rows(NamedArrays({"left": LEFT, "right": changed})), expected, strict=True)
    ] == [
        True,
        True,
        False,
        True,
    ]
    assert not set(expected) & set(digest_rows(NamedArrays({"left": LEFT, "other": RIGHT})))
    assert not set(expected) & set(digest_rows(NamedArrays({"left": LEFT})))


def test_one_input_is_an_array_whatever_it_is_called():
    assert one_array(labelled(LEFT)) is LEFT
    assert one_array(labelled(NamedArrays({"left": LEFT}))) is LEFT
    with pytest.raises(DataError) as caught:
        one_array(labelled(pairs()))
    assert caught.value.problems[0].found == "the inputs left, right"


def test_two_sets_are_joined_name_by_name():
    other = NamedArrays({"right": RIGHT[:2], "left": LEFT[:2]})
    found = join_sets(labelled(pairs()), labelled(other))
    assert found.inputs.arrays["left"].tolist() == [*LEFT.tolist(), *LEFT[:2].tolist()]
    assert found.names[4:] == ("test/x[0]", "test/x[1]")
    with pytest.raises(DataError) as caught:
        join_sets(labelled(pairs()), labelled(NamedArrays({"left": LEFT[:2], "up": RIGHT[:2]})))
    assert [(each.where, each.expected, each.found) for each in caught.value.problems] == [
        ("right", "(2, 1) float32", "none"),
        ("up", "none", "(2, 1) float32"),
    ]
    with pytest.raises(DataError, match="other arrays"):
        join_sets(labelled(LEFT), labelled(RIGHT))


def test_groups_of_two_sets_stay_apart():
    first = labelled(LEFT, [5, 5, 0, 1])
    assert join_sets(first, labelled(LEFT[:2], [0, 7])).groups.tolist() == [5, 5, 0, 1, 6, 7]
    assert join_sets(first, labelled(LEFT[:2])).groups.tolist() == [5, 5, 0, 1, 6, 7]
    assert join_sets(labelled(LEFT), first).groups is None


def test_examples_of_several_inputs_are_given_by_name():
    for given in ({"left": LEFT, "right": RIGHT}, {"left": LEFT.tolist(), "right": RIGHT}, pairs()):
        found = as_examples(given)
        assert found.names == ("x[0]", "x[1]", "x[2]", "x[3]")
        assert found.inputs.arrays["left"].tolist() == LEFT.tolist()
    for wrong, where in (({"a": LEFT, "b": RIGHT[:2]}, ["a", "b"]), ({"a": [["x"]]}, ["a"]), ({}, [])):
        with pytest.raises(DataError) as caught:
            as_examples(wrong)
        assert [each.where for each in caught.value.problems] == where
    assert as_labelled(({"left": LEFT, "right": RIGHT}, [0, 1, 1, 0])).inputs.names == ("left", "right")
