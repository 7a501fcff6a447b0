"""A network beside simple answers, over the same repeated folds."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import transfer
from transfer.errors import DataError
from transfer.evidence.repeated_folds import deal_repeatedly
from transfer.jobs.comparisons import comparing_baselines
from transfer.jobs.examples.dealing_folds import draw_shots
from transfer.jobs.students.learnt_baselines import SCRATCH, UNTRAINED
from transfer.jobs.students.preparing import prepare_student

NAMES = ["zero", "one", "two"]
WAYS = {
    "probe",
    "probe on random weights",
    "nearest neighbours on raw input",
    "logistic regression on raw input",
    "majority class",
    "stratified guess",
}


@pytest.fixture(scope="module")
def rows(digits):
    return transfer.from_arrays(digits[0], digits[1], NAMES)


@pytest.fixture(scope="module")
def found(student, rows):
    return transfer.compare_baselines(student, rows, shots=3, folds=2, repeats=2, seed=5)


def test_each_fold_is_what_a_run_on_it_finds(found, student, rows):
    assert {each.name for each in found.ways} == WAYS
    dealt = deal_repeatedly(rows.labelling, rows.targets, seed=5, folds=2, repeats=2)
    assert found.test_sizes == tuple(dealt.test_sizes.tolist())
    recipe = transfer.Recipe(transfer.Stage("probe"), seed=5)
    for number, (pool, tested) in enumerate(dealt):
        learnt = draw_shots(rows, pool, 3, 5 + number)
        assert set(learnt) <= set(pool)
        assert np.bincount(rows.labels[learnt]).tolist() == [3, 3, 3]
        sets = {"data": rows.subset(learnt), "test": rows.subset(tested)}
        run = transfer.finetune(student, recipe=recipe, **sets)
        # What needs no network is drawn with a seed of its own in each fold, as a run with this seed draws it.
        drawn = int(np.random.SeedSequence([5, number]).generate_state(1)[0])
        simple = transfer.finetune(student, recipe=replace(recipe, seed=drawn), **sets)
        ways = {each.name: each.accuracy.value for each in (*simple.result.baselines, run.result.score)}
        told = {name: found.of(name).folds[number] for name in ways}
        assert told == pytest.approx(ways)


def test_the_accuracy_is_over_all_repeats_and_the_first_of_the_table_is_the_best(found):
    sizes = np.array(found.test_sizes)
    for each in found.ways:
        assert each.accuracy.value == pytest.approx((np.array(each.folds) * sizes).sum() / sizes.sum())
    values = [each.accuracy.value for each in found.ways]
    assert values == sorted(values, reverse=True)


def test_the_same_seed_gives_the_same_and_more_repeats_leave_the_first_as_they_are(found, student, rows):
    again = transfer.compare_baselines(student, rows, shots=3, folds=2, repeats=3, seed=5)
    for each in found.ways:
        assert again.of(each.name).folds[:4] == each.folds
    assert transfer.compare_baselines(student, rows, shots=3, folds=2, repeats=2, seed=5) == found


def test_a_recipe_that_trains_on_stands_beside_its_probe_and_from_scratch_on_demand(student, rows):
    recipe = transfer.named_recipe("lp-ft", examples=15, seed=1)
    told = transfer.compare_baselines(student, rows, recipe=recipe, folds=2, repeats=1, scratch=True)
    assert told.model == "tuned"
    assert {each.name for each in told.ways} == {*WAYS, "tuned", "trained from scratch"}
    assert set(told.differences) == {*WAYS, "trained from scratch"}


def test_copies_are_in_one_fold_so_that_noise_cannot_be_remembered(student):
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (45, 28, 28), np.uint8)
    labels = np.arange(45) % 3
    twice = transfer.from_arrays(np.concatenate([noise, noise]), np.concatenate([labels, labels]), NAMES)
    told = transfer.compare_baselines(student, twice, folds=3, repeats=2)
    assert max(each.accuracy.value for each in told.ways) < 0.6  # each copy has its label: apart, all would be right


def test_a_guess_is_drawn_anew_in_each_fold(student, monkeypatch):
    """Over all folds it comes to 1/3 with the spread of so many draws, also of data sorted by class."""
    images = np.random.default_rng(0).integers(0, 256, (60, 28, 28), np.uint8)
    data = transfer.from_arrays(images, np.repeat(np.arange(3), 20), NAMES)
    monkeypatch.setattr(comparing_baselines, "make_rivals", lambda *_: {})
    off = []
    for seed in range(4):
        told = transfer.compare_baselines(student, data, folds=2, repeats=8, seed=seed)
        off.append((told.of("stratified guess").accuracy.value - 1 / 3) / np.sqrt(2 / 9 / (8 * 60)))
    assert np.sqrt(np.mean(np.square(off))) < 2  # one draw for all folds: about sqrt(16) = 4


def test_networks_trained_from_scratch_are_made_for_as_many_as_are_learnt_from(student, rows, monkeypatch):
    asked = []

    def spied(_, examples, *wanted):
        asked.append((examples, *wanted))
        return {}

    monkeypatch.setattr(comparing_baselines, "make_rivals", spied)
    transfer.compare_baselines(student, rows, shots=3, folds=2, repeats=1)
    transfer.compare_baselines(student, rows, folds=3, repeats=1, scratch=True)
    assert asked == [(9, (UNTRAINED,)), (len(rows) * 2 // 3, (UNTRAINED, SCRATCH))]


def test_no_example_at_all_is_refused_as_a_run_refuses_it(student, rows):
    nothing = rows.subset(np.zeros(0, np.int64))
    with pytest.raises(DataError, match="holds no example that can be used"):
        transfer.compare_baselines(student, nothing)


def test_classes_of_copies_alone_are_refused_and_copies_count_as_one(student, digits):
    copies = transfer.from_arrays(np.repeat(digits[0][:3], 4, axis=0), np.repeat(np.arange(3), 4), NAMES)
    with pytest.raises(DataError, match=r"at least two groups \(copies count as one\)"):
        transfer.compare_baselines(student, copies, folds=2, repeats=1)


def test_a_note_says_that_random_weights_are_one_draw(found):
    assert any(each.startswith("random weights are one draw") for each in found.notes)


def test_too_few_for_the_shots_are_refused_by_class(student, rows):
    with pytest.raises(DataError) as refused:
        transfer.compare_baselines(student, rows, shots=6, folds=2, repeats=1)
    assert [each.where for each in refused.value.problems] == [f"class {name!r}" for name in NAMES]
    assert refused.value.problems[0].found == "5"


def test_several_outputs_are_refused_with_what_to_do(student):
    images = np.zeros((4, 28, 28), np.uint8)
    data = transfer.from_arrays(images, {"a": ["x", "y", "x", "y"], "b": ["u", "u", "v", "v"]})
    with pytest.raises(DataError, match="one output of classes"):
        transfer.compare_baselines(student, data)


def test_pictures_that_cannot_be_read_are_left_out_on_demand(restored, digits_folder, truncate, tmp_path):
    shutil.copytree(digits_folder, tmp_path / "pictures")
    truncate(tmp_path / "pictures" / "digit_0" / "damaged.jpg")
    data = transfer.read_labelled(tmp_path / "pictures")
    student = prepare_student(restored, data.labelling)
    with pytest.raises(DataError, match=r"damaged\.jpg"):
        transfer.compare_baselines(student, data, folds=2, repeats=1)
    told = transfer.compare_baselines(student, data, folds=2, repeats=1, skip_unreadable=True)
    assert told.examples == 30
    assert "examples that cannot be read, left out: 1" in told.notes
    whole = prepare_student(restored, data.labelling)
    alone = transfer.compare_baselines(whole, transfer.read_labelled(digits_folder), folds=2, repeats=1)
    assert [each.name for each in told.ways] == [each.name for each in alone.ways]
