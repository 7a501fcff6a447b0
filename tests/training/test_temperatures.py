"""The temperature that suits logits, against a minimum found another way."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from transfer.labellings import Labelling, Output
from transfer.training.labels import Labels
from transfer.training.scoring_logits import score_logits
from transfer.training.temperatures import find_temperatures

RANDOM = np.random.default_rng(0)


def find_temperature(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Of a single output of classes, and the loss at it."""
    found = find_temperatures(logits, Labels.of_classes(labels, logits.shape[1]))
    assert found.losses == (found.loss,)
    return found.temperatures[0], found.loss


def draw(count: int, sureness: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits of which the labels are drawn, made more or less sure than they are."""
    logits = RANDOM.normal(size=(count, 4)) * 2
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([RANDOM.choice(4, p=each) for each in shares])
    return logits * sureness, labels


@pytest.mark.parametrize("sureness", [0.3, 1.0, 5.0])
def test_logits_that_are_too_sure_or_unsure_are_brought_back(sureness):
    found = find_temperature(*draw(4000, sureness))
    assert found[0] == pytest.approx(sureness, rel=0.08)


def test_it_is_the_largest_posterior_under_a_standard_normal_logarithm():
    logits, labels = draw(30, 3.0)

    def objective(logarithm: float) -> float:
        return score_logits(logits / np.exp(logarithm), labels)[0].sum() + logarithm**2 / 2

    best = minimize_scalar(objective, bounds=(-3, 3), method="bounded").x
    found = find_temperature(logits, labels)
    assert np.log(found[0]) == pytest.approx(best, abs=0.026)  # half a step of the grid
    assert found[1] == pytest.approx(score_logits(logits / found[0], labels)[0].mean())


def test_a_few_examples_that_are_all_right_do_not_make_it_certain():
    labels = np.array([0, 1, 2])
    assert 0.3 < find_temperature(np.eye(3), labels)[0] < 1.0


def test_logits_that_are_not_finite_never_win():
    assert find_temperature(np.array([[np.nan, 0.0]]), np.array([0]))[1] == float("inf")


def test_each_output_has_a_temperature_of_its_own_and_numbers_have_none():
    logits, labels = draw(3000, 4.0)
    yes = (RANDOM.random(3000) < 1 / (1 + np.exp(-logits[:, 0] / 8))).astype(np.int64)[:, None]
    labelling = Labelling(
        (Output("kind", classes=tuple("abcd")), Output("old", "sigmoid", ("old",)), Output("age", "regression"))
    )
    whole = np.concatenate([logits, logits[:, :1], logits[:, :1]], axis=1)
    found = find_temperatures(whole, Labels(labelling, (labels, yes, np.zeros((3000, 1)))))
    assert found.temperatures[0] == pytest.approx(4.0, rel=0.08)
    assert found.temperatures[1] == pytest.approx(8.0, rel=0.1)
    assert found.temperatures[2] == 1.0
    assert found.losses[2] == pytest.approx((logits[:, 0] ** 2).mean() / 2)
    assert found.loss == pytest.approx(sum(found.losses))
