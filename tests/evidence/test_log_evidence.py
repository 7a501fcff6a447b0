"""LogME against the density of its model, maximised by SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from transfer.evidence.log_evidence import evidence_of_classes, evidence_of_numbers


def by_definition(features, target):
    """The most that log N(y; 0, I / b + F F^T / a) / n can be, over log a and log b, from several starts."""
    count, outer = len(target), features @ features.T

    def negative(logs):
        covariance = np.exp(-logs[1]) * np.eye(count) + np.exp(-logs[0]) * outer
        sign, log_size = np.linalg.slogdet(covariance)
        if sign <= 0:
            return 1e9
        return (count * np.log(2 * np.pi) + log_size + target @ np.linalg.solve(covariance, target)) / 2 / count

    starts = [(a, b) for a in (-4, 0, 4, 10) for b in (-2, 2, 6)]
    found = [
        minimize(negative, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-11}) for start in starts
    ]
    return -min(each.fun for each in found)


def sets(seed, count, width, signal):
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, width)) * np.linspace(0.2, 3, width) + random.normal(size=width)
    return features, signal * features @ random.normal(size=width) + random.normal(size=count)


@pytest.mark.parametrize(("count", "width"), [(30, 4), (12, 12), (10, 25), (40, 1)])
@pytest.mark.parametrize("signal", [0.0, 0.1, 1.0])
def test_it_is_the_largest_density_of_the_targets_under_the_model(count, width, signal):
    features, target = sets(count + width, count, width, signal)
    assert evidence_of_numbers(features, target[:, None]) == pytest.approx(by_definition(features, target), abs=2e-6)


def test_the_density_is_that_of_scipy_at_the_best_of_a_fine_grid():
    features, target = sets(3, 20, 3, 0.5)
    outer = features @ features.T
    grid = [
        multivariate_normal.logpdf(target, cov=np.exp(-b) * np.eye(20) + np.exp(-a) * outer) / 20
        for a in np.linspace(-4, 8, 80)
        for b in np.linspace(-2, 3, 80)
    ]
    assert evidence_of_numbers(features, target[:, None]) == pytest.approx(max(grid), abs=2e-3)
    assert evidence_of_numbers(features, target[:, None]) >= max(grid)


def test_of_classes_it_is_the_mean_over_their_columns_of_0_and_1():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 24)
    features = random.normal(size=(24, 5)) + labels[:, None]
    expected = np.mean([by_definition(features, (labels == each).astype(float)) for each in range(3)])
    assert evidence_of_classes(features, labels) == pytest.approx(expected, abs=2e-6)
    assert evidence_of_classes(features, labels * 7 + 2) == pytest.approx(expected, abs=2e-6)


@given(st.integers(0, 10**6), st.integers(2, 30), st.integers(1, 30), st.integers(-12, 12))
def test_it_does_not_depend_on_unit_direction_or_order(seed, count, width, unit):
    random = np.random.default_rng(seed)
    features, target = random.normal(size=(count, width)), random.normal(size=(count, 2))
    turned = np.linalg.qr(random.normal(size=(width, width)))[0]
    order = random.permutation(count)
    expected = evidence_of_numbers(features, target)
    assert evidence_of_numbers((features @ turned * 10.0**unit)[order], target[order]) == pytest.approx(
        expected, abs=1e-6
    )


@given(st.integers(0, 10**6), st.integers(3, 20), st.integers(1, 20))
def test_columns_that_are_zero_or_double_change_nothing(seed, count, width):
    random = np.random.default_rng(seed)
    features, target = random.normal(size=(count, width)), random.normal(size=(count, 1))
    expected = evidence_of_numbers(features, target)
    assert evidence_of_numbers(np.hstack([features, np.zeros((count, 3))]), target) == pytest.approx(expected, abs=1e-7)
    assert evidence_of_numbers(np.hstack([features, features]), target) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("width", [1, 3, 40])
def test_features_of_rank_0_leave_the_density_of_noise_alone(width):
    target = np.arange(1.0, 11)
    expected = -(np.log(2 * np.pi * np.mean(target**2)) + 1) / 2
    assert evidence_of_numbers(np.zeros((10, width)), target[:, None]) == pytest.approx(expected)


def test_constant_features_explain_the_mean_and_no_more():
    features, labels = np.ones((30, 6)), np.arange(30) % 3
    expected = by_definition(np.ones((30, 1)), (labels == 0).astype(float))
    assert evidence_of_classes(features, labels) == pytest.approx(expected, abs=2e-6)


def test_features_that_say_nothing_approach_noise_alone_from_above():
    random = np.random.default_rng(1)
    features = random.normal(size=(200, 5))
    target = random.normal(size=200)
    target -= features @ np.linalg.lstsq(features, target)[0]  # nothing of it lies along the features
    alone = -(np.log(2 * np.pi * np.mean(target**2)) + 1) / 2
    assert evidence_of_numbers(features, target[:, None]) == pytest.approx(alone, abs=1e-7)


def test_an_exact_fit_scores_high_and_finite():
    labels = np.arange(40) % 4
    exact, near = np.eye(4)[labels], np.eye(4)[labels] + np.random.default_rng(0).normal(0, 0.1, (40, 4))
    assert np.isfinite(evidence_of_classes(exact, labels))
    assert evidence_of_classes(exact, labels) > evidence_of_classes(near, labels) + 1


def test_features_of_noise_lower_it_however_many():
    random = np.random.default_rng(2)
    labels = np.arange(60) % 3
    features = random.normal(size=(60, 8)) + 2 * np.eye(3, 8)[labels]
    widened = np.hstack([features, random.normal(size=(60, 300))])
    assert evidence_of_classes(features, labels) > evidence_of_classes(widened, labels)
    assert evidence_of_classes(features, labels) > evidence_of_classes(random.normal(size=(60, 8)), labels)


def test_numbers_of_32_bits_give_the_same():
    features, target = sets(5, 50, 80, 0.3)
    small = evidence_of_numbers(features.astype(np.float32), target[:, None].astype(np.float32))
    assert small == pytest.approx(evidence_of_numbers(features, target[:, None]), abs=1e-5)


def test_a_target_of_zeros_does_not_count():
    features, target = sets(6, 20, 4, 0.3)
    both = np.column_stack([target, np.zeros(20)])
    assert evidence_of_numbers(features, both) == evidence_of_numbers(features, target[:, None])
    with pytest.raises(ValueError, match="all targets are 0"):
        evidence_of_numbers(features, np.zeros((20, 2)))


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(ValueError, match="features of shape"):
        evidence_of_classes(np.ones((3, 2)), np.array([0, 1]))
    with pytest.raises(ValueError, match="features of shape"):
        evidence_of_classes(np.ones((0, 2)), np.array([], int))
    with pytest.raises(ValueError, match="features are not finite"):
        evidence_of_classes(np.array([[1.0], [np.nan]]), np.array([0, 1]))
    with pytest.raises(ValueError, match="not all finite"):
        evidence_of_numbers(np.ones((2, 1)), np.array([[1.0], [np.nan]]))
