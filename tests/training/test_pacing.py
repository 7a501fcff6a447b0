"""Calls grow while they are short."""

from transfer.training.pacing import Pace


def noted(*seconds: float, batch_bytes: int = 1000) -> list[int]:
    pace, found = Pace(), []
    for each in seconds:
        found.append(pace.steps)
        pace.note(each, batch_bytes)
    return [*found, pace.steps]


def test_short_calls_double_up_to_a_most():
    assert noted(*[0.001] * 8) == [1, 2, 4, 8, 16, 32, 64, 64, 64]


def test_calls_of_middling_length_stay_and_long_ones_are_halved():
    assert noted(0.01, 0.01, 0.1, 0.5, 0.5, 3.0) == [1, 2, 4, 4, 2, 1, 1]


def test_a_call_that_traces_takes_one_step_more():
    assert noted(2.0, 0.01) == [1, 1, 2]


def test_large_batches_stay_within_the_memory_for_a_call():
    assert noted(*[0.001] * 4, batch_bytes=10_000_000) == [1, 2, 3, 3, 3]
    assert noted(0.001, batch_bytes=10**9) == [1, 1]
