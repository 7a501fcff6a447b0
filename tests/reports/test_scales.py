"""Round numbers along a scale."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.reports.scales import number, spread_ticks


@given(st.floats(-1e9, 1e9), st.floats(1e-9, 1e9))
def test_ticks_span_what_is_shown_evenly_and_are_few(low, span):
    high = low + span
    ticks = spread_ticks(low, high)
    room = 1e-6 * max(abs(low), abs(high), span)
    assert ticks[0] <= low + room
    assert ticks[-1] >= high - room
    assert 2 <= len(ticks) <= 8


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.0, 10.0, [0, 2, 4, 6, 8, 10]),
        (-1.0, 1.0, [-1, -0.5, 0, 0.5, 1]),
        (0.0, 12.0, [0, 2.5, 5, 7.5, 10, 12.5]),
    ],
)
def test_ticks_are_round(low, high, wanted):
    assert spread_ticks(low, high) == pytest.approx(wanted)


@pytest.mark.parametrize(("low", "high"), [(-1e308, 1e308), (0.0, 1e-310), (1e-310, 1e-310)])
def test_numbers_at_the_ends_of_what_there_is_have_a_scale_too(low, high):
    ticks = spread_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high


@pytest.mark.parametrize("value", [0.0, 3.0, -2.5, 1e-9])
def test_a_single_value_has_a_scale_too(value):
    ticks = spread_ticks(value, value)
    assert ticks[0] <= value <= ticks[-1]
    assert len(ticks) >= 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.000"), (0.58, "0.580"), (12.3456, "12.346"), (0.00012345, "0.0001234"), (12345.6, "1.235e+04")],
)
def test_numbers_are_read_with_three_places_or_four_digits(value, text):
    assert number(value) == text
