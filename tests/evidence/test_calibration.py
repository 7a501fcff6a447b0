"""Calibration against scikit-learn, against loops, and by how well it finds again what was done to logits."""

import json

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from scipy.stats import norm
from sklearn.calibration import _SigmoidCalibration

from transfer.evidence.calibration import Calibration, find_calibration
from transfer.evidence.calibration_error import calibration_error, expected_calibration_error, log_softmax, sigmoid
from transfer.evidence.platt import fit_platt
from transfer.labellings import Output

FOUR = Output("kind", classes=tuple("abcd"))
CHILD = Output("fine", classes=tuple("abcde"), parent="what", under=("one", "one", "two", "two", "two"))
TAGS = Output("tags", "sigmoid", ("loud", "old"))


def drawn_by(logits: np.ndarray, seed: int) -> np.ndarray:
    """A class for each row of logits (n, k), drawn with the probabilities that they say."""
    shares = np.exp(log_softmax(logits)).cumsum(1)
    return (np.random.default_rng(seed).random(len(logits))[:, None] > shares).sum(1)


def error_by_loops(confidences, right, bins: int = 15) -> float:
    total = 0.0
    for place in range(bins):
        low, high = place / bins, (place + 1) / bins
        inside = [k for k, each in enumerate(confidences) if low < each <= high or (place == 0 and each == 0)]
        if inside:
            share, sure = np.mean([right[k] for k in inside]), np.mean([confidences[k] for k in inside])
            total += len(inside) / len(confidences) * abs(share - sure)
    return total


@pytest.mark.parametrize("seed", range(4))
def test_the_error_is_that_of_bins_gone_through_one_by_one(seed):
    random = np.random.default_rng(seed)
    confidences = np.append(random.random(150), [0.0, 1.0])
    right = random.random(152) < confidences**2
    assert expected_calibration_error(confidences, right) == pytest.approx(error_by_loops(confidences, right))


def test_the_error_of_classes_is_of_the_one_answered_and_of_labels_of_yes():
    logits = np.log(np.array([[0.7, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1], [0.1, 0.1, 0.1, 0.7]]))
    found = calibration_error(FOUR, np.array([0, 1, -1]), logits)
    assert (found.value, found.examples) == (pytest.approx((0.3 + 0.4) / 2), 2)
    yes = calibration_error(TAGS, np.array([[1, 0], [-1, 0]]), np.log([[3.0, 1.0], [9.0, 0.25]]))
    assert (yes.value, yes.examples) == (pytest.approx((0.25 + 0.5 + 0.2) / 3), 3)


def test_the_error_of_finer_classes_is_within_the_coarse_one():
    logits = np.log(np.array([[0.6, 0.4, 5.0, 5.0, 9.0]]))
    assert calibration_error(CHILD, np.array([1]), logits).value == pytest.approx(0.6)


def test_slope_and_offset_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    logits = random.normal(2, 3, 200)
    has = random.random(200) < 1 / (1 + np.exp(1 - 0.4 * logits))
    theirs = _SigmoidCalibration().fit(logits, has.astype(int))  # it writes 1 / (1 + exp(a f + b))
    slope, offset = fit_platt(logits, has)
    assert slope == pytest.approx(-theirs.a_, rel=1e-3)
    assert offset == pytest.approx(-theirs.b_, rel=1e-3)


def test_slope_and_offset_have_no_better_neighbour():
    random = np.random.default_rng(1)
    logits = 100 * random.normal(size=60)
    has = random.random(60) < sigmoid(logits / 50)
    positives = has.sum()
    targets = np.where(has, (positives + 1) / (positives + 2), 1 / (60 - positives + 2))

    def loss(slope: float, offset: float) -> float:
        p = 1 / (1 + np.exp(-(slope * logits + offset)))
        return float(-(targets * np.log(p) + (1 - targets) * np.log(1 - p)).sum())

    slope, offset = fit_platt(logits, has)
    for step in (1e-4, -1e-4):
        assert loss(slope + step / 100, offset) > loss(slope, offset)
        assert loss(slope, offset + step) > loss(slope, offset)


@pytest.mark.parametrize("gap", [1.0, 1e6])
def test_labels_that_are_told_apart_wholly_get_no_certainty(gap):
    logits = np.repeat([-gap, gap], 10)
    slope, offset = fit_platt(logits, logits > 0)
    p = sigmoid(slope * logits + offset)
    assert p[0] == pytest.approx(1 / 12, rel=1e-6)
    assert p[-1] == pytest.approx(11 / 12, rel=1e-6)


def test_logits_that_are_all_equal_get_the_share_that_has_the_label():
    slope, offset = fit_platt(np.full(20, 3.0), np.arange(20) < 5)
    targets = (5 * 6 / 7 + 15 / 17) / 20
    assert sigmoid(np.array([3 * slope + offset]))[0] == pytest.approx(targets)


def test_the_temperature_of_logits_that_are_too_sure_is_found_again():
    true = np.random.default_rng(0).normal(0, 2, (4000, 4))
    wanted = drawn_by(true, 1)
    found = find_calibration(FOUR, wanted, 3 * true, seed=0)
    assert found.temperature == pytest.approx(3, rel=0.1)
    assert found.before.value > 0.1
    assert found.after.value < 0.03
    np.testing.assert_allclose(found.apply(3 * true), 3 * true / found.temperature)


