"""From a file and a folder to a run, and from a file to a student."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import transfer
from transfer.errors import LayerError, OutputError
from transfer.jobs.finetuning.learning import Learning, learn_file
from transfer.jobs.students.preparing import prepare_student
from transfer.labellings import Labelling
from transfer.models.restoring import Restored
from transfer.weights.shipped import shipped_checkpoints

CLIPART = Path(__file__).parents[2] / "examples/data/clipart"

TWO, FOUR = (Labelling.of_classes(tuple("abcd"[:count])) for count in (2, 4))


def test_learning_from_a_file_is_restoring_preparing_and_fine_tuning(digits_run, digits_folder, tmp_path):
    run = learn_file(
        "digits_mlp",
        transfer.read_labelled(digits_folder),
        tmp_path / "run",
        Learning(recipe=transfer.Recipe(transfer.Stage("probe"), seed=7)),
    )
    assert run.result.score == digits_run.result.score
    assert run.receipt == digits_run.receipt
    assert run.result.notes[0] == "dropped predictions; backbone ends at 'dense_2' and is frozen"
    for ours, theirs in zip(run.model.get_weights(), digits_run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_folder_that_is_no_run_is_not_touched(digits_folder, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not a run"):
        learn_file("digits_mlp", transfer.read_labelled(digits_folder), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_arrays_in_a_file_are_learnt(digits, tmp_path):
    images, labels = digits
    np.savez(tmp_path / "digits.npz", x=images, y=labels)
    run = learn_file("digits_mlp", transfer.read_labelled(tmp_path / "digits.npz"), tmp_path / "run", Learning(shots=4))
    assert run.result.classes == ("0", "1", "2")
    assert (run.result.train_examples, run.result.test_examples) == (12, 18)


@pytest.mark.parametrize(
    ("options", "cut", "dropped"),
    [
        ({}, "dense_2", ("predictions",)),
        ({"drop_last": 1}, "dense_2", ("predictions",)),
        ({"drop_last": 2}, "dense_1", ("dense_2", "predictions")),
        ({"at": "dense_1"}, "dense_1", ("dense_2", "predictions")),
        ({"at": "predictions"}, "predictions", ()),
        ({"at": "features"}, "dense_2", ("predictions",)),
    ],
    ids=str,
)
def test_a_student_is_the_frozen_backbone_with_a_new_head(restored, options, cut, dropped):
    student = prepare_student(restored, FOUR, **options)
    assert (student.cut, student.dropped) == (cut, dropped)
    assert student.model.output_shape == (None, 4)
    assert [layer.name for layer in student.model.layers if layer.trainable and layer.weights] == ["label"]
    named = f"dropped {', '.join(dropped)}; " if dropped else "nothing dropped; "
    assert (
        student.describe(transfer.Recipe(transfer.Stage("probe"))) == f"{named}backbone ends at {cut!r} and is frozen"
    )


@pytest.fixture(scope="module")
def nested():
    """A model in a model, with a classifier; and one with two outputs behind the same features."""
    keras.utils.set_random_seed(2)
    pixels = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(4, 3, name="conv_1")(pixels)
    inner = keras.Model(pixels, keras.layers.Conv2D(4, 3, name="conv_2")(x), name="backbone")
    outer = keras.Input((12, 12, 3), name="picture")
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(inner(outer))
    single = keras.Model(outer, keras.layers.Dense(7, name="old_classes")(pooled), name="single")
    parting = [keras.layers.Dense(7, name="kind")(pooled), keras.layers.Dense(3, name="tags")(pooled)]
    return single, keras.Model(outer, parting, name="double")


def test_a_cut_inside_a_nested_model_drops_what_is_behind_it_and_not_the_model(nested):
    receipt = transfer.restore("digits_mlp").receipt
    student = prepare_student(Restored(nested[0], receipt, None), TWO, at="backbone/conv_1")
    assert student.dropped == ("conv_2", "pool", "old_classes")
    assert [layer.name for layer in student.model.layers if layer.weights] == ["conv_1", "label"]


def test_of_several_outputs_the_layer_is_named_where_they_part(nested):
    receipt = transfer.restore("digits_mlp").receipt
    with pytest.raises(LayerError) as caught:
        prepare_student(Restored(nested[1], receipt, None), TWO)
    assert [each.where for each in caught.value.problems] == ["kind", "tags"]
    assert "--at pool (at='pool')" in caught.value.next_step
    assert prepare_student(Restored(nested[1], receipt, None), TWO, at="pool").dropped == ("kind", "tags")


def test_what_is_trained_beside_the_head_is_told(restored):
    student = prepare_student(restored, TWO)
    tuned = transfer.Recipe((transfer.Stage("probe"), transfer.Stage("tune", unfreeze_from="dense_2")))
    assert student.describe(tuned).endswith("ends at 'dense_2' and is trained from 'dense_2' on, frozen before that")


def test_a_head_takes_another_name_where_its_own_is_taken(digits_run):
    restored = transfer.restore(digits_run.folder / "model.keras")
    student = prepare_student(restored, TWO, at="dense_2")
    assert student.model.output_shape == (None, 2)
    again = prepare_student(restored, TWO, at="label")
    assert again.model.output_shape == (None, 2)
    assert len({layer.name for layer in again.model.layers}) == len(again.model.layers)


def test_a_layer_that_is_not_there_is_refused(restored):
    with pytest.raises(LayerError, match="dense_9"):
        prepare_student(restored, TWO, at="dense_9")


def test_the_shipped_network_on_images_learns_drawings(tmp_path):
    for folder in CLIPART.iterdir():
        (tmp_path / "some" / folder.name).mkdir(parents=True)
        for path in sorted(folder.iterdir())[:20]:
            shutil.copy(path, tmp_path / "some" / folder.name)
    run = learn_file(
        "mobilenet_v2_imagenet",
        transfer.read_labelled(tmp_path / "some"),
        tmp_path / "run",
        Learning(size=(96, 96), shots=10),
    )
    assert run.receipt["fingerprint"] == "verified"
    assert run.result.classes == tuple(sorted(run.result.classes))
    assert run.result.score.accuracy.low > run.result.baselines[0].accuracy.value
    frame = round(96 * transfer.open_checkpoint("mobilenet_v2_imagenet").card.preprocessing.frame)
    assert f"images are fitted to 96 x 96, of which a frame of {frame} on each side, asp" in run.result.notes[1]
    stock = keras.models.load_model(run.folder / "model.keras")
    assert stock.input_shape == (None, None, None, 3)
    checkpoint = transfer.open_checkpoint(shipped_checkpoints()["mobilenet_v2_imagenet"])
    names = [name for name in checkpoint.specs if name.endswith("/moving_variance")][:5]
    for name, stored in checkpoint.read(names).items():
        layer = stock.get_layer(name.rpartition("/")[0])
        assert any(np.array_equal(stored, values) for values in layer.get_weights())
