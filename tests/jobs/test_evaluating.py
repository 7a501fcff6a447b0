"""A finished run is asked about labelled examples that it has not learnt from."""

import shutil
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest
from PIL import Image

import transfer
from transfer.errors import DataError
from transfer.jobs.runs.evaluating import evaluate
from transfer.labellings import Labelling

solve = partial(transfer.finetune, recipe=transfer.Recipe(transfer.Stage("probe")))


@pytest.fixture(scope="module")
def data(digits_folder) -> transfer.LabelledSet:
    return transfer.read_labelled(digits_folder)


def test_what_was_learnt_from_is_left_out_and_the_rest_scores_as_in_the_run(digits_run, data):
    found = evaluate(digits_run.folder, data)
    assert found.seen == digits_run.result.train_examples
    assert found.score.examples == digits_run.result.test_examples
    assert found.score.correct == digits_run.result.score.correct
    assert found.score.accuracy == digits_run.result.score.accuracy
    assert found.left_out == ()


def test_each_class_counts_its_own_examples(digits_run, data):
    model = keras.models.load_model(digits_run.folder / "model.keras")
    expected = {name: [0, 0] for name in data.classes}
    for name in digits_run.asked["split"]["test"]:
        place = data.names.index(name)
        image = np.asarray(Image.open(data.inputs[place]))[None, ..., None]
        answer = int(model.predict(image, verbose=0).argmax())
        expected[data.classes[data.labels[place]]][0] += answer == data.labels[place]
        expected[data.classes[data.labels[place]]][1] += 1
    found = evaluate(digits_run.folder, data).per_class
    assert {name: [right, count] for name, right, count in found} == expected


def test_copies_under_other_names_are_recognised_by_their_bytes(digits_run, data, tmp_path):
    learnt = digits_run.asked["split"]["train"][:1] + digits_run.asked["split"]["train"][-1:]
    for place, name in enumerate([*learnt, *digits_run.asked["split"]["test"]]):
        target = tmp_path / name.split("/")[0] / f"copy_{place}.png"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(data.inputs[data.names.index(name)], target)
    found = evaluate(digits_run.folder, transfer.read_labelled(tmp_path))
    assert found.seen == 2
    assert found.score.correct == digits_run.result.score.correct


def test_nothing_but_what_was_learnt_from_is_refused(digits_run, data):
    learnt = data.subset([data.names.index(name) for name in digits_run.asked["split"]["train"]])
    with pytest.raises(DataError, match=f"All {len(learnt)} examples"):
        evaluate(digits_run.folder, learnt)


def test_some_of_the_classes_in_another_order_are_found_by_name(digits_run, data):
    two = data.subset(np.flatnonzero(data.labels != 1))
    turned = replace(
        two, labelling=Labelling.of_classes(("digit_2", "digit_0")), targets=(np.where(two.labels == 2, 0, 1),)
    )
    found = evaluate(digits_run.folder, turned)
    whole = {name: (right, count) for name, right, count in evaluate(digits_run.folder, data).per_class}
    assert {name: (right, count) for name, right, count in found.per_class} == {
        name: whole[name] for name in ("digit_0", "digit_2")
    }


def test_classes_that_the_run_does_not_know_are_refused_all_at_once(digits_run, data):
    with pytest.raises(DataError) as caught:
        evaluate(digits_run.folder, replace(data, labelling=Labelling.of_classes(("digit_0", "seven", "eight"))))
    assert [each.where for each in caught.value.problems] == ["seven", "eight"]
    assert caught.value.problems[0].expected == "one of digit_0, digit_1, digit_2"


def test_damaged_pictures_are_named_and_may_be_left_out(digits_run, digits_folder, truncate, tmp_path):
    shutil.copytree(digits_folder, tmp_path / "set")
    truncate(tmp_path / "set/digit_2/zz.jpg")
    data = transfer.read_labelled(tmp_path / "set")
    with pytest.raises(DataError) as caught:
        evaluate(digits_run.folder, data)
    assert [each.where for each in caught.value.problems] == ["digit_2/zz.jpg"]
    found = evaluate(digits_run.folder, data, skip_unreadable=True)
    assert [each.where for each in found.left_out] == ["digit_2/zz.jpg"]
    assert found.score.examples == digits_run.result.test_examples


def test_pictures_that_are_all_damaged_are_an_error_even_if_they_may_be_left_out(digits_run, truncate, tmp_path):
    for label in (0, 1):
        (tmp_path / f"digit_{label}").mkdir()
        truncate(tmp_path / f"digit_{label}/zz.jpg")
    with pytest.raises(DataError):
        evaluate(digits_run.folder, transfer.read_labelled(tmp_path), skip_unreadable=True)


def test_arrays_are_recognised_row_by_row(student, digits, tmp_path):
    images, labels = digits
    data = transfer.from_arrays(images, labels)
    run = solve(student, data, out=tmp_path / "run")
    found = evaluate(run.folder, data)
    assert (found.seen, found.score.correct) == (run.result.train_examples, run.result.score.correct)


def test_arrays_to_test_on_are_of_the_type_of_those_learnt_from(student, digits, tmp_path):
    images, labels = digits
    train = transfer.from_arrays(images[::2], labels[::2])
    test = transfer.from_arrays(images[1::2].astype(np.float32), labels[1::2])
    with pytest.raises(DataError, match="holds other arrays") as caught:
        solve(student, train, test=test, out=tmp_path / "run")
    assert caught.value.problems[0].found == "(28, 28) float32"
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_run_is_refused(data, tmp_path):
    with pytest.raises(DataError, match="is not a run"):
        evaluate(tmp_path, data)
