"""Accuracy against shots, over the same divisions."""

import shutil

import numpy as np
import pytest

import transfer
from transfer.data.labelled_splits import split_labelled
from transfer.errors import DataError
from transfer.jobs.examples.dealing_shots import first_of_each
from transfer.jobs.students.preparing import prepare_student


@pytest.fixture(scope="module")
def rows(digits):
    return transfer.from_arrays(digits[0], digits[1], ["zero", "one", "two"])


@pytest.fixture(scope="module")
def curve(restored, rows, tmp_path_factory):
    student = prepare_student(restored, rows.labelling)
    cache = tmp_path_factory.mktemp("kept")
    return transfer.draw_curve(student, rows, shots=(4, 1, 99), recipes=("probe",), divisions=3, seed=2, cache=cache)


def test_every_way_is_tested_on_the_same_examples_with_few_and_more_labels(curve, rows):
    assert curve.ways == ("probe", "probe on random weights", *BASELINES)
    assert [(each.shots, each.way) for each in curve.points] == [(k, way) for k in (1, 4) for way in curve.ways]
    assert {each.tested for each in curve.points} == {curve.points[0].tested}
    assert {each.learnt for each in curve.points} == {(3,) * 3, (12,) * 3}
    assert all(sum(each) == len(rows) for point in curve.points for each in zip(point.pool, point.tested, strict=True))


def test_a_point_is_what_a_run_on_that_division_finds(curve, restored, rows):
    for number in range(3):
        train, test = split_labelled(rows.labelling, rows.targets, seed=2 + number)
        learnt = rows.subset(first_of_each(rows.labels, train, 4, 2 + number))
        recipe = transfer.Recipe((transfer.Stage("probe"),), seed=2 + number)
        student = prepare_student(restored, rows.labelling)
        run = transfer.finetune(student, learnt, test=rows.subset(test), recipe=recipe)
        assert curve.of("probe")[1].accuracies[number] == run.result.score.accuracy.value
        scores = {each.name: each.accuracy.value for each in run.result.baselines}
        assert {way: curve.of(way)[1].accuracies[number] for way in BASELINES} == {
            way: scores[way] for way in BASELINES
        }


def test_a_keras_model_with_a_head_will_do(student, rows, curve):
    found = transfer.draw_curve(student, rows, shots=(4,), recipes=("probe",), divisions=3, seed=2)
    assert isinstance(found, transfer.LabelCurve)
    ways = [each.way for each in found.points if each.way != "probe on random weights"]  # drawn by names of layers
    assert ways
    for way in ways:
        assert found.of(way)[0].accuracies == curve.of(way)[1].accuracies


def test_the_probe_may_be_a_recipe_beside_one_that_holds_it_and_a_name_may_come_twice(restored, rows):
    student = prepare_student(restored, rows.labelling)
    short = transfer.draw_curve(student, rows, shots=(2,), recipes=("lp-ft", "probe", "probe"), divisions=2)
    assert short.ways == ("lp-ft", "probe", "probe on random weights", *BASELINES)
    assert {len(each.accuracies) for each in short.points} == {2}
    assert "paid      2 shots: lp-ft - " in str(short)


def test_copies_of_what_may_be_learnt_from_are_tested_on_at_no_number_of_shots(restored, digits):
    images, labels = (np.concatenate([each, each[::2]]) for each in digits)
    data = transfer.from_arrays(images, labels, ["zero", "one", "two"])
    student = prepare_student(restored, data.labelling)
    found = transfer.draw_curve(student, data, shots=(1, 8), recipes=("probe",), divisions=2)
    few, more = found.of("probe")
    assert few.tested == more.tested


def test_pictures_that_cannot_be_read_may_be_left_out(restored, digits_folder, truncate, tmp_path):
    shutil.copytree(digits_folder, tmp_path / "pictures")
    truncate(tmp_path / "pictures" / "digit_0" / "damaged.jpg")
    data = transfer.read_labelled(tmp_path / "pictures")
    student = prepare_student(restored, data.labelling)
    how = {"shots": (7,), "recipes": ("probe",), "divisions": 2}
    with pytest.raises(DataError, match="cannot be read"):
        transfer.draw_curve(student, data, **how)
    found = transfer.draw_curve(student, data, skip_unreadable=True, **how)
    assert {sum(each) for each in zip(found.points[0].learnt, found.points[0].tested, strict=True)} <= {27, 28, 29}


def test_more_shots_hold_those_of_fewer():
    labels, train = np.arange(60) % 3, np.arange(0, 60, 2)
    few, more = (first_of_each(labels, train, count, 5) for count in (2, 6))
    assert set(few) < set(more) <= set(train)
    assert np.bincount(labels[few]).tolist() == [2, 2, 2]
    assert np.bincount(labels[more]).tolist() == [6, 6, 6]


def test_numbers_of_shots_that_the_smallest_class_lacks_are_left_out_and_said(curve):
    assert [each.where for each in curve.left_out] == ["99 shots"]
    assert str(curve).splitlines()[-1] == "left out  99 shots: the smallest class has 7 to learn from"


def test_a_set_of_other_outputs_and_one_that_is_too_small_are_refused(restored, rows):
    tags = transfer.Labelling((transfer.Output("tags", "sigmoid", ("a", "b")),))
    several = transfer.from_arrays(rows.inputs, {"tags": np.eye(2)[rows.labels % 2]}, labelling=tags)
    with pytest.raises(DataError, match="not one class for each example"):
        transfer.draw_curve(prepare_student(restored, tags), several)
    with pytest.raises(DataError, match="too few examples for 50 shots"):
        transfer.draw_curve(prepare_student(restored, rows.labelling), rows, shots=(50,))
    with pytest.raises(ValueError, match="at least 2 divisions"):
        transfer.draw_curve(prepare_student(restored, rows.labelling), rows, divisions=1)


BASELINES = ("nearest neighbours on raw input", "logistic regression on raw input")
