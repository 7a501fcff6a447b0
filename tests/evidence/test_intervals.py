"""Intervals for shares, against scipy's."""

from statistics import NormalDist

import pytest
from scipy.stats import binomtest

from transfer.evidence.intervals import wilson


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
