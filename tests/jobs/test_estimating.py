"""From measured paces to the whole, with paces made by hand."""

import pytest

from transfer.analysis.estimates import Pace
from transfer.jobs.finetuning.estimating import SAVING, Counts, Measured, Sizes, estimate_run, kept_bytes, peak_bytes
from transfer.jobs.finetuning.rehearsing import Rehearsal, SolvingPace, StagePace, solving_work
from transfer.recipes import Recipe, Stage

SIZES = Sizes(features=100, pixels=300, pixel_type=1, weight_bytes=1000, memory_bytes=10**9)
PREFIX, BETWEEN, STEP, ANSWER = Pace(1, 0.5), Pace(2, 0.25), Pace(3, 0.125), Pace(1, 1)
TUNE = Stage("tune", unfreeze_last=1, epochs=4, batch_size=20)


def measured(*stages):
    rehearsal = Rehearsal(PREFIX, "key", 400, ANSWER, stages)
    return Measured(5.0, 2.0, 0.1, 0.01, SolvingPace(1.0, 0.5, 1e-4), rehearsal)


def test_a_probe_reads_runs_solves_tests_and_saves():
    counts = Counts(learnt=48, tried=0, tested=16)
    seconds = estimate_run(Recipe(Stage("probe")), counts, measured(StagePace(Pace(), Pace())), SIZES).seconds
    assert seconds["starting"] == 5
    assert seconds["reading"] == pytest.approx(3 * 0.1 + 64 * 0.01)
    assert seconds["features"] == 1 + 4 * 0.5  # four batches of sixteen
    assert seconds["solving"] == pytest.approx(1 + 0.5 + 1e-4 * solving_work(48, 48))  # 48 examples span 48 coordinates
    assert seconds["tuning"] == 0
    assert seconds["testing"] == 1 + 1
    assert seconds["baselines"] == pytest.approx(0.5 + 1e-4 * solving_work(48, 48))
    assert seconds["saving"] == SAVING * 2


def test_features_that_are_kept_already_are_not_computed_and_their_pictures_not_read():
    paces = measured(StagePace(Pace(), Pace()))
    seconds = [estimate_run(Recipe(Stage("probe")), Counts(48, 0, 16, kept), paces, SIZES).seconds for kept in (32, 64)]
    assert [each["features"] for each in seconds] == [1 + 2 * 0.5, 0]
    assert [each["reading"] for each in seconds] == pytest.approx([3 * 0.1 + 32 * 0.01, 3 * 0.1])


def test_tuning_is_done_twice_where_something_is_held_out_to_choose_by():
    recipe = Recipe((Stage("probe"), TUNE))
    stages = (StagePace(BETWEEN, Pace(), 40), StagePace(Pace(), STEP))
    seconds = estimate_run(recipe, Counts(learnt=100, tried=80, tested=28), measured(*stages), SIZES).seconds
    steps = (3 + 4 * 4 * 0.125) + (3 + 4 * 5 * 0.125)  # 80 and 100 examples in batches of 20, four epochs
    validated = 2 * 3 / 3 + (4 + 11) * 20 * 0.125 / 3 / 20  # each epoch, and eleven points of the line
    assert seconds["tuning"] == pytest.approx(1.1 * (steps + validated))
    assert seconds["features"] == 1 + 8 * 0.5 + 2 + 8 * 0.25
    assert seconds["solving"] == pytest.approx(1 + 2 * 0.5 + 1e-4 * (solving_work(100, 100) + solving_work(80, 80)))
    assert seconds["testing"] == 2 * (1 + 2)


def test_steps_and_a_rate_to_find_count():
    recipe = Recipe((Stage("tune", unfreeze_last=1, steps=50, rate="auto"),), validation=0)
    seconds = estimate_run(recipe, Counts(100, 0, 28), measured(StagePace(Pace(), STEP)), SIZES).seconds
    assert seconds["tuning"] == pytest.approx(1.1 * (3 + 50 * 0.125 + 3 + 120 * 0.125))


def test_changed_copies_are_read_run_and_kept_beside_the_examples():
    recipe = Recipe((Stage("probe"), Stage("tune", unfreeze_last=1, augment=("flip",), views=3)), validation=0)
    counts, stages = Counts(learnt=32, tried=0, tested=16), (StagePace(Pace(), Pace()), StagePace(BETWEEN, STEP, 40))
    paces = measured(*stages)
    assert kept_bytes(recipe, counts, paces.rehearsal) == 400 * (48 + 96) + 40 * (48 + 96)
    seconds = estimate_run(recipe, counts, paces, SIZES).seconds
    assert seconds["features"] == 1 + 3 * 0.5 + 6 * 0.5 + 2 + 9 * 0.25
    assert seconds["reading"] == pytest.approx(0.3 + 0.01 * (48 + 96))


def test_memory_is_that_of_this_process_and_what_grows_with_the_examples():
    counts, paces = Counts(learnt=48, tried=0, tested=16), measured(StagePace(Pace(), Pace()))
    memory = dict(estimate_run(Recipe(Stage("probe")), counts, paces, SIZES).memory_bytes)
    assert memory.pop("libraries, network and a batch") == pytest.approx(peak_bytes(), rel=0.01)
    assert memory == {"features": 64 * 400, "solving": 48 * 300 + 3 * 8 * 48 * 300}  # pixels: the wider
    little = Sizes(100, 300, 1, 1000, memory_bytes=1000)
    assert estimate_run(Recipe(Stage("probe")), counts, paces, little).memory_bytes["features"] == 1000


def test_solving_many_examples_takes_no_copies_of_them():
    counts, paces = Counts(learnt=1_000_000, tried=0, tested=16), measured(StagePace(Pace(), Pace()))
    memory = estimate_run(Recipe(Stage("probe")), counts, paces, SIZES).memory_bytes
    assert memory["solving"] == 4 * 1_000_000 * 100 + 8 * 100**2
    seconds = estimate_run(Recipe(Stage("probe")), counts, paces, SIZES).seconds
    assert seconds["baselines"] == pytest.approx(0.5 + 1e-4 * solving_work(10_000, 300))  # it learns from ten thousand
