"""Heads of outputs of every kind at their optimum, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV

from transfer.errors import DataError
from transfer.labellings import Output
from transfer.training.solving import solve_head
from transfer.training.solving_numbers import PENALTIES, solve_numbers
from transfer.training.solving_outputs import solve_output

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 7)).astype(np.float32) * [1, 5, 0.1, 1, 1, 2, 1] + 3
KIND = Output("kind", classes=("apple", "pear", "cake"), parent="food", under=("fruit", "fruit", "dessert"))


def standardised(features: np.ndarray) -> np.ndarray:
    return (features - features.mean(0)) / features.std(0)


def test_classes_under_one_parent_are_solved_on_its_examples_alone():
    values = np.where(np.arange(60) < 25, RANDOM.integers(0, 2, 60), np.where(np.arange(60) < 40, 2, -1))
    found = solve_output(X, KIND, values, seed=0)
    alone = solve_head(X[:25], values[:25], 2, seed=0)
    np.testing.assert_array_equal(found.kernel[:, :2], alone.kernel)
    np.testing.assert_array_equal(found.bias[:2], alone.bias)
    assert not found.kernel[:, 2].any()  # there is nothing to choose
    assert list(found.parts) == ["fruit"]


def test_a_class_without_an_example_is_hardly_ever_answered():
    values = np.arange(60) % 2
    found = solve_output(X, Output("kind", classes=("a", "b", "c")), values, seed=0)
    logits = X @ found.kernel + found.bias
    powers = np.exp(logits - logits.max(1, keepdims=True))
    assert (powers / powers.sum(1, keepdims=True))[:, 2].max() < 0.05
    assert np.isfinite(found.bias).all()


def test_labels_of_which_nothing_is_known_stay_at_even_odds():
    values = np.stack([np.arange(60) % 2, np.full(60, -1)], axis=1)
    found = solve_output(X, Output("tags", "sigmoid", ("a", "b")), values, seed=0)
    assert not found.kernel[:, 1].any()
    assert found.bias[1] == 0
    assert found.kernel[:, 0].any()


def test_an_output_of_which_nothing_is_known_is_refused_by_name():
    with pytest.raises(DataError) as caught:
        solve_output(X, KIND, np.full(60, -1), seed=0)
    assert caught.value.problems[0].where == "kind"


@pytest.mark.parametrize("shape", [(60, 7), (20, 50)])
def test_numbers_are_a_ridge_regression_with_the_penalty_of_least_left_out_error(shape):
    features = RANDOM.normal(size=shape) * RANDOM.uniform(0.1, 3, size=shape[1]) + 1
    values = (features[:, :3].sum(1) * 40 + 2000 + RANDOM.normal(size=shape[0]) * 30)[:, None]
    found = solve_numbers(features, values)
    alphas = 1 / np.asarray(PENALTIES)
    z = standardised(features)
    assert 1 / found.penalty == pytest.approx(RidgeCV(alphas=alphas).fit(z, values[:, 0]).alpha_)
    theirs = Ridge(alpha=1 / found.penalty).fit(z, values[:, 0]).predict(z)
    np.testing.assert_allclose((features @ found.kernel + found.bias)[:, 0], theirs, rtol=1e-5)


def test_the_error_of_leaving_out_one_is_that_of_solving_again_without_it():
    features, values = X[:15], RANDOM.normal(size=(15, 1)) + X[:15, :1]
    told = solve_numbers(features, values).log_loss[PENALTIES[8]]
    z, errors = standardised(features), []
    for out in range(15):
        kept = np.delete(np.arange(15), out)
        again = Ridge(alpha=1 / PENALTIES[8], tol=1e-10).fit(z[kept], values[kept, 0])
        errors.append((again.predict(z[out : out + 1])[0] - values[out, 0]) ** 2)
    assert told == pytest.approx(np.mean(errors), rel=1e-6)


def test_each_number_learns_from_the_examples_of_which_it_is_known():
    values = RANDOM.normal(size=(60, 2)) + X[:, :2]
    values[::3, 0] = np.nan
    found = solve_numbers(X, values)
    kept = np.flatnonzero(np.isfinite(values[:, 0]))
    alone = solve_numbers(X[kept], values[kept, :1])
    np.testing.assert_allclose(found.kernel[:, 0], alone.kernel[:, 0], rtol=1e-6)
    np.testing.assert_allclose(found.bias[0], alone.bias[0], rtol=1e-6)


def test_a_number_in_other_units_gives_the_same_fit():
    values = RANDOM.normal(size=(60, 1)) + X[:, :1]
    small, large = solve_numbers(X, values), solve_numbers(X, values * 1e6)
    assert small.penalty == large.penalty
    np.testing.assert_allclose(large.kernel, small.kernel * 1e6, rtol=1e-4)


@pytest.mark.parametrize(
    ("output", "values"),
    [
        (Output("kind", classes=("a", "b", "c")), np.arange(240) // 4 % 3),
        (Output("tags", "sigmoid", ("a", "b")), np.stack([np.arange(240) // 4 % 2, np.arange(240) // 8 % 2], axis=1)),
    ],
)
def test_copies_of_a_group_do_not_validate_each_other(output, values):
    """Four nearly equal pictures of each of 60 things whose labels nothing says: alone they are learnt by heart."""
    random = np.random.default_rng(0)
    features = np.repeat(random.normal(size=(60, 30)), 4, axis=0) + 0.01 * random.normal(size=(240, 30))
    groups = np.arange(240) // 4
    alone = solve_output(features, output, values, seed=0).parts[""]
    together = solve_output(features, output, values, seed=0, groups=groups).parts[""]
    chance = 1 / 3 if output.kind == "softmax" else 1 / 2
    assert alone.accuracy > chance + 0.2
    assert together.accuracy < chance + 0.15  # of 60 things
    assert together.penalty < alone.penalty


def test_a_single_group_cannot_be_validated():
    found = solve_output(
        X, Output("kind", classes=("a", "b")), np.arange(60) % 2, seed=0, groups=np.zeros(60, np.int64)
    )
    assert found.parts[""].accuracy is None
