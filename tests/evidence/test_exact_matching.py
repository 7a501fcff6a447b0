"""Exact matches over several outputs, example by example."""

import numpy as np

from transfer.evidence.exact_matching import exact_matches, score_exact_match
from transfer.evidence.intervals import wilson
from transfer.labellings import Labelling, Output

LABELLING = Labelling(
    (
        Output("what", classes=("person", "thing")),
        Output("tags", "sigmoid", ("glasses", "hat"), parent="what", under=("person", "person")),
        Output("age", "regression", parent="what", under=("person",)),
    )
)
TARGETS = (
    np.array([0, 0, 0, 1, -1, 0, 1]),
    np.array([[1, 0], [1, -1], [1, 1], [-1, -1], [-1, -1], [0, 0], [-1, -1]]),
    np.array([[30.0], [np.nan], [5.0], [np.nan], [np.nan], [8.0], [np.nan]]),
)
ANSWERS = (
    np.array([0, 0, 0, 1, 0, 1, 0]),
    np.array([[1, 0], [1, 1], [1, 0], [-1, -1], [1, 1], [-1, -1], [0, 0]]),
    np.array([[99.0], [1.0], [5.0], [np.nan], [1.0], [np.nan], [1.0]]),
)


def test_everything_known_is_answered_rightly_or_it_is_no_match():
    right, asked = exact_matches(LABELLING, TARGETS, ANSWERS)
    assert right.tolist() == [True, True, False, True, False, False, False]
    assert asked.tolist() == [True, True, True, True, False, True, True]


def test_the_share_is_of_the_examples_of_which_anything_is_known():
    measure, expected = score_exact_match(LABELLING, TARGETS, ANSWERS), wilson(3, 6)
    assert (measure.value, measure.low, measure.high, measure.examples) == (0.5, expected.low, expected.high, 6)


def test_of_numbers_alone_there_is_no_share():
    ages = Labelling((Output("age", "regression"),))
    assert score_exact_match(ages, (np.ones((3, 1)),), (np.ones((3, 1)),)) is None


def test_examples_that_are_alike_tell_less():
    targets, answers = ([np.repeat(each, 9, axis=0) for each in values] for values in (TARGETS, ANSWERS))
    alone = score_exact_match(LABELLING, targets, answers)
    found = score_exact_match(LABELLING, targets, answers, np.repeat(np.arange(7), 9))
    assert found.value == alone.value
    assert found.high - found.low > 2 * (alone.high - alone.low)
