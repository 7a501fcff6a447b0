"""A network beside simple answers, over the same repeated folds."""

import shutil

import numpy as np
import pytest

import transfer
from transfer.errors import DataError
from transfer.evidence.repeated_folds import deal_repeatedly
from transfer.jobs.comparing_baselines import _draw
from transfer.jobs.preparing import prepare_student

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
        learnt = _draw(rows, pool, 3, 5 + number)
        assert set(learnt) <= set(pool)
        assert np.bincount(rows.labels[learnt]).tolist() == [3, 3, 3]
        run = transfer.finetune(student, rows.subset(learnt), test=rows.subset(tested), recipe=recipe)
        ways = {each.name: each.accuracy.value for each in (*run.result.baselines, run.result.score)}
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
