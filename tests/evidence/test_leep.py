"""LEEP and NCE against loops over their definitions, by hand, and against scikit-learn's mutual information."""

from collections import Counter
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from transfer.evidence.leep import leep_score, nce_score


def leep_by_loops(theta, labels):
    count, sources = theta.shape
    joint = Counter()
    for i in range(count):
        for z in range(sources):
            joint[labels[i], z] += theta[i][z] / count
    whole = [sum(joint[y, z] for y in set(labels.tolist())) for z in range(sources)]
    total = 0.0
    for i in range(count):
        total += log(sum(joint[labels[i], z] / whole[z] * theta[i][z] for z in range(sources) if whole[z]))
    return total / count


def entropy(labels):
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return -(shares * np.log(shares)).sum()


drawn = st.tuples(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 8), st.integers(1, 6))


@given(drawn, st.sampled_from([0.02, 0.3, 5.0]))
def test_leep_is_what_loops_over_the_definition_give(sizes, evenness):
    seed, count, sources, classes = sizes
    random = np.random.default_rng(seed)
    theta, labels = random.dirichlet(np.full(sources, evenness), count), random.integers(0, classes, count)
    assert leep_score(theta, labels) == pytest.approx(leep_by_loops(theta, labels), abs=1e-12)


@given(drawn)
def test_nce_is_mutual_information_less_the_entropy_of_the_labels(sizes):
    seed, count, sources, classes = sizes
    random = np.random.default_rng(seed)
    found, labels = random.integers(0, sources, count), random.integers(0, classes, count)
    expected = mutual_info_score(found, labels) - entropy(labels)
    assert nce_score(found, labels) == pytest.approx(expected, abs=1e-12)


@given(drawn)
def test_leep_of_certain_answers_is_nce(sizes):
    seed, count, sources, classes = sizes
    random = np.random.default_rng(seed)
    found, labels = random.integers(0, sources, count), random.integers(0, classes, count)
    assert leep_score(np.eye(sources)[found], labels) == pytest.approx(nce_score(found, labels), abs=1e-12)


def test_by_hand():
    # Source class 0 has labels 0, 0, 1 and source class 1 has label 1: H(Y | Z) = 3/4 H(2/3, 1/3).
    found, labels = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    assert nce_score(found, labels) == pytest.approx((2 * log(2 / 3) + log(1 / 3)) / 4)
    # P(y, z) = [[.4, .1], [.1, .4]] of four examples, so that P(y | z) is .8 or .2.
    theta = np.array([[0.8, 0.2], [0.8, 0.2], [0.2, 0.8], [0.2, 0.8]])
    assert leep_score(theta, labels) == pytest.approx(log(0.8 * 0.8 + 0.2 * 0.2))


def test_a_head_that_parts_the_labels_scores_0_and_one_that_does_not_their_entropy():
    labels = np.array([0, 0, 1, 1, 1, 2])
    assert leep_score(np.eye(5)[labels + 2], labels) == nce_score(labels + 7, labels) == 0
    assert leep_score(np.full((6, 5), 0.2), labels) == pytest.approx(-entropy(labels))
    assert nce_score(np.zeros(6, int), labels) == pytest.approx(-entropy(labels))


def test_answers_of_16_bits_give_nearly_the_same():
    random = np.random.default_rng(0)
    theta, labels = random.dirichlet(np.full(1000, 0.05), 50), random.integers(0, 4, 50)
    assert leep_score(theta.astype(np.float16), labels) == pytest.approx(leep_score(theta, labels), abs=1e-3)


@pytest.mark.parametrize(
    ("theta", "labels", "said"),
    [
        (np.zeros((0, 3)), np.array([], int), "shape"),
        (np.ones((2, 1)), np.array([0]), "shape"),
        (np.ones(2), np.array([0, 1]), "shape"),
        (np.array([[0.5, 0.4]]), np.array([0]), "sum 1"),
        (np.array([[1.5, -0.5]]), np.array([0]), "sum 1"),
        (np.array([[np.nan, 1]]), np.array([0]), "sum 1"),
    ],
)
def test_what_is_no_distribution_is_refused(theta, labels, said):
    with pytest.raises(ValueError, match=said):
        leep_score(theta, labels)


def test_source_classes_of_another_number_are_refused():
    with pytest.raises(ValueError, match="3 source classes for 2 labels"):
        nce_score(np.array([0, 1, 1]), np.array([0, 1]))
