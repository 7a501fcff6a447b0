"""Average precision of examples that count several times, against scikit-learn on the examples written out so often."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from transfer.evidence.average_precision import average_precisions
from transfer.evidence.ranking import rank_label


@given(st.integers(1, 60), st.sampled_from([0, 1, 8]), st.floats(0.02, 1), st.integers(0, 2**31))
def test_it_is_that_of_scikit_learn_however_often_an_example_counts(n, digits, share, seed):
    random = np.random.default_rng(seed)
    wanted = np.where(random.random(n) < 0.1, -1, random.random(n) < share)
    scores = np.round(random.random(n), digits)
    counts = random.integers(0, 4, (3, n))
    found = average_precisions([rank_label(wanted, scores)], counts.astype(np.float64))[:, 0]
    for value, often in zip(found, counts, strict=True):
        rows = np.repeat(np.arange(n), often)
        rows = rows[wanted[rows] >= 0]
        if (wanted[rows] == 1).any():
            assert value == pytest.approx(average_precision_score(wanted[rows], scores[rows]))
        else:
            assert np.isnan(value)


def test_cuts_stand_after_equals_of_which_one_has_the_label():
    ranked = rank_label(np.array([0, 1, -1, 0, 1, 0, 1]), np.array([0.9, 0.8, 0.7, 0.8, 0.5, 0.4, 0.2]))
    ones = np.ones((1, 7))
    assert ranked.above.tolist() == [0.8, 0.5, 0.2]
    assert ranked.below.tolist() == [0.5, 0.4, 0.0]
    assert ranked.seen(ones).tolist() == [[3, 4, 6]]
    assert ranked.hits(ones).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("wanted", [[0, 0], [-1, -1], []])
def test_without_the_label_there_is_no_order(wanted):
    assert rank_label(np.array(wanted, np.int64), np.zeros(len(wanted))) is None
