"""Losses and their slopes, by hand and by finite differences, and folds that each learn from their own examples."""

import numpy as np
import pytest
from scipy.special import expit, log_softmax

from transfer.training.coordinates import find_coordinates
from transfer.training.logistic import (
    UNKNOWN,
    Heads,
    Task,
    held_out_losses,
    minimise,
    sigmoid_loss,
    softmax_loss,
)

OUTPUTS, N, D = 3, 30, 4


def task(kind: str) -> Task:
    random = np.random.default_rng(0)
    features = random.normal(size=(N, D))
    if kind == "softmax":
        targets, held_out, loss = np.arange(N) % OUTPUTS, random.integers(0, 2, (N, 1)), softmax_loss
    else:
        targets, loss = random.random((N, OUTPUTS)) < 0.4, sigmoid_loss
        held_out = random.integers(UNKNOWN, 2, (N, OUTPUTS))
    return Task(find_coordinates(features), targets, held_out, loss, OUTPUTS, 0.4)


def losses_by_hand(given: Task, logits: np.ndarray) -> np.ndarray:
    """(n, 1) or (n, k)."""
    if given.targets.ndim == 1:
        return -log_softmax(logits, axis=1)[np.arange(N), given.targets][:, None]
    return -np.log(expit(np.where(given.targets, logits, -logits)))


def objective(given: Task, fold: int, weights: np.ndarray, bias: np.ndarray, penalties: np.ndarray) -> float:
    counted = (given.held_out != fold) & (given.held_out != UNKNOWN)
    losses = losses_by_hand(given, given.coordinates.rows @ weights + bias)
    return float(losses[counted].sum() + (weights**2 / (2 * penalties)).sum())


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_slopes_of_the_losses_are_those_of_finite_differences(kind):
    given = task(kind)
    logits = np.random.default_rng(1).normal(size=(N, 2, OUTPUTS)) * 5
    losses, slopes = given.loss(logits, given.targets)
    assert np.allclose(losses[:, 1], losses_by_hand(given, logits[:, 1]))
    for output in range(OUTPUTS):
        step = np.zeros(OUTPUTS)
        step[output] = 1e-6
        above, below = (given.loss(logits + sign * step, given.targets)[0] for sign in (1, -1))
        change = (above - below) / 2e-6
        assert np.allclose(change.sum(2), slopes[:, :, output], atol=1e-7)


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
@pytest.mark.parametrize("size", [800.0, -800.0])
def test_losses_of_enormous_logits_are_finite(kind, size):
    given = task(kind)
    logits = np.full((N, 1, OUTPUTS), size) * np.array([1, 0, -1])
    assert all(np.isfinite(each).all() for each in given.loss(logits, given.targets))


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_no_step_from_the_optimum_of_any_fold_makes_its_objective_smaller(kind):
    given, penalties, folds = task(kind), np.array([0.1, 1.0, 5.0]), [0, 1, UNKNOWN]
    penalties = penalties if kind == "sigmoid" else penalties[1:2]
    heads = minimise(given, folds, penalties, Heads.empty(given, 3), 1e-8)
    random = np.random.default_rng(2)
    for place, fold in enumerate(folds):
        weights, bias = heads.weights[:, place], heads.bias[place]
        least = objective(given, fold, weights, bias, penalties)
        for _ in range(20):
            step, turn = random.normal(size=weights.shape) * 1e-4, random.normal(size=bias.shape) * 1e-4
            above = objective(given, fold, weights + step, bias + turn, penalties)
            below = objective(given, fold, weights - step, bias - turn, penalties)
            assert min(above, below) >= least - 1e-10
            assert abs(above - below) / 2e-4 < 1e-4


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_folds_are_judged_on_what_they_hold_out(kind):
    given = task(kind)
    random = np.random.default_rng(3)
    heads = Heads(random.normal(size=(D, 2, OUTPUTS)), random.normal(size=(2, OUTPUTS)))
    losses, right = held_out_losses(given, range(2), heads)
    expected, count = np.zeros_like(losses), np.zeros_like(right)
    for fold in range(2):
        logits = given.coordinates.rows @ heads.weights[:, fold] + heads.bias[fold]
        by_hand, held_out = losses_by_hand(given, logits), given.held_out == fold
        answers = logits.argmax(1) == given.targets if kind == "softmax" else (logits > 0) == given.targets
        hits = answers.reshape(N, -1)
        for column in range(len(losses)):
            expected[column] += by_hand[held_out[:, column], column].sum()
            count[column] += hits[held_out[:, column], column].sum()
    assert np.allclose(losses, expected)
    assert np.array_equal(right, count)
