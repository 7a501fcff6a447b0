"""Statistics of examples put together are those of all their values."""

import numpy as np

from transfer.analysis.pooled_moments import PooledMoments


def test_mean_and_variance_of_examples_give_those_of_all_values_in_any_batches():
    values = np.random.default_rng(0).gamma(2, 3, (23, 4, 5, 6)) + np.arange(23)[:, None, None, None]
    found = PooledMoments.empty(6)
    for part in np.split(values, [1, 9, 10]):
        found = found.update(part.mean((1, 2)), part.var((1, 2)))
    np.testing.assert_allclose(found.mean, values.mean((0, 1, 2)))
    np.testing.assert_allclose(found.variance, values.var((0, 1, 2)))


def test_a_channel_with_values_that_are_not_finite_has_no_mean():
    found = PooledMoments.empty(2).update(np.array([[1.0, np.inf], [3.0, 2.0]]), np.zeros((2, 2)))
    assert found.mean[0] == 2
    assert np.isnan(found.mean[1])
