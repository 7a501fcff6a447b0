"""Paired answers against SciPy's binomial test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from transfer.evidence.comparing import Paired, compare_answers


@given(st.integers(0, 80), st.integers(0, 80))
def test_the_p_value_is_that_of_the_binomial_test(first, second):
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert Paired(first, second, 200).p_value == pytest.approx(expected, rel=1e-9)


def test_examples_are_counted_that_one_alone_answers():
    first = np.array([True, True, False, False, True])
    second = np.array([True, False, True, False, False])
    assert compare_answers(first, second) == Paired(2, 1, 5)


def test_answers_of_other_numbers_are_refused():
    with pytest.raises(ValueError, match="answers"):
        compare_answers(np.ones(3, bool), np.ones(2, bool))
