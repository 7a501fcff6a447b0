"""What is told of an input, against numpy on all values at once."""

import numpy as np
import pytest

from transfer.analysis.input_reports import report_input
from transfer.analysis.moments import Moments, moments_of

RANDOM = np.random.default_rng(3)


def test_the_input_is_told_as_a_whole_and_channel_by_channel() -> None:
    values = RANDOM.normal(size=(40, 5, 5, 3)) * np.array([1.0, 20.0, 3.0]) + np.array([0.0, 100.0, -4.0])
    moments = moments_of(values)
    found = report_input(moments)
    assert found.mean == pytest.approx(values.mean())
    assert found.std == pytest.approx(values.std())
    assert found.rms == pytest.approx(np.sqrt((values**2).mean()))
    assert (found.low, found.high) == (values.min(), values.max())
    np.testing.assert_allclose(found.channels, np.stack([values.mean((0, 1, 2)), values.std((0, 1, 2))], axis=1))
    assert np.isnan(report_input(Moments.empty(2)).rms)


def test_the_deviation_of_an_input_far_from_0_is_not_lost() -> None:
    values = np.stack([np.full(50, 1e9), 1e9 + np.linspace(0, 1e-3, 50)], axis=1)
    assert report_input(moments_of(values)).std == pytest.approx((values - 1e9).std(), rel=1e-3)
