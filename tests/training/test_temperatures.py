"""The temperature that suits logits, against a minimum found another way."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from transfer.training.temperatures import find_temperature
from transfer.training.validating import score_logits

RANDOM = np.random.default_rng(0)


def draw(count: int, sureness: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits of which the labels are drawn, made more or less sure than they are."""
    logits = RANDOM.normal(size=(count, 4)) * 2
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([RANDOM.choice(4, p=each) for each in shares])
    return logits * sureness, labels


@pytest.mark.parametrize("sureness", [0.3, 1.0, 5.0])
def test_logits_that_are_too_sure_or_unsure_are_brought_back(sureness):
    found = find_temperature(*draw(4000, sureness))
    assert found.temperature == pytest.approx(sureness, rel=0.08)


def test_it_is_the_largest_posterior_under_a_standard_normal_logarithm():
    logits, labels = draw(30, 3.0)

    def objective(logarithm: float) -> float:
        return score_logits(logits / np.exp(logarithm), labels)[0].sum() + logarithm**2 / 2

    best = minimize_scalar(objective, bounds=(-3, 3), method="bounded").x
    found = find_temperature(logits, labels)
    assert np.log(found.temperature) == pytest.approx(best, abs=0.026)  # half a step of the grid
    assert found.loss == pytest.approx(score_logits(logits / found.temperature, labels)[0].mean())


def test_a_few_examples_that_are_all_right_do_not_make_it_certain():
    labels = np.array([0, 1, 2])
    assert 0.3 < find_temperature(np.eye(3), labels).temperature < 1.0


def test_logits_that_are_not_finite_never_win():
    assert find_temperature(np.array([[np.nan, 0.0]]), np.array([0])).loss == float("inf")
