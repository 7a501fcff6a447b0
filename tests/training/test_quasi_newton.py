"""Many problems at once, against scipy's optimiser on each alone."""

import numpy as np
import pytest
from scipy.optimize import minimize

from transfer.training.quasi_newton import minimise_each


@pytest.mark.parametrize("axes", [(0,), (0, 2)])
def test_each_problem_reaches_its_own_minimum(axes):
    random = np.random.default_rng(1)
    rows, signs = random.normal(size=(60, 8)), random.choice([-1.0, 1.0], size=(60, 3, 4))
    shrink = 10.0 ** random.uniform(-3, 1, size=(3, 4))

    def objective(weights):
        against = signs * np.einsum("nr,rfk->nfk", rows, weights)
        losses = np.logaddexp(0, against).sum(0) + (shrink * weights**2).sum(0) / 2
        slopes = np.einsum("nr,nfk->rfk", rows, signs / (1 + np.exp(-against))) + shrink * weights
        return losses.sum(axis=1, keepdims=True)[None] if 2 in axes else losses[None], slopes

    found = minimise_each(objective, np.zeros((8, 3, 4)), axes, 1e-9)
    for fold in range(3):
        for output in range(4):

            def one(weights, f=fold, k=output):
                against = signs[:, f, k] * (rows @ weights)
                loss = np.logaddexp(0, against).sum() + shrink[f, k] * (weights @ weights) / 2
                return loss, rows.T @ (signs[:, f, k] / (1 + np.exp(-against))) + shrink[f, k] * weights

            alone = minimize(one, np.zeros(8), jac=True, method="BFGS", options={"gtol": 1e-9}).x
            np.testing.assert_allclose(found[:, fold, output], alone, atol=1e-7)


def test_one_that_curves_a_million_times_more_than_the_others_holds_none_of_them_up():
    curves = np.array([1.0, 1e6, 1e-6, 30.0]).reshape(1, 1, 4) * np.array([1.0, 2.0, 5.0]).reshape(3, 1, 1)
    passes = []

    def objective(x):
        passes.append(np.abs(curves * (x - 1)).max((0, 1)) <= 1e-6)
        return (curves * (x - 1) ** 2).sum(0, keepdims=True) / 2, curves * (x - 1)

    found = minimise_each(objective, np.zeros((3, 1, 4)), (0,), 1e-6)
    np.testing.assert_allclose(found[:, :, [0, 1, 3]], 1, atol=1e-6)
    assert int(np.argmax(np.array(passes)[:, 0])) < 12  # passes until the plain one is at its minimum
    assert len(passes) < 60


def test_a_start_at_the_minimum_costs_one_pass():
    passes = []

    def objective(x):
        passes.append(None)
        return (x**2).sum(0, keepdims=True) / 2, x

    assert not minimise_each(objective, np.zeros((3, 2, 2)), (0,), 1e-6).any()
    assert len(passes) == 1


def test_where_nothing_lessens_the_loss_the_search_ends():
    """A slope that lies about the loss, as of a function that is not convex."""
    wrong = minimise_each(
        lambda x: ((x**2).sum(0, keepdims=True), np.full_like(x, -1.0)), np.zeros((2, 1, 1)), (0,), 1e-6
    )
    np.testing.assert_allclose(wrong, 0, atol=1e-6)
