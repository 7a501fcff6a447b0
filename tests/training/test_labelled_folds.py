"""Folds of examples with any labels, against the folds of one class each and scikit-learn's folds of groups."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from transfer.labellings import Labelling, Output
from transfer.training.labelled_folds import folds_labelled
from transfer.training.stratified_folds import stratified_folds


def test_one_class_each_is_dealt_as_it_always_was():
    labels = np.random.default_rng(0).integers(0, 4, 90)
    found = folds_labelled(Labelling.of_classes(tuple("abcd")), (labels,), 5, 3)
    np.testing.assert_array_equal(found, stratified_folds(labels, 5, 3))


def test_each_fold_has_its_share_of_every_label_and_of_the_examples():
    has = (np.random.default_rng(1).random((500, 6)) < [0.5, 0.3, 0.2, 0.1, 0.05, 0.02]).astype(np.int64)
    folds = folds_labelled(Labelling((Output("tags", "sigmoid", tuple("abcdef")),)), (has,), 5, 0)
    for fold in range(5):
        assert (folds == fold).sum() == pytest.approx(100, abs=5)
        np.testing.assert_allclose(has[folds == fold].sum(0), has.sum(0) / 5, atol=2)


@pytest.mark.parametrize("seed", range(3))
def test_groups_stay_whole_and_classes_are_as_even_as_by_scikit_learn(seed):
    random = np.random.default_rng(seed)
    groups = random.integers(0, 60, 400)
    labels = np.where(random.random(400) < 0.5, groups % 3, random.integers(0, 3, 400))
    found = folds_labelled(Labelling.of_classes(tuple("abc")), (labels,), 4, seed, groups)
    assert all(len(set(found[groups == group])) == 1 for group in set(groups.tolist()))
    theirs = np.empty(400, np.int64)
    dealer = StratifiedGroupKFold(4, shuffle=True, random_state=seed)
    for fold, (_, test) in enumerate(dealer.split(labels, labels, groups)):
        theirs[test] = fold
    spread, expected = (
        np.std([np.bincount(labels[each == fold], minlength=3) for fold in range(4)], axis=0).mean()
        for each in (found, theirs)
    )
    assert spread <= 1.5 * expected + 1
