"""Groups as units: numbered without gaps, their examples counted."""

import numpy as np

from transfer.data.grouping import number_groups, sum_units


def test_groups_are_numbered_without_gaps_in_their_order():
    assert number_groups(np.array([70, 3, 70, -1]), 4).tolist() == [2, 1, 2, 0]


def test_without_groups_each_example_is_its_own():
    assert number_groups(None, 3).tolist() == [0, 1, 2]


def test_units_count_what_their_examples_have():
    has = np.array([[True, False], [True, True], [False, True], [True, False]])
    assert sum_units(has, np.array([1, 0, 1, 1])).tolist() == [[1, 1], [2, 1]]
