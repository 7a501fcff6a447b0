"""Logits of examples that were held out, beside scikit-learn's on the same folds at the same penalty."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from transfer.errors import DataError
from transfer.labellings import Labelling
from transfer.training.held_out_logits import held_out_logits
from transfer.training.labelled_folds import folds_labelled
from transfer.training.solving import FOLDS, solve_head


def digits(kinds):
    features, labels = load_digits(n_class=kinds, return_X_y=True)
    return features[:300].astype(np.float32), labels[:300].astype(np.int64)


@pytest.mark.parametrize("kinds", [2, 5])
@pytest.mark.parametrize("is_grouped", [False, True])
def test_each_example_is_answered_by_a_head_of_the_other_folds(kinds, is_grouped):
    features, labels = digits(kinds)
    groups = np.arange(300) // 3 if is_grouped else None
    found = held_out_logits(features, labels, seed=3, groups=groups)
    penalty = solve_head(features, labels, kinds, seed=3, groups=groups).penalty
    folds = folds_labelled(Labelling.of_classes(tuple("abcde"[:kinds])), [labels], FOLDS, 3, groups=groups)
    precise = features.astype(np.float64)
    spread = precise.std(0)
    rows = (precise - precise.mean(0)) / np.where(spread > 0, spread, 1)
    for fold in range(FOLDS):
        out = folds == fold
        model = LogisticRegression(C=penalty, solver="newton-cholesky", tol=1e-10).fit(rows[~out], labels[~out])
        wanted = model.predict_log_proba(rows[out])
        own = found[out] - np.log(np.exp(found[out]).sum(1, keepdims=True))
        np.testing.assert_allclose(own, wanted, rtol=1e-3, atol=1e-3)


def test_a_wrong_label_does_not_speak_for_itself():
    features, labels = digits(5)
    flipped = labels.copy()
    flipped[::50] = (flipped[::50] + 1) % 5
    found = held_out_logits(features, flipped).argmax(1)
    assert (found[::50] == labels[::50]).all()


def test_classes_of_one_example_and_a_single_group_are_refused():
    features, labels = digits(3)
    with pytest.raises(ValueError, match="two at least"):
        held_out_logits(features, labels, groups=np.zeros(300, np.int64))
    with pytest.raises(ValueError, match="two at least"):
        held_out_logits(features[:3], np.array([0, 1, 1]))


def test_features_that_are_not_finite_are_refused():
    features, labels = digits(3)
    features[7, 3] = np.nan
    with pytest.raises(DataError, match="not finite"):
        held_out_logits(features, labels)
