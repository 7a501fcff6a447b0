"""Points on the line between two sets of weights, and the choice among them."""

import keras
import ml_dtypes
import numpy as np
import pytest
from suffixes import VALIDATION, VALIDATION_LABELS, suffix

from transfer.models.variables import name_variables
from transfer.training.interpolating import ALPHAS, choose_alpha, interpolate, keep_best
from transfer.training.labels import Labels
from transfer.training.scoring_logits import score_logits
from transfer.training.temperatures import Tempered
from transfer.training.validating import make_validator

RANDOM = np.random.default_rng(0)
BEFORE = {"a/kernel": RANDOM.normal(size=(3, 2)).astype(np.float32), "a/bias": np.zeros(2, np.float32)}
AFTER = {name: RANDOM.normal(size=each.shape).astype(np.float32) for name, each in BEFORE.items()}


def test_a_point_on_the_line_is_a_share_of_both():
    found = interpolate(BEFORE, AFTER, 0.25)
    np.testing.assert_allclose(found["a/kernel"], 0.75 * BEFORE["a/kernel"] + 0.25 * AFTER["a/kernel"], rtol=1e-6)
    assert {each.dtype for each in found.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, BEFORE), (1.0, AFTER)])
def test_the_ends_are_the_weights_themselves(alpha, expected):
    found = interpolate(BEFORE, AFTER, alpha)
    assert {name: each.tobytes() for name, each in found.items()} == {
        name: each.tobytes() for name, each in expected.items()
    }


def test_equal_weights_stay_equal_to_the_bit_everywhere_on_the_line():
    for alpha in ALPHAS:
        assert interpolate(AFTER, AFTER, alpha)["a/kernel"].tobytes() == AFTER["a/kernel"].tobytes()


def test_counts_are_not_mixed_and_short_floats_are():
    before = {"count": np.array(3), "short": np.array([1.0], ml_dtypes.bfloat16), "half": np.array([1.0], np.float16)}
    after = {"count": np.array(8), "short": np.array([3.0], ml_dtypes.bfloat16), "half": np.array([2.0], np.float16)}
    found = interpolate(before, after, 0.5)
    assert (int(found["count"]), float(found["short"][0]), float(found["half"][0])) == (3, 2.0, 1.5)
    assert found["short"].dtype == ml_dtypes.bfloat16
    assert int(interpolate(before, after, 1.0)["count"]) == 8


def test_other_tensors_and_other_points_are_refused():
    with pytest.raises(ValueError, match="not the same tensors"):
        interpolate(BEFORE, {**AFTER, "a/bias": np.zeros(3)}, 0.5)
    with pytest.raises(ValueError, match="alpha"):
        interpolate(BEFORE, AFTER, 1.5)


def test_the_lowest_loss_wins_and_the_probe_wins_ties():
    assert choose_alpha({0.0: 0.5, 0.5: 0.4, 1.0: 0.45}) == 0.5
    assert choose_alpha({1.0: 0.5, 0.5: 0.5, 0.0: 0.5}) == 0.0
    assert choose_alpha({0.0: 0.5, 0.5: 0.4, 1.0: 0.4}) == 0.5


def test_losses_that_are_not_finite_never_win():
    assert choose_alpha({0.0: 0.5, 0.5: float("nan"), 1.0: float("-inf")}) == 0.0
    assert choose_alpha({0.0: float("inf"), 1.0: float("nan")}) == 0.0


def test_without_the_probe_there_is_no_choice():
    with pytest.raises(ValueError, match="alpha 0"):
        choose_alpha({0.5: 0.1})


def values(model: keras.Model) -> dict[str, np.ndarray]:
    return {name: np.array(keras.ops.convert_to_numpy(each)) for name, each in name_variables(model).items()}


def test_a_model_gets_the_point_that_validates_best():
    model = suffix(norm=True)
    before = values(model)
    after = {name: 40 * each if name.endswith("kernel") else each for name, each in before.items()}
    validate = make_validator(model, VALIDATION, Labels.of_classes(VALIDATION_LABELS, 3), 5)
    found = keep_best(model, before, after, lambda: Tempered((1.0,), (validate().loss,), validate().loss))
    assert tuple(found.tried) == ALPHAS
    assert found.alpha == min(found.tried, key=lambda alpha: found.tried[alpha].loss)
    kept = interpolate(before, after, found.alpha)
    assert {name: each.tobytes() for name, each in values(model).items()} == {n: v.tobytes() for n, v in kept.items()}
    logits = model.predict(VALIDATION, verbose=0).astype(np.float64)
    by_hand = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(12), VALIDATION_LABELS])
    assert found.tried[found.alpha].loss == pytest.approx(by_hand, rel=1e-5)


def test_scores_are_losses_and_hits_of_each_example_also_for_large_logits():
    losses, right = score_logits(np.array([[1000.0, 0.0], [0.0, 0.0]]), np.array([1, 0]))
    assert losses.tolist() == [1000.0, pytest.approx(np.log(2))]
    assert right.tolist() == [False, True]
