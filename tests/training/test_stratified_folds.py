"""Folds against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from transfer.training.stratified_folds import stratified_folds


def of_sklearn(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    found = np.full(len(labels), -1)
    for fold, (_, held_out) in enumerate(StratifiedKFold(count, shuffle=True, random_state=seed).split(labels, labels)):
        found[held_out] = fold
    return found


@given(st.lists(st.integers(2, 9), min_size=1, max_size=6), st.integers(2, 5), st.integers(0, 2**32 - 1), st.randoms())
def test_they_are_those_of_scikit_learn(sizes, count, seed, random):
    labels = [label * 7 % 5 for label, size in enumerate(sizes) for _ in range(max(size, count))]
    random.shuffle(labels)
    labels = np.array(labels)
    np.testing.assert_array_equal(stratified_folds(labels, count, seed), of_sklearn(labels, count, seed))


@pytest.mark.parametrize("labels", [[True, False] * 5, ["b", "a", "b", "c", "a", "c"]])
def test_labels_of_any_type(labels):
    labels = np.array(labels)
    np.testing.assert_array_equal(stratified_folds(labels, 2, 3), of_sklearn(labels, 2, 3))


def test_one_fold_holds_all():
    assert stratified_folds(np.array([1, 0, 1]), 1, 0).tolist() == [0, 0, 0]
