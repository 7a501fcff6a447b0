"""What a time limit does to a run, by estimates made by hand."""

import pytest

from transfer.analysis.estimates import Estimate
from transfer.analysis.time_checks import check_time

SECONDS = {
    "starting": 5.0,
    "reading": 1.0,
    "features": 4.0,
    "solving": 2.0,
    "tuning": 20.0,
    "testing": 1.0,
    "baselines": 3.0,
    "saving": 4.0,
}


def check(limit, learning, **changes):
    return check_time(Estimate({**SECONDS, **changes}, {}), limit=limit, learning=learning)


def test_the_head_can_be_solved_behind_the_baselines_and_saving_is_no_learning():
    found = check(100.0, 86.0)
    assert (found.ready, found.trained) == (5 + 1 + 4 + 3, 5 + 1 + 4 + 3 + 2 + 20 + 1)
    assert check(100.0, 86.0, solving=0.0).ready == 5 + 1 + 4  # training by steps does not wait


@pytest.mark.parametrize(
    ("limit", "learning", "outcome", "said"),
    [
        (
            300.0,
            266.0,
            "whole",
            "the time limit of 5 min is enough: all is learnt after about 36 s, and the last 34 s are for testing and "
            "saving",
        ),
        (
            30.0,
            23.0,
            "cut short",
            "the time limit of 30 s cuts training short: it is done after about 36 s, and the last 7 s are for testing "
            "and saving; the best that is found and validated by then is kept",
        ),
        (
            19.0,
            13.0,
            "no run",
            "the time limit of 19 s is too short: learning begins after about 13 s, and the last 6 s are for testing "
            "and saving; there would be no run, and the command would end with 7",
        ),
    ],
)
def test_what_becomes_of_the_run_is_said_in_a_sentence(limit, learning, outcome, said):
    found = check(limit, learning)
    assert (found.outcome, str(found)) == (outcome, said)
    assert found.to_json() == {
        "limit_seconds": limit,
        "learning_seconds": learning,
        "ready_seconds": 13.0,
        "trained_seconds": 36.0,
        "outcome": outcome,
    }


def test_a_run_that_ends_just_in_time_is_whole():
    assert check(45.0, 36.0).outcome == "whole"
