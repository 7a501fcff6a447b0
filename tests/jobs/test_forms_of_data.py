"""Whatever form examples are given in, the run is the same; what is no such form is refused with what to do."""

from itertools import repeat

import numpy as np
import pandas
import pytest
import tensorflow as tf
from PIL import Image

import transfer
from transfer.data.forms import as_divided, as_examples, as_labelled
from transfer.data.named_arrays import NamedArrays
from transfer.data.tf_datasets import read_dataset
from transfer.errors import DataError


def single(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y))


def same(found, expected):
    assert found.source == expected.source
    assert found.names == expected.names
    assert found.labelling == expected.labelling
    assert found.digests() == expected.digests()
    assert all(map(np.array_equal, found.targets, expected.targets))


FORMS = {
    "lists": lambda x, y: ([*x], y.tolist()),
    "one-hot": lambda x, y: (x, np.eye(3)[y]),
    "columns": lambda x, y: (x, y[:, None].astype(np.uint8)),
    "series": lambda x, y: (x, pandas.Series(y, index=range(5, 5 + len(y)))),
    "dummies": lambda x, y: (x, pandas.get_dummies(y)),
    "single examples": single,
    "batches": lambda x, y: single(x, y).batch(7),
    "even batches": lambda x, y: single(x, y).batch(5, drop_remainder=True),
    "one-hot batches": lambda x, y: single(x, np.eye(3, dtype=np.float32)[y]).batch(4).prefetch(1),
    "one-hot, single": lambda x, y: single(x, np.eye(3, dtype=np.float32)[y]),
    "columns in batches": lambda x, y: single(x, y[:, None]).batch(8),
    "unknown length": lambda x, y: single(x, y).filter(lambda *_: True).batch(7),
    "generator": lambda x, y: tf.data.Dataset.from_generator(
        lambda: zip(x, y, strict=True), output_types=(tf.uint8, tf.int64)
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_set_of_the_arrays(form, digits):
    same(as_labelled(FORMS[form](*digits)), transfer.from_arrays(*digits))


def test_a_run_on_a_dataset_has_the_digest_of_the_run_on_its_arrays(student, digits):
    recipe = transfer.Recipe(transfer.Stage("probe"), seed=7)
    runs = [
        transfer.finetune(student, data, recipe=recipe)
        for data in (transfer.from_arrays(*digits), single(*digits).batch(7), digits)
    ]
    assert len({run.asked["digest"] for run in runs}) == 1
    assert len({str(run) for run in runs}) == 1


def test_the_second_pair_of_a_keras_dataset_is_tested_on(student, digits):
    x, y = digits
    some = np.arange(0, len(y), 3)
    rest = np.setdiff1d(np.arange(len(y)), some)
    learnt, test = (x[rest], y[rest][:, None]), (x[some][y[some] < 2], y[some][y[some] < 2][:, None])
    recipe = transfer.Recipe(transfer.Stage("probe"), seed=7)
    run = transfer.finetune(student, (learnt, test), recipe=recipe)
    assert run.result.test_examples == len(test[1])
    assert run.result.classes == ("0", "1", "2")  # the test has two of them
    by_name = transfer.finetune(student, learnt, test=test, recipe=recipe)
    assert by_name.asked["digest"] == run.asked["digest"]
    with pytest.raises(DataError, match="two sets to test on") as caught:
        transfer.finetune(student, (learnt, test), test=test)
    assert "leave out test" in str(caught.value)
    with pytest.raises(DataError, match="one is taken here") as caught:
        transfer.evaluate(run, (learnt, test))
    assert "data[1]" in str(caught.value)
    assert transfer.evaluate(run, test).score.correct == run.result.score.correct


def test_two_pictures_with_their_labels_are_no_two_sets(digits):
    x, y = digits
    pair = ((x[0], x[-1]), (int(y[0]), int(y[-1])))
    learnt, test = as_divided(pair, None)
    assert len(learnt) == 2
    assert test is None


def test_classes_of_a_test_set_that_are_not_learnt_are_refused(student, digits):
    x, y = digits
    with pytest.raises(DataError, match="other classes"):
        transfer.finetune(student, ((x, y), (x[-5:], y[-5:] + np.arange(5))))


def test_a_dataset_of_files_and_names_has_the_names_that_keras_gives_it(digits, digits_folder):
    import keras

    found = keras.utils.image_dataset_from_directory(
        digits_folder, image_size=(28, 28), color_mode="grayscale", batch_size=8, shuffle=False, verbose=False
    )
    held = as_labelled(found)
    assert held.classes == ("digit_0", "digit_1", "digit_2")
    assert len(held) == len(digits[1])
    texts = as_labelled(single(digits[0], np.array(["zero", "one", "two"])[digits[1]]).batch(4))
    assert texts.classes == ("one", "two", "zero")


def test_several_inputs_and_outputs_go_by_their_names():
    x = {"left": np.ones((6, 3), np.float32), "right": np.arange(12, dtype=np.int32).reshape(6, 2)}
    y = {"kind": np.arange(6) % 2, "size": np.arange(6, dtype=np.float32) + 0.5}
    for data in (single(x, y), single(x, y).batch(4)):
        found = as_labelled(data)
        same(found, transfer.from_arrays(x, y))
        assert isinstance(found.inputs, NamedArrays)
        assert isinstance(as_examples(data).inputs, NamedArrays)


def test_inputs_of_a_dataset_are_held_once_and_not_in_memory(digits):
    found = as_labelled(single(*digits).batch(7))
    base = found.inputs
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert not found.inputs.flags.writeable
    with pytest.raises(DataError, match="no end") as caught:
        read_dataset(single(*digits).filter(lambda *_: True).repeat(), labelled=True, most_bytes=10**6)
    assert "take(n)" in str(caught.value)


def test_a_generator_that_never_ends_is_stopped(digits):
    x, y = digits
    endless = tf.data.Dataset.from_generator(
        lambda: repeat((x[0], y[0])), output_signature=(tf.TensorSpec((28, 28), tf.uint8), tf.TensorSpec((), tf.int64))
    )
    with pytest.raises(DataError, match="or has no end") as caught:
        read_dataset(endless.batch(100), labelled=True, most_bytes=10**5)
    assert "take(n)" in str(caught.value)


REFUSED = {
    "endless": (lambda x, y: single(x, y).repeat(), "has no end", "leave out .repeat()"),
    "weights": (lambda x, y: tf.data.Dataset.from_tensor_slices((x, y, y)), "three parts", "lambda x, y, w: (x, y)"),
    "no labels": (lambda x, _: tf.data.Dataset.from_tensor_slices(x), "without labels", "from_tensor_slices((x, y))"),
    "texts": (lambda _, y: single(np.array(["a.png"] * len(y)), y), "no array of numbers", "decode files"),
    "ragged": (
        lambda _, y: single(tf.ragged.constant([[1], [2, 3]] * (len(y) // 2)), y),
        "no array of numbers",
        "pad ragged rows",
    ),
    "empty": (lambda x, y: single(x, y).take(0), "no example", "filters out"),
    "sizes": (
        lambda x, y: tf.data.Dataset.from_generator(
            lambda: ((each[: 20 + k], label) for k, (each, label) in enumerate(zip(x, y, strict=True))),
            output_types=(tf.uint8, tf.int64),
        ),
        "several forms",
        "one size",
    ),
    "batch or example": (
        lambda *_: single(np.zeros((4, 3, 8)), np.tile([0, 1, 0], (4, 1))),
        "batches or single examples",
        "unbatch()",
    ),
    "soft labels": (lambda x, y: (x, np.full((len(y), 3), 1 / 3)), "labelled set", "labels"),
    "shapes": (lambda x, y: ([x[0], x[1][:5], *x[2:]], y), "no array", "one size"),
    "nothing": (lambda *_: 7, "tf.data.Dataset; not int", "read_labelled"),
    "three": (lambda x, y: (x, y, y), "not tuple", "give (x, y)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_labelled_set_is_refused_with_what_to_do(case, digits):
    make, said, step = REFUSED[case]
    with pytest.raises(DataError) as caught:
        as_labelled(make(*digits))
    assert said in str(caught.value)
    assert step in str(caught.value)


def test_pictures_by_their_paths_stay_in_order_and_may_come_twice(digits, tmp_path):
    paths = []
    for place in (2, 0, 1):
        paths.append(tmp_path / f"{place}.png")
        Image.fromarray(digits[0][place * 10]).save(paths[-1])
    found = as_labelled(([*map(str, paths), str(paths[0])], ["b", "a", "b", "b"]))
    assert found.inputs == (*paths, paths[0])
    assert found.names[3] == f"{paths[0]} (2)"
    assert found.classes == ("a", "b")
    assert found.labels.tolist() == [1, 0, 1, 1]
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(DataError) as caught:
        as_labelled(([*paths, tmp_path / "bad.png", tmp_path / "gone.png"], [0, 1, 0, 1, 1]))
    assert {each.where for each in caught.value.problems} == {str(tmp_path / "bad.png"), str(tmp_path / "gone.png")}


def test_a_table_of_pandas_names_pictures(digits_folder):
    paths = sorted(digits_folder.rglob("*.png"))
    frame = pandas.DataFrame(
        {
            "file": [str(path.relative_to(digits_folder)) for path in paths],
            "label": [path.parent.name for path in paths],
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(digits_folder)
        assert as_labelled(frame).classes == ("digit_0", "digit_1", "digit_2")


def test_a_run_is_asked_in_every_form(digits_run, digits):
    x, y = digits
    expected = [each.label for each in transfer.predict(digits_run, x)]
    flat = tf.data.Dataset.from_tensor_slices(x).batch(7)
    for inputs in ([*x], flat, single(x, y).batch(7), single(x, y)):
        assert [each.label for each in transfer.predict(digits_run, inputs)] == expected
    for nothing in ([], 7, np.arange(3)):
        with pytest.raises(DataError, match="Examples are a set"):
            transfer.predict(digits_run, nothing)
