"""Streamed moments against numpy and scipy on everything at once."""

import numpy as np
import pytest
from scipy import stats

from transfer.analysis.moments import Moments, moments_of, moments_of_all

RANDOM = np.random.default_rng(3)


def streamed(values: np.ndarray, sizes: list[int]) -> Moments:
    found = Moments.empty(values.shape[-1])
    for part in np.split(values, np.cumsum(sizes)[:-1]):
        found = found.update(part)
    return found


def check(found: Moments, values: np.ndarray, rtol: float = 1e-9) -> None:
    rows = values.reshape(-1, values.shape[-1]).astype(np.float64)
    np.testing.assert_array_equal(found.count, len(rows))
    np.testing.assert_array_equal(found.low, rows.min(0))
    np.testing.assert_array_equal(found.high, rows.max(0))
    np.testing.assert_allclose(found.mean, rows.mean(0), rtol=1e-12, atol=1e-15 * np.abs(rows).max())
    np.testing.assert_allclose(found.variance, rows.var(0), rtol=rtol)
    np.testing.assert_allclose(found.std, rows.std(0), rtol=rtol)
    np.testing.assert_allclose(found.skewness, stats.skew(rows), rtol=rtol, atol=1e-8)
    np.testing.assert_allclose(found.kurtosis, stats.kurtosis(rows), rtol=rtol, atol=1e-8)


@pytest.fixture
def values() -> np.ndarray:
    """(60, 5, 4): a Gaussian, an exponential, a uniform one, and one with rare large values."""
    random = np.random.default_rng(3)
    columns = [
        random.normal(2, 3, (60, 5)),
        random.exponential(1, (60, 5)),
        random.uniform(-1, 0, (60, 5)),
        random.standard_t(3, (60, 5)),
    ]
    return np.stack(columns, -1)


@pytest.mark.parametrize("sizes", [[60], [1, 59], [7, 13, 40], [20, 0, 20, 20], [1] * 60], ids=str)
def test_moments_of_batches_are_those_of_all_values_at_once(values, sizes):
    check(streamed(values, sizes), values)


def test_moments_of_single_precision_are_worked_out_in_double(values):
    check(streamed(values.astype(np.float32), [10, 50]), values.astype(np.float32))


def test_small_noise_on_a_large_offset_keeps_its_moments(values):
    far = 1e6 + values * 1e-2
    found = streamed(far, [9, 50, 1])
    exact = (far.reshape(-1, 4) - 1e6).astype(np.float64)  # without rounding: the two are close to each other
    np.testing.assert_allclose(found.variance, exact.var(0), rtol=1e-7)
    np.testing.assert_allclose(found.kurtosis, stats.kurtosis(exact), rtol=1e-5, atol=1e-6)


def test_batches_that_lie_far_apart_keep_the_moments_of_all():
    random = np.random.default_rng(0)
    parts = [random.normal(center, 1, (50, 2)) for center in (-1e4, 0, 1e4)]
    found = Moments.empty(2)
    for part in parts:
        found = found.update(part)
    check(found, np.concatenate(parts))


def test_more_values_than_are_worked_on_at_a_time_are_all_counted():
    large = np.random.default_rng(1).gamma(2, 1, (3, 400, 500, 2)).astype(np.float32)
    check(moments_of(large), large, rtol=1e-7)


def test_merging_is_the_same_in_either_order_and_empty_changes_nothing(values):
    first, second = moments_of(values[:11]), moments_of(values[11:])
    check(first.merge(second), values)
    check(second.merge(first), values)
    check(Moments.empty(4).merge(moments_of(values)).merge(Moments.empty(4)), values)


def test_one_value_has_a_mean_and_no_shape():
    found = moments_of(np.array([[7.5, -2.0]]))
    assert found.mean.tolist() == [7.5, -2.0]
    assert found.variance.tolist() == [0, 0]
    assert np.isnan(found.skewness).all()
    assert np.isnan(found.kurtosis).all()


def test_a_unit_that_never_varies_has_no_shape_however_its_mean_is_rounded():
    found = streamed(np.full((30, 7, 1), 0.1), [1, 9, 20])
    assert found.mean.tolist() == [0.1]
    assert found.variance.tolist() == [0]
    assert np.isnan(found.kurtosis).all()


