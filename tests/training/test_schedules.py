"""The rate at each step, by hand."""

import pytest

from transfer.recipes import Stage
from transfer.training.schedules import rate_at


def rates(steps: int, **options) -> list[float]:
    stage = Stage("tune", unfreeze_last=0, **{"rate": 0.8, **options})
    return [rate_at(stage, step, steps) for step in range(steps)]


def test_a_constant_rate_stays():
    assert rates(3) == [0.8, 0.8, 0.8]


def test_warm_up_rises_in_a_line_to_the_whole_rate():
    assert rates(8, warmup=0.5) == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8, 0.8, 0.8])


def test_linear_falls_towards_zero():
    assert rates(4, schedule="linear") == pytest.approx([0.8, 0.6, 0.4, 0.2])


def test_linear_begins_where_warm_up_ends():
    assert rates(6, schedule="linear", warmup=1 / 3) == pytest.approx([0.4, 0.8, 0.8, 0.6, 0.4, 0.2])


def test_cosine_is_half_way_down_in_the_middle():
    values = rates(6, schedule="cosine")
    root = 3**0.5 / 2  # cos 30°, cos 60°, cos 90° and so on
    assert values == pytest.approx([0.8, 0.4 * (1 + root), 0.6, 0.4, 0.2, 0.4 * (1 - root)])


def test_steps_fall_to_a_tenth_at_30_60_and_90_percent():
    assert rates(10, schedule="steps") == pytest.approx([0.8] * 3 + [0.08] * 3 + [0.008] * 3 + [0.0008])


def test_the_tenths_are_of_all_steps_also_after_warm_up():
    assert rates(10, schedule="steps", warmup=0.2) == pytest.approx(
        [0.4, 0.8, 0.8] + [0.08] * 3 + [0.008] * 3 + [0.0008]
    )


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "steps"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_no_step_is_without_a_rate_or_above_the_whole(schedule, warmup, steps):
    assert all(0 < each <= 0.8 for each in rates(steps, schedule=schedule, warmup=warmup))


def test_a_step_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="step 3 of 3"):
        rate_at(Stage("tune", unfreeze_last=0), 3, 3)


def test_a_rate_that_is_not_found_yet_is_refused():
    with pytest.raises(ValueError, match="auto"):
        rate_at(Stage("tune", unfreeze_last=0, rate="auto"), 0, 3)
