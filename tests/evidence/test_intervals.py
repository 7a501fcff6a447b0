"""Intervals for shares, against scipy's."""

from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import binomtest

from transfer.evidence.intervals import wilson, wilson_of_groups


@pytest.mark.parametrize("trials", [1, 2, 3, 10, 75, 1000])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.33, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95, 0.99])
def test_bounds_are_those_of_scipy(trials, share, confidence):
    successes = round(share * trials)
    found = wilson(successes, trials, confidence=confidence)
    expected = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    assert found.value == successes / trials
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)
    assert found.confidence == confidence


@pytest.mark.parametrize("trials", [1, 7, 400, 10**6])
def test_nothing_right_and_everything_right_have_open_intervals_that_mirror_each_other(trials):
    none, all_ = wilson(0, trials), wilson(trials, trials)
    z = NormalDist().inv_cdf(0.975)
    assert none.low == 0
    assert all_.high == 1
    assert none.high == pytest.approx(z**2 / (trials + z**2))
    assert all_.low == pytest.approx(1 - none.high)
    assert 0 < none.high < 1


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5), (1, -3)])
def test_counts_that_cannot_be_are_refused(successes, trials):
    with pytest.raises(ValueError, match=f"{successes} successes in {trials} trials"):
        wilson(successes, trials)


def test_groups_that_agree_within_tell_as_much_as_that_many_examples():
    right = np.arange(40) % 4 > 0
    found = wilson_of_groups(np.repeat(right, 6), np.repeat(np.arange(40), 6))
    share = wilson(30, 40)
    assert found.value == 0.75
    assert found.low == pytest.approx(share.low, abs=0.005)
    assert found.high == pytest.approx(share.high, abs=0.005)


def test_groups_that_do_not_matter_tell_as_much_as_their_examples():
    random = np.random.default_rng(0)
    right = random.random(6000) < 0.8
    found, plain = wilson_of_groups(right, random.integers(0, 2000, 6000)), wilson(int(right.sum()), 6000)
    assert found.high - found.low == pytest.approx(plain.high - plain.low, rel=0.1)


@pytest.mark.parametrize("all_right", [True, False])
def test_where_all_are_alike_each_group_tells_as_much_as_one_example(all_right):
    found = wilson_of_groups(np.full(90, all_right), np.arange(90) % 15)
    expected = wilson(15 if all_right else 0, 15)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_one_group_tells_as_much_as_one_example():
    found = wilson_of_groups(np.arange(20) < 10, np.zeros(20, int))
    assert found.high - found.low > 0.85


def test_intervals_of_groups_hold_the_truth_about_as_often_as_they_say():
    held = plain = 0
    for trial in range(400):
        random = np.random.default_rng(trial)
        groups = np.repeat(np.arange(40), 8)
        right = random.random(320) < random.beta(4, 2, 40)[groups]
        found, naive = wilson_of_groups(right, groups), wilson(int(right.sum()), 320)
        held += found.low <= 4 / 6 <= found.high
        plain += naive.low <= 4 / 6 <= naive.high
    assert 0.91 <= held / 400 <= 0.98
    assert plain / 400 < 0.9
