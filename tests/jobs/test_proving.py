"""Encoders held against the same network without pretraining."""

import shutil

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import transfer
from transfer.errors import DataError
from transfer.jobs.examples.dealing_shots import first_of_each
from transfer.jobs.pretraining.contending import budgeted, open_contender, steps_from_scratch

LAYERS = keras.layers
CLASSES = ["zero", "one", "two"]
HOW = {"shots": (1, 5), "divisions": 3, "steps": 12, "backbone": None, "seed": 2}


def build_tiny():
    x = inputs = keras.Input((8, 8, 1), name="image")
    x = LAYERS.Conv2D(6, 3, strides=2, padding="same", name="conv")(x)
    x = LAYERS.Activation("relu", name="relu")(x)
    x = LAYERS.Flatten(name="flat")(x)
    return keras.Model(inputs, LAYERS.Dense(8, activation="relu", name="features")(x), name="tiny")


def build_narrow():
    x = inputs = keras.Input((8, 8, 1), name="image")
    return keras.Model(
        inputs, LAYERS.Dense(4, activation="relu", name="features")(LAYERS.Flatten(name="flat")(x)), name="narrow"
    )


@pytest.fixture(scope="module")
def small():
    """(n, 8, 8) bytes of the handwritten 0, 1 and 2, thirty each, and their labels."""
    found = load_digits(n_class=3)
    chosen = np.concatenate([np.flatnonzero(found.target == k)[:30] for k in range(3)])
    return np.rint(found.images[chosen] * 255 / 16).astype(np.uint8), found.target[chosen]


@pytest.fixture(scope="module")
def rows(small):
    return transfer.from_arrays(*small, CLASSES)