@pytest.mark.parametrize("count", [3, 12, 150])
def test_the_temperature_is_the_most_likely_one_to_a_grid_of_five_hundredths(count):
    logits = np.random.default_rng(2).normal(0, 3, (count, 4))
    wanted = drawn_by(logits / 2, 3)

    def posterior(logarithm: float) -> float:
        shares = softmax(logits / np.exp(logarithm), axis=1)
        return float(-np.log(shares[np.arange(count), wanted]).sum() - norm.logpdf(logarithm))

    found = find_calibration(FOUR, wanted, logits, seed=0)
    best = minimize_scalar(posterior, bounds=(-3, 3), method="bounded").x
    assert np.log(found.temperature) == pytest.approx(best, abs=0.026)


def test_the_error_afterwards_is_of_groups_that_did_not_calibrate():
    """Logits that say nothing, of thirty groups of one label each: only who has seen its group gets better by them."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 40)
    logits = random.normal(size=(30, 2))[groups]
    wanted = random.integers(0, 2, (30, 2))[groups]
    alone, together = (find_calibration(TAGS, wanted, logits, seed=0, groups=numbers) for numbers in (None, groups))
    assert alone.slopes == together.slopes
    assert alone.after.value < together.after.value


def test_finer_classes_are_calibrated_within_the_coarse_one():
    true = np.random.default_rng(4).normal(0, 2, (6000, 5))
    coarse = np.arange(6000) % 2
    wanted = np.where(coarse == 0, drawn_by(true[:, :2], 5), 2 + drawn_by(true[:, 2:], 6))
    shifted = 2 * true + 50 * np.random.default_rng(7).normal(size=(6000, 1)) * (np.arange(5) < 2)
    wanted[::10] = -1
    found = find_calibration(CHILD, wanted, shifted, seed=0)
    assert found.temperature == pytest.approx(2, rel=0.1)
    assert found.before.examples == 5400


def test_labels_are_each_calibrated_for_themselves():
    true = np.random.default_rng(8).normal(0, 2, (5000, 2))
    wanted = (np.random.default_rng(9).random((5000, 2)) < sigmoid(true)).astype(np.int64)
    wanted[::7, 1] = -1
    found = find_calibration(TAGS, wanted, true * [4, 0.5] + [3, -1], seed=0)
    assert found.slopes == pytest.approx((1 / 4, 2), rel=0.1)
    assert found.offsets == pytest.approx((-3 / 4, 2), abs=0.15)
    assert found.after.value < 0.02 < found.before.value
    assert found.notes == ()


def test_labels_of_which_little_is_known_or_that_run_backwards_are_left_as_they_are():
    logits = np.linspace(-2, 2, 40)
    wanted = np.stack([np.r_[np.ones(4), np.zeros(36)], logits < 0], axis=1).astype(np.int64)
    found = find_calibration(TAGS, wanted, np.stack([logits] * 2, axis=1), seed=0)
    assert (found.slopes, found.offsets) == ((1.0, 1.0), (0.0, 0.0))
    assert found.before == found.after
    assert found.notes[0].startswith("2 of 2 labels are left as they are")
    assert found.notes[0].endswith("loud, old")


def test_few_examples_that_are_all_right_get_no_certainty():
    found = find_calibration(FOUR, np.array([0, 1, 2, 3]), 3 * np.eye(4), seed=0)
    assert 0.3 < found.temperature < 1
    assert np.isfinite(found.apply(np.eye(4))).all()


def test_logits_that_are_not_finite_count_for_nothing():
    true = np.random.default_rng(0).normal(0, 2, (100, 4))
    wanted = drawn_by(true, 1)
    broken = np.concatenate([true, np.full((3, 4), np.nan)])
    found = find_calibration(FOUR, np.append(wanted, [0, 1, 2]), broken, seed=0)
    assert found.slopes == find_calibration(FOUR, wanted, true, seed=0).slopes
    assert found.notes == ("3 examples with logits that are not finite count for nothing",)


@pytest.mark.parametrize("output", [FOUR, TAGS], ids=["softmax", "sigmoid"])
def test_where_nothing_is_known_logits_stay(output):
    wanted = np.full((5,) if output is FOUR else (5, 2), -1)
    found = find_calibration(output, wanted, np.zeros((5, len(output.classes))), seed=0)
    assert set(found.slopes) == {1.0}
    assert (found.before, found.after) == (None, None)


def test_numbers_are_not_calibrated():
    assert find_calibration(Output("age", "regression"), np.ones((3, 1)), np.ones((3, 1)), seed=0) is None


@pytest.mark.parametrize("output", [FOUR, TAGS], ids=["softmax", "sigmoid"])
def test_it_comes_back_from_json_and_says_what_it_does(output):
    logits = np.random.default_rng(1).normal(size=(60, len(output.classes)))
    wanted = logits.argmax(1) if output is FOUR else (logits > 0).astype(np.int64)
    found = find_calibration(output, wanted, logits, seed=0)
    assert Calibration.from_json(json.loads(json.dumps(found.to_json()))) == found
    errors = f"expected calibration error {found.before.value:.3f}, then {found.after.value:.3f}"
    assert str(found).splitlines()[0].endswith(errors)
