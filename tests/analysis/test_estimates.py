"""Estimates add up and are printed so that people can read them."""

import json

import pytest

from transfer.analysis.estimates import Estimate, Pace


def test_what_is_built_once_is_paid_once_and_not_at_all_for_nothing():
    pace = Pace(first=2.0, each=0.5)
    assert [pace.seconds(count) for count in (0, 1, 10)] == [0, 2.5, 7]


def test_totals_are_sums_and_json_names_units():
    found = Estimate({"reading": 1.5, "tuning": 60.0}, {"features": 2_000_000, "solving": 500_000})
    assert json.loads(json.dumps(found.to_json())) == {
        "seconds": {"total": 61.5, "reading": 1.5, "tuning": 60.0},
        "memory_bytes": {"total": 2_500_000, "features": 2_000_000, "solving": 500_000},
    }


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (7.2, "about 7 s here: tuning 7.2"),
        (300.0, "about 5 min here: tuning 300"),
        (9000.0, "about 2.5 h here: tuning 9000"),
    ],
)
def test_long_times_are_told_in_minutes_and_hours_and_parts_of_no_time_not_at_all(seconds, said):
    assert str(Estimate({"reading": 0.0, "tuning": seconds}, {})) == said