def test_nothing_seen_has_no_variance():
    found = Moments.empty(2)
    assert found.count.tolist() == [0, 0]
    assert np.isnan(found.variance).all()


def test_values_that_are_not_finite_are_counted_and_left_out_of_the_rest(values):
    spoilt = values.copy()
    spoilt[3, 2, 0], spoilt[3, 3, 0], spoilt[40, 0, 2] = np.nan, np.inf, -np.inf
    found = streamed(spoilt, [10, 50])
    assert found.nonfinite.tolist() == [2, 0, 1, 0]
    assert found.count.tolist() == [298, 300, 299, 300]
    for unit in range(4):
        column = spoilt[..., unit].ravel()
        column = column[np.isfinite(column)]
        assert found.low[unit] == column.min()
        assert found.high[unit] == column.max()
        assert found.mean[unit] == pytest.approx(column.mean())
        assert found.variance[unit] == pytest.approx(column.var())
        assert found.kurtosis[unit] == pytest.approx(stats.kurtosis(column))


def test_a_unit_with_nothing_finite_leaves_the_others_as_they_are():
    found = moments_of(np.array([[np.nan, 1.0], [np.inf, 3.0]])).update(np.array([[5.0, 5.0]]))
    assert found.count.tolist() == [1, 3]
    assert found.mean.tolist() == [5, 3]
    assert found.nonfinite.tolist() == [2, 0]


@pytest.mark.parametrize("shape", [(3,), (3, 5), (2, 2, 3)], ids=str)
def test_values_of_other_units_are_refused(shape):
    with pytest.raises(ValueError, match="expected"):
        Moments.empty(4).update(np.zeros(shape))


def test_moments_of_different_numbers_of_units_do_not_merge():
    with pytest.raises(ValueError, match="4 units and of 3"):
        Moments.empty(4).merge(Moments.empty(3))


@pytest.mark.parametrize("offset", [0.0, 5.0, 3000.0])
def test_moments_of_all_values_are_those_of_one_unit(offset: float) -> None:
    values = (RANDOM.gamma(2, 1, (7, 30, 31, 13)) + offset).astype(np.float32)
    found, flat = moments_of_all(values), values.ravel().astype(np.float64)
    assert found.count[0] == flat.size
    assert found.mean[0] == pytest.approx(flat.mean(), rel=1e-7)
    assert found.variance[0] == pytest.approx(flat.var(), rel=1e-4)
    assert found.skewness[0] == pytest.approx(stats.skew(flat), rel=1e-3)
    assert found.kurtosis[0] == pytest.approx(stats.kurtosis(flat), rel=1e-3)
    assert (found.low[0], found.high[0]) == (flat.min(), flat.max())


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1e12, 1e30])
def test_moments_of_all_values_are_as_right_for_very_small_and_very_large_ones(size: float) -> None:
    values = (RANDOM.gamma(2, 1, (50, 40)) * size).astype(np.float32)
    found, flat = moments_of_all(values), values.ravel().astype(np.float64)
    assert found.std[0] == pytest.approx(flat.std(), rel=1e-4)
    assert found.kurtosis[0] == pytest.approx(stats.kurtosis(flat / size), rel=1e-3)


@pytest.mark.parametrize("units", [1, 2, 5, 8, 13])
def test_pooled_moments_are_those_of_all_units_together(units: int) -> None:
    values = RANDOM.normal(size=(30, units)) * np.arange(1, units + 1) + np.arange(units)
    found = moments_of(values).pooled
    assert (found.units, found.count[0]) == (1, values.size)
    assert found.mean[0] == pytest.approx(values.mean())
    assert found.std[0] == pytest.approx(values.std())
    assert found.kurtosis[0] == pytest.approx(stats.kurtosis(values.ravel()))
    assert moments_of(values).rms == pytest.approx(np.sqrt((values**2).mean()))


def test_of_no_values_there_is_no_root_mean_square() -> None:
    assert Moments.empty(0).pooled.count[0] == 0
    assert np.isnan(Moments.empty(2).rms)
