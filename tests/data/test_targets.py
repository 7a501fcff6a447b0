"""Labels as arrays: what is known, what stands under what, and what they say in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.data.targets import (
    check_targets,
    faults_of_parents,
    implied_parents,
    known,
    known_rows,
    shown_label,
    unknown_like,
    with_parents,
)
from transfer.labellings import Labelling, Output

FOOD = Output("food", classes=("fruit", "cake", "tea"))
KIND = Output("kind", classes=("apple", "pear", "pie"), parent="food", under=("fruit", "fruit", "cake"))
PARTS = Output("parts", "sigmoid", ("core", "skin", "crust"), parent="food", under=("fruit", "fruit", "cake"))
GRAMS = Output("grams", "regression", parent="food", under=("tea",))
ALL = Labelling((FOOD, KIND, PARTS, GRAMS))


def targets(food, kind, parts, grams):
    return (np.array(food), np.array(kind), np.array(parts), np.array(grams, float)[:, None])


def test_what_is_known_is_neither_minus_one_nor_nan():
    assert known(np.array([0, -1, 2])).tolist() == [True, False, True]
    assert known(np.array([[1.5, np.nan]])).tolist() == [[True, False]]
    assert known_rows(np.array([[-1, -1], [0, -1]])).tolist() == [False, True]
    for output in ALL:
        unknown = unknown_like(output, 3)
        check_targets(output, unknown)
        assert not known_rows(unknown).any()


def test_parents_follow_from_what_stands_under_them():
    given = targets(
        [-1, -1, -1, 0], [2, -1, -1, -1], [[-1] * 3, [-1, 0, -1], [-1] * 3, [-1] * 3], [np.nan, np.nan, 3, np.nan]
    )
    assert implied_parents(ALL, KIND, given[1]).tolist() == [1, -1, -1, -1]
    assert implied_parents(ALL, PARTS, given[2]).tolist() == [-1, 0, -1, -1]
    assert implied_parents(ALL, GRAMS, given[3]).tolist() == [-1, -1, 2, -1]
    filled = with_parents(ALL, given)
    assert filled[0].tolist() == [1, 0, 2, 0]
    assert given[0].tolist() == [-1, -1, -1, 0], "what was given stays"
    assert faults_of_parents(ALL, filled) == []


def test_parents_of_parents_follow_too():
    taste = Output("taste", classes=("sweet", "sour"), parent="kind", under=("apple", "pear"))
    labelling = Labelling((FOOD, KIND, taste))
    filled = with_parents(labelling, (np.array([-1, -1]), np.array([-1, -1]), np.array([1, -1])))
    assert [values.tolist() for values in filled] == [[0, -1], [1, -1], [1, -1]]


@given(
    st.lists(
        st.tuples(
            st.integers(-1, 2), st.integers(-1, 2), st.tuples(*[st.integers(-1, 1)] * 3), st.sampled_from([np.nan, 2])
        ),
        min_size=1,
    )
)
def test_faults_are_those_that_a_loop_finds(rows):
    given = targets(*zip(*rows, strict=True))
    expected = set()
    for place, (food, kind, parts, grams) in enumerate(rows):
        implied = [("fruit", "fruit", "cake")[kind]] if kind >= 0 else []
        implied += [name for name, said in zip(PARTS.under, parts, strict=True) if said >= 0]
        implied += ["tea"] if grams == 2 else []
        if any(food < 0 or FOOD.classes[food] != name for name in implied):
            expected.add(place)
    assert {place for place, _ in faults_of_parents(ALL, given)} == expected


@pytest.mark.parametrize(
    ("output", "value", "said"),
    [
        (FOOD, np.int64(1), "cake"),
        (FOOD, np.int64(-1), "not known"),
        (PARTS, np.array([1, 0, 1]), "core, crust"),
        (PARTS, np.array([0, -1, -1]), "none"),
        (PARTS, np.array([-1, -1, -1]), "not known"),
        (GRAMS, np.array([2.5]), "2.5"),
        (GRAMS, np.array([np.nan]), "not known"),
    ],
)
def test_labels_in_words(output, value, said):
    assert shown_label(output, value) == said


@pytest.mark.parametrize(
    ("output", "values"),
    [
        (FOOD, np.array([3])),
        (FOOD, np.array([-2])),
        (FOOD, np.array([[0]])),
        (FOOD, np.array([0.0])),
        (PARTS, np.array([[0, 1]])),
        (PARTS, np.array([[0, 1, 2]])),
        (GRAMS, np.array([[np.inf]])),
        (GRAMS, np.array([1.0])),
    ],
)
def test_arrays_that_are_no_labels_are_refused(output, values):
    with pytest.raises(ValueError, match=output.name):
        check_targets(output, values)
