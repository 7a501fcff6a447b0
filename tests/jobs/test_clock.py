"""Seconds that a job takes, and those that it may take."""

import time

from transfer.jobs.clock import TimeLimit


def test_training_ends_with_time_left_to_test_and_to_save():
    limit = TimeLimit(100.0, started=1000.0)
    assert limit.training_ends(0) == 1000 + 100 - 4 - 10
    assert limit.training_ends(500_000_000) == 1000 + 100 - 4 - 10 - 10


def test_a_limit_that_is_too_short_has_passed_already():
    assert TimeLimit(1.0, started=1000.0).training_ends(0) == 1000.0
    assert TimeLimit(60.0).started <= time.monotonic()
