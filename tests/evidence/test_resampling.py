"""Bootstrap bounds against SciPy's, against the counts that theory gives, and by how often they hold the truth."""

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap

from transfer.evidence.resampling import LEAST, RESAMPLES, bootstrap, mean_defined, ratio, resamples


def mean_of(values):
    return lambda counts: (counts @ values / counts.sum(1))[:, None]


def test_resamples_draw_as_many_as_there_are_each_alike_often():
    drawn = np.concatenate(list(resamples(50, 3)))
    assert drawn.shape == (RESAMPLES, 50)
    assert (drawn.sum(1) == 50).all()
    assert (drawn == 0).mean() == pytest.approx((1 - 1 / 50) ** 50, abs=0.01)
    assert np.abs(drawn.mean(0) - 1).max() < 5 / np.sqrt(RESAMPLES)


def test_resamples_in_blocks_are_as_many_and_repeat():
    drawn = list(resamples(5000, 3))
    assert len(drawn) > 1
    assert sum(map(len, drawn)) == RESAMPLES
    assert all(np.array_equal(one, other) for one, other in zip(drawn, resamples(5000, 3), strict=True))


def test_bounds_are_those_of_scipy_but_for_chance():
    values = np.random.default_rng(1).exponential(size=200)
    found = bootstrap(mean_of(values), np.arange(200), seed=0)
    expected = scipy_bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=2).confidence_interval
    assert found.values[0] == pytest.approx(values.mean())
    assert found.low[0] == pytest.approx(expected.low, abs=0.02)
    assert found.high[0] == pytest.approx(expected.high, abs=0.02)


def test_bounds_are_quantiles_of_the_resamples_that_define_the_measure():
    values = np.random.default_rng(1).normal(size=40)

    def statistic(counts):
        means = counts @ values / 40
        return np.where(counts[:, 0] > 4, np.nan, means)[:, None]

    drawn = np.concatenate([statistic(counts) for counts in resamples(40, 7)])[:, 0]
    found = bootstrap(statistic, np.arange(40), seed=7)
    assert 0 < np.isnan(drawn).sum() < 100
    assert (found.low[0], found.high[0]) == pytest.approx(tuple(np.nanquantile(drawn, [0.025, 0.975])))


def test_bounds_hold_the_truth_about_as_often_as_they_say():
    held = 0
    for trial in range(300):
        found = bootstrap(mean_of(np.random.default_rng(trial).normal(size=60)), np.arange(60), seed=trial)
        held += found.low[0] <= 0 <= found.high[0]
    assert 0.90 <= held / 300 <= 0.98


@pytest.mark.parametrize("count", [1, LEAST - 1])
def test_few_examples_have_no_bounds(count):
    found = bootstrap(mean_of(np.arange(float(count))), np.arange(count), seed=0)
    assert found.values[0] == (count - 1) / 2
    assert np.isnan([found.low[0], found.high[0]]).all()


def test_where_no_two_resamples_differ_there_are_no_bounds():
    assert np.isnan(bootstrap(mean_of(np.ones(100)), np.arange(100), seed=0).low[0])


def test_where_many_resamples_leave_it_undefined_there_are_no_bounds():
    values = np.random.default_rng(0).normal(size=50)

    def statistic(counts):
        return np.where(counts[:, 0] == 0, np.nan, counts @ values)[:, None]

    assert np.isnan(bootstrap(statistic, np.arange(50), seed=0).low[0])


def test_measures_that_are_not_defined_are_left_out():
    found = bootstrap(lambda counts: np.stack([counts.sum(1) * np.nan, counts.sum(1)], axis=1), np.arange(30), seed=0)
    (measure,) = found.measures(("nothing", "count"), (1, 30))
    assert (measure.name, measure.value, measure.low, measure.high, measure.examples) == ("count", 30.0, None, None, 30)


def test_ratios_and_means_pass_over_what_is_not_defined():
    shares = ratio(np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([[2.0, 0.0], [0.0, 0.0]]))
    np.testing.assert_array_equal(shares, [[0.5, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(mean_defined(shares), [0.5, np.nan])


def test_groups_are_drawn_as_wholes():
    random = np.random.default_rng(3)
    groups = np.repeat(np.arange(40), 5)
    values = random.normal(size=40)[groups] + 0.1 * random.normal(size=200)
    found = bootstrap(mean_of(values), groups, seed=0)
    of_groups = bootstrap(mean_of(values.reshape(40, 5).mean(1)), np.arange(40), seed=0)
    assert (found.low[0], found.high[0]) == pytest.approx((of_groups.low[0], of_groups.high[0]))


def test_few_groups_have_no_bounds_however_many_examples_they_are_of():
    found = bootstrap(mean_of(np.arange(900.0)), np.arange(900) % (LEAST - 1), seed=0)
    assert np.isnan(found.low[0])


def test_bounds_never_leave_their_value_out():
    values = np.zeros(200)
    values[0] = 1.0
    highest = bootstrap(lambda counts: (values * (counts > 0)).max(1)[:, None] + counts[:, :3], np.arange(200), seed=0)
    assert (highest.low <= highest.values).all()
    assert (highest.values <= highest.high).all()