@pytest.fixture(scope="module")
def pretrained(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("pretrained") / "encoder.weights.h5"
    pace = transfer.Pace(epochs=2, batch_size=30)
    return transfer.pretrain(build_tiny, small[0][::2], method="masked", pace=pace, out=out, seed=3)


@pytest.fixture(scope="module")
def proof(pretrained, rows, small):
    return transfer.prove(pretrained, rows, pretrained_on=small[0][::2], **HOW)


def test_all_ways_answer_the_same_examples_at_each_number_of_labels(proof, rows):
    assert isinstance(proof, transfer.Proof)
    assert proof.ways == ("masked probe", "masked lp-ft", "random features", "scratch")
    assert [(each.shots, each.way) for each in proof.points] == [(k, way) for k in (1, 5) for way in proof.ways]
    assert len({each.tested for each in proof.points}) == 1
    assert {each.learnt for each in proof.points} == {(3,) * 3, (15,) * 3}
    assert proof.asked == (("masked probe", "scratch"), ("masked lp-ft", "scratch"))
    assert all(sum(each) <= len(rows) for point in proof.points for each in zip(point.pool, point.tested, strict=True))


def test_a_point_is_what_a_run_on_that_division_finds(proof, pretrained, rows):
    from transfer.data.labelled_splits import split_labelled
    from transfer.jobs.students.preparing import student_of_model
    from transfer.training.fresh import start_anew

    train, test = split_labelled(rows.labelling, rows.targets, seed=2 + 1)
    learnt, tested = rows.subset(first_of_each(rows.labels, train, 5, 3)), rows.subset(test)
    student = student_of_model(pretrained.model, rows.labelling, seed=2)

    def accuracy(recipe):
        run = transfer.finetune(student, learnt, test=tested, recipe=recipe)
        return [each.accuracy.value for each in run.result.stages]

    probe, tuned = accuracy(budgeted("lp-ft", 15, 12, 3))
    assert proof.of("masked probe")[1].accuracies[1] == probe
    assert proof.of("masked lp-ft")[1].accuracies[1] == tuned
    assert [proof.of("scratch")[1].accuracies[1]] == accuracy(budgeted("scratch", 15, 12, 3))
    contender = open_contender("tiny", pretrained, rows, seed=2)
    random = start_anew(contender.network, 3)
    assert random.tensors["conv/kernel"].tolist() != pretrained.model.get_layer("conv").kernel.numpy().tolist()


def test_fine_tuning_and_scratch_take_as_many_steps():
    assert steps_from_scratch(10) == 500
    assert steps_from_scratch(100) == 250 * 4
    for name in ("lp-ft", "full", "gradual", "scratch"):
        stages = [stage for stage in budgeted(name, 100, None, 0).stages if stage.kind == "tune"]
        assert sum(stage.steps for stage in stages) == pytest.approx(1000, abs=len(stages))


def test_it_says_with_what_it_was_learnt_and_how_much_was_seen_before(proof):
    assert proof.steps == ((1, 12), (5, 12))
    assert proof.notes[-3:] == (
        "lp-ft and scratch take as many steps of at most 32 examples: 12 at 1, 12 at 5 labels a class",
        "random weights are drawn anew in each of the 3 divisions",
        "45 of the 90 examples were among those pretrained on, without their labels",
    )


def test_encoders_of_one_architecture_share_what_they_are_held_against(pretrained, rows, proof):
    other = build_tiny()
    for layer in other.layers:
        layer.name = f"other_{layer.name}"
    copied = keras.models.clone_model(other)
    found = transfer.prove({"file": str(pretrained.path), "plain": copied}, rows, preprocessing="unit", **HOW)
    assert found.ways == ("file probe", "file lp-ft", "plain probe", "plain lp-ft", "random features", "scratch")
    for mine, theirs in (("file probe", "masked probe"), ("file lp-ft", "masked lp-ft"), ("scratch", "scratch")):
        assert [each.accuracies for each in found.of(mine)] == [each.accuracies for each in proof.of(theirs)]


def test_each_architecture_has_its_own_scratch(pretrained, rows):
    narrow = build_narrow()
    found = transfer.prove({"a": pretrained, "b": narrow}, rows, preprocessing="unit", recipe="probe", **HOW)
    assert found.asked == (("a probe", "scratch of a"), ("b probe", "scratch of b"))
    assert "scratch takes steps of at most 32 examples: 12 at 1, 12 at 5 labels a class" in found.notes
    assert found.ways[2:] == ("random features of a", "scratch of a", "random features of b", "scratch of b")


def test_a_shipped_backbone_stands_beside_it_where_examples_are_images(pretrained, rows, small):
    how = {**HOW, "recipe": "probe", "divisions": 2, "shots": (5,), "backbone": "digits_mlp"}
    found = transfer.prove(pretrained, rows, **how)
    assert found.ways[-1] == "digits_mlp probe"
    assert found.of("digits_mlp probe")[0].mean > 0.8  # it knows digits
    vectors = transfer.from_arrays(small[0].reshape(len(small[0]), -1) / 255, small[1], CLASSES)
    inputs = keras.Input((64,), name="x")
    model = keras.Model(inputs, LAYERS.Dense(5, activation="relu", name="features")(inputs))
    found = transfer.prove(model, vectors, **how)
    assert "digits_mlp probe" not in found.ways
    own = transfer.prove({"digits_mlp": "digits_mlp"}, rows, **how)
    assert own.ways == ("digits_mlp probe", "random features", "scratch")
    assert "digits_mlp is not held against: the examples are no images" in found.notes


def test_damaged_pictures_are_left_out_or_refused(digits_folder, truncate, tmp_path):
    shutil.copytree(digits_folder, tmp_path / "pictures")
    truncate(tmp_path / "pictures" / "digit_0" / "damaged.jpg")
    how = {**HOW, "divisions": 2, "shots": (6,), "recipe": "probe", "size": (8, 8), "preprocessing": "unit"}
    data = transfer.read_labelled(tmp_path / "pictures")
    with pytest.raises(DataError, match="cannot be read"):
        transfer.prove(build_tiny(), data, **how)
    found = transfer.prove(build_tiny(), data, skip_unreadable=True, **how)
    assert any(each == "1 examples cannot be read and are left out: digit_0/damaged.jpg" for each in found.notes)


def test_copies_of_what_may_be_learnt_from_are_not_tested_on(pretrained, small):
    images, labels = np.concatenate([small[0], small[0][:5]]), np.concatenate([small[1], small[1][:5]])
    data = transfer.from_arrays(images, labels, CLASSES)
    how = {**HOW, "recipe": "probe", "shots": (2,)}
    found = transfer.prove(pretrained, data, **how)
    (point,) = found.of("scratch")
    assert min(sum(each) for each in zip(point.pool, point.tested, strict=True)) < len(data)


def test_what_cannot_be_proved_is_refused(pretrained, rows):
    with pytest.raises(DataError, match="too few examples for 40 shots"):
        transfer.prove(pretrained, rows, **{**HOW, "shots": (40,)})
    with pytest.raises(ValueError, match="steps are at least 1"):
        transfer.prove(pretrained, rows, **{**HOW, "steps": 0})
    with pytest.raises(ValueError, match="no encoder"):
        transfer.prove({}, rows, **HOW)


def test_an_encoder_that_has_learnt_the_labels_of_tested_examples_is_named(small, pretrained, tmp_path):
    from transfer.jobs.finetuning.learning import Learning, learn_file

    rows = transfer.from_arrays(small[0][..., None], small[1], CLASSES)
    recipe = transfer.Recipe((transfer.Stage("probe"),))
    run = learn_file(str(pretrained.path), rows, tmp_path / "run", Learning(recipe=recipe))
    found = transfer.prove({"tuned": run.folder / "model.keras"}, rows, **{**HOW, "recipe": "probe", "shots": (1,)})
    assert any("that tuned has learnt from: its accuracy is too good" in each for each in found.notes)
    assert not any("too good" in each for each in transfer.prove(pretrained, rows, **{**HOW, "shots": (1,)}).notes)
