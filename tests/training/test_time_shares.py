"""What is left of a limited time, among the parts that are to come."""

import time

import pytest

from transfer.training.time_shares import TimeShares


def test_each_part_gets_as_much_as_any_other_and_what_one_leaves_goes_to_the_rest(monkeypatch):
    now = iter([0.0, 10.0, 60.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    shares = TimeShares(deadline=100.0, parts=3)
    assert shares.take() == pytest.approx(100 / 3)
    assert shares.take() == 55.0  # begun at 10: half of what is left
    assert shares.take() == 100.0


def test_past_the_deadline_nothing_is_left(monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 7.0)
    shares = TimeShares(deadline=5.0, parts=2)
    assert shares.is_over
    assert shares.take() == 7.0


def test_without_a_limit_there_is_none():
    shares = TimeShares(None, 2)
    assert shares.take() is None
    assert not shares.is_over
