"""Seconds that a job takes, and those that it may take."""

import time
from contextlib import nullcontext

import pytest

from transfer.errors import TrainingError
from transfer.jobs.students.clock import TimeLimit


def test_training_ends_with_time_left_to_test_and_to_save():
    limit = TimeLimit(100.0, started=1000.0)
    assert limit.training_ends(0) == 1000 + 100 - 4 - 10
    assert limit.training_ends(500_000_000) == 1000 + 100 - 4 - 10 - 10


def test_a_limit_that_is_too_short_has_passed_already():
    assert TimeLimit(1.0, started=1000.0).training_ends(0) == 1000.0
    assert TimeLimit(60.0).started <= time.monotonic()


@pytest.mark.parametrize(("seconds", "is_hopeless"), [(4.4, True), (4.5, False)])
def test_a_limit_is_hopeless_where_nothing_is_left_to_learn_in_of_a_network_of_no_size(seconds, is_hopeless):
    limit = TimeLimit(seconds, started=1000.0)
    assert (limit.training_ends(0) == 1000.0) == is_hopeless
    with pytest.raises(TrainingError, match=r"A time limit of 4\.4 s") if is_hopeless else nullcontext():
        limit.refuse_hopeless()
