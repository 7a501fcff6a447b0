"""Fine-tuning end to end: what is written, that it repeats, that nothing half done stays, and what is refused."""

import json
import shutil
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

import transfer
from transfer.errors import DataError, LayerError, NotFiniteError, OutputError, TrainingError
from transfer.jobs.runs.predicting import predict
from transfer.labellings import Labelling
from transfer.results import Result
from transfer.specs import PREPROCESSINGS, silent
from transfer.training import lessons, saving_times
from transfer.training.fitting import Fit
from transfer.training.solving import solve_head
from transfer.weights.shipped import shipped_checkpoints

FILES = (
    "answers.json",
    "history.jsonl",
    "model.keras",
    "predictions.npz",
    "report.html",
    "report.json",
    "result.json",
    "run.json",
    "timing.json",
)
CLOCK = {"report.html", "timing.json"}  # that hold seconds
PROBE = transfer.Recipe(transfer.Stage("probe"))


@pytest.fixture(scope="module")
def data(digits_folder) -> transfer.LabelledSet:
    return transfer.read_labelled(digits_folder)


@pytest.fixture(scope="module")
def stock(digits_run) -> keras.Model:
    return keras.models.load_model(digits_run.folder / "model.keras")


def pictures(data: transfer.LabelledSet, names: list[str] | None = None) -> np.ndarray:
    chosen = data.inputs if names is None else [data.inputs[data.names.index(name)] for name in names]
    return np.stack([np.asarray(Image.open(path)) for path in chosen])[..., None]


def test_stock_keras_gives_the_probabilities_that_predict_gives(digits_run, stock, data):
    found = predict(digits_run.folder, data.inputs)
    expected = stock.predict(pictures(data), verbose=0)
    np.testing.assert_allclose([each.probabilities for each in found.answers], expected, atol=1e-6)
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-6)
    assert [each.name for each in found.answers] == [str(path) for path in data.inputs]
    assert [each.label for each in found.answers] == [data.classes[k] for k in expected.argmax(axis=1)]
    assert [each.probability for each in found.answers] == [max(each.probabilities) for each in found.answers]


def test_the_head_is_the_solved_one(digits_run, stock, student, data):
    names = sorted(digits_run.asked["split"]["train"])
    labels = np.array([data.labels[data.names.index(name)] for name in names])
    backbone = keras.Model(student.inputs, student.get_layer("label").input)
    features = backbone.predict(pictures(data, names).reshape(-1, 784) / np.float32(255), verbose=0)
    solved = solve_head(features, labels, 3, seed=7)
    kernel, bias = stock.get_layer("label").get_weights()
    np.testing.assert_allclose(kernel, solved.kernel, atol=1e-3)
    np.testing.assert_allclose(bias, solved.bias, atol=1e-3)
    assert digits_run.result.probe["penalty"] == solved.penalty
    assert digits_run.result.probe["cross_validated_accuracy"] == solved.accuracy


def test_frozen_layers_hold_the_bits_of_the_checkpoint(stock):
    with h5py.File(shipped_checkpoints()["digits_mlp"]) as file:
        stored = {}
        file.visititems(lambda name, each: stored.update({name: each[()]}) if isinstance(each, h5py.Dataset) else None)
    for name in ("dense_1", "dense_2"):
        kernel, bias = stock.get_layer(name).get_weights()
        there = [values for path, values in stored.items() if name in path.split("/")]
        assert sorted([kernel.tobytes(), bias.tobytes()]) == sorted(values.tobytes() for values in there)
        assert not stock.get_layer(name).trainable


def test_the_score_counts_the_held_out_examples_that_the_model_answers_rightly(digits_run, stock, data):
    split = digits_run.asked["split"]
    labels = [data.labels[data.names.index(name)] for name in split["test"]]
    correct = int((stock.predict(pictures(data, split["test"]), verbose=0).argmax(axis=1) == labels).sum())
    result = digits_run.result
    assert (result.score.correct, result.score.examples) == (correct, len(labels))
    assert (result.train_examples, result.test_examples) == (len(split["train"]), len(split["test"]))
    assert sorted(split["train"] + split["test"]) == sorted(data.names)
    assert result.classes == data.classes == ("digit_0", "digit_1", "digit_2")
    assert [each.name for each in result.baselines] == [
        "majority class",
        "stratified guess",
        "nearest neighbours on raw input",
        "logistic regression on raw input",
    ]
    assert {each.examples for each in result.baselines} == {len(labels)}
    assert [each.name for each in result.stages] == ["probe"]


def test_the_run_keeps_which_test_examples_each_way_answered_rightly(digits_run, stock, data):
    kept = json.loads((digits_run.folder / "answers.json").read_text())
    assert sorted(kept["examples"]) == digits_run.asked["split"]["test"]
    labels = [data.labels[data.names.index(name)] for name in kept["examples"]]
    right = stock.predict(pictures(data, kept["examples"]), verbose=0).argmax(axis=1) == labels
    assert kept["ways"]["probe"] == right.tolist()
    assert {name: sum(each) for name, each in kept["ways"].items()} == {
        each.name: each.correct for each in (digits_run.result.score, *digits_run.result.baselines)
    }
    digests = dict(zip(data.names, data.digests(), strict=True))
    assert kept["digests"] == [digests[name] for name in kept["examples"]]
    assert "groups" not in kept


def test_a_run_is_a_folder_of_nine_files_and_its_result_is_read_back_as_it_was(digits_run):
    assert tuple(sorted(path.name for path in digits_run.folder.iterdir())) == FILES
    written = json.loads((digits_run.folder / "result.json").read_text())
    assert Result.from_json(written) == digits_run.result
    assert json.loads(json.dumps(digits_run.result.to_json())) == written
    loaded = transfer.load_run(digits_run.folder)
    assert loaded.result == digits_run.result
    assert loaded.receipt["fingerprint"] == "verified"
    assert (loaded.folder, loaded.reused) == (digits_run.folder, False)
    history = [json.loads(line) for line in (digits_run.folder / "history.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in history] == ["probe"]
    assert set(json.loads((digits_run.folder / "timing.json").read_text())) == {"features", "probe", "baselines"}


def test_the_same_run_in_another_folder_has_the_same_bytes_but_for_the_clock(
    digits_run, student, restored, data, tmp_path
):
    again = transfer.finetune(
        student,
        data,
        recipe=transfer.Recipe(transfer.Stage("probe"), seed=7),
        receipt=restored.receipt,
        out=tmp_path / "again",
    )
    differ = [name for name in FILES if (again.folder / name).read_bytes() != (digits_run.folder / name).read_bytes()]
    assert set(differ) <= CLOCK


def test_the_same_run_again_is_recognised_and_nothing_is_written(digits_run, student, data, snapshot):
    before = snapshot(digits_run.folder)
    again = transfer.finetune(
        student, data, recipe=transfer.Recipe(transfer.Stage("probe"), seed=7), out=digits_run.folder
    )
    assert again.reused
    assert again.result == digits_run.result
    assert snapshot(digits_run.folder) == before
    for ours, theirs in zip(again.model.get_weights(), digits_run.model.get_weights(), strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_another_seed_in_the_same_folder_is_refused(digits_run, student, data, snapshot):
    before = snapshot(digits_run.folder)
    with pytest.raises(OutputError) as caught:
        transfer.finetune(student, data, recipe=transfer.Recipe(transfer.Stage("probe"), seed=8), out=digits_run.folder)
    assert "--force" in caught.value.next_step
    assert snapshot(digits_run.folder) == before


def refused(*, out, **options) -> None:
    with pytest.raises(OutputError):
        transfer.finetune(out=out, **options)


def test_other_data_or_another_network_in_the_same_folder_are_refused(digits_run, restored, student, data):
    same = {"recipe": transfer.Recipe(transfer.Stage("probe"), seed=7), "out": digits_run.folder}
    refused(student=student, data=data.subset(range(29)), **same)
    refused(student=student, data=replace(data, targets=(np.roll(data.labels, 1),)), **same)
    refused(student=student, data=data, shots=3, **same)
    refused(student=student, data=data, test=data.subset(range(0, 30, 3)), **same)
    shorter = transfer.extract(restored, at="dense_1", freeze="backbone", heads=[transfer.Head("label", 3)])
    refused(student=shorter, data=data, **same)


def test_another_preprocessing_in_the_same_folder_is_refused(colour_student, colours, tmp_path):
    data = transfer.from_arrays(*colours)
    transfer.finetune(colour_student, data, preprocessing=PREPROCESSINGS["tf"], out=tmp_path / "run")
    for other in ("torch", "caffe"):
        refused(student=colour_student, data=data, preprocessing=PREPROCESSINGS[other], out=tmp_path / "run")


def test_another_pooling_of_the_same_backbone_in_the_same_folder_is_refused(convolutional, colours, tmp_path):
    data = transfer.from_arrays(*colours)
    mean, highest = (
        transfer.extract(convolutional, at="relu_2", freeze="backbone", heads=[transfer.Head("label", 2, pool=pool)])
        for pool in ("avg", "max")
    )
    transfer.finetune(mean, data, preprocessing=PREPROCESSINGS["tf"], out=tmp_path / "run")
    refused(student=highest, data=data, preprocessing=PREPROCESSINGS["tf"], out=tmp_path / "run")


def test_force_replaces_a_run_and_leaves_nothing_beside_it(student, data, tmp_path):
    shared = {"out": tmp_path / "run", "test_share": 0.4}
    first = transfer.finetune(student, data, **shared)
    (first.folder / "mine.txt").write_text("old")
    second = transfer.finetune(
        student, data, recipe=transfer.Recipe(transfer.Stage("probe"), seed=1), force=True, **shared
    )
    assert not second.reused
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert tuple(sorted(path.name for path in second.folder.iterdir())) == FILES
    assert json.loads((second.folder / "run.json").read_text())["recipe"]["seed"] == 1


def test_a_damaged_picture_ends_the_run_and_leaves_nothing(student, digits_folder, truncate, snapshot, tmp_path):
    shutil.copytree(digits_folder, tmp_path / "set")
    truncate(tmp_path / "set/digit_1/zz_damaged.jpg")
    data = transfer.read_labelled(tmp_path / "set")
    before = snapshot(tmp_path)
    with pytest.raises(DataError) as caught:
        transfer.finetune(student, data, out=tmp_path / "run")
    assert [each.where for each in caught.value.problems] == ["digit_1/zz_damaged.jpg"]
    assert "--skip-unreadable" in caught.value.next_step
    assert snapshot(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_damaged_picture_may_be_left_out_by_name_and_nothing_else_changes(
    digits_run, student, digits_folder, truncate, tmp_path
):
    shutil.copytree(digits_folder, tmp_path / "set")
    truncate(tmp_path / "set/digit_1/zz_damaged.jpg")
    data = transfer.read_labelled(tmp_path / "set")
    run = transfer.finetune(
        student,
        data,
        recipe=transfer.Recipe(transfer.Stage("probe"), seed=7),
        skip_unreadable=True,
        out=tmp_path / "run",
    )
    assert [each.where for each in run.result.left_out] == ["digit_1/zz_damaged.jpg"]
    assert "damaged" in run.result.left_out[0].found
    assert transfer.load_run(run.folder).result.left_out == run.result.left_out
    assert run.asked["split"] == digits_run.asked["split"]
    assert run.result.score == digits_run.result.score
    for ours, theirs in zip(run.model.get_weights(), digits_run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, MemoryError, TrainingError("no")])
def test_a_run_that_is_broken_off_leaves_nothing(student, data, tmp_path, monkeypatch, interruption):
    def break_off(*_arguments, **_options):
        raise interruption

    monkeypatch.setattr("transfer.jobs.runs.running.save_model", break_off)
    with pytest.raises((KeyboardInterrupt, MemoryError, TrainingError)):
        transfer.finetune(student, data, recipe=PROBE, shots=2, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_folder_writes_nothing(student, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = transfer.finetune(student, data, shots=2)
    assert run.folder is None
    assert run.model.predict(pictures(data)[:2], verbose=0).shape == (2, 3)
    assert list(tmp_path.iterdir()) == []


def test_the_student_is_left_as_it_is(convolutional, colours):
    student = transfer.extract(convolutional, drop_last=1, freeze="backbone", heads=[transfer.Head("label", 2)])
    before = [each.tobytes() for each in student.get_weights()]
    trainable = [layer.trainable for layer in student.layers]
    recipe = transfer.Recipe(
        (transfer.Stage("probe"), transfer.Stage("tune", unfreeze_from="conv_2", epochs=1, rate=1e-2))
    )
    transfer.finetune(student, transfer.from_arrays(*colours), preprocessing=PREPROCESSINGS["tf"], recipe=recipe)
    assert [each.tobytes() for each in student.get_weights()] == before
    assert [layer.trainable for layer in student.layers] == trainable


def tuned(student, colours, out, progress=silent, **options) -> transfer.Run:
    stage = transfer.Stage("tune", unfreeze_from="conv_2", **{"epochs": 3, "rate": 1e-2, "batch_size": 4, **options})
    recipe = transfer.Recipe((transfer.Stage("probe"), stage), seed=2)
    data = transfer.from_arrays(*colours)
    how = {"preprocessing": PREPROCESSINGS["tf"], "recipe": recipe, "progress": progress}
    return transfer.finetune(student, data, out=out, **how)


def test_tuning_moves_what_is_unfrozen_and_keeps_the_bits_of_all_else(colour_student, convolutional, colours, tmp_path):
    run = tuned(colour_student, colours, tmp_path / "run")
    stock = keras.models.load_model(run.folder / "model.keras")
    for name in ("conv_1", "norm_1", "norm_2"):
        kept = convolutional.get_layer(name).get_weights()
        assert [each.tobytes() for each in stock.get_layer(name).get_weights()] == [each.tobytes() for each in kept]
        assert not stock.get_layer(name).trainable
    old, new = (model.get_layer("conv_2").get_weights()[0] for model in (convolutional, stock))
    assert (old != new).mean() > 0.5  # a unit that ReLU silences gets no gradient
    assert [each.name for each in run.result.stages] == ["probe", "tuned"]
    assert run.result.score == run.result.stages[-1]
    history = [json.loads(line) for line in (run.folder / "history.jsonl").read_text().splitlines()]
    tuned_lines = [line for line in history if line["stage"] == "tune"]
    assert [(line["stage"], line.get("number")) for line in history] == [
        ("probe", None),
        *(("trial", k) for k in (1, 2, 3)),
        ("choice", None),
        *(("tune", k) for k in (1, 2, 3)),
    ]
    assert tuned_lines[2]["loss"] < tuned_lines[0]["loss"]
    assert any(note.startswith("stage 1: of tuning, ") for note in run.result.notes)


def test_tuning_repeats_to_the_bit(colour_student, colours, tmp_path):
    for name in ("one", "two"):
        tuned(colour_student, colours, tmp_path / name)
    differ = [name for name in FILES if len({(tmp_path / run / name).read_bytes() for run in ("one", "two")}) > 1]
    assert set(differ) <= CLOCK


def test_a_run_that_goes_on_where_it_was_cut_off_says_so_and_has_the_same_files(
    colour_student, colours, tmp_path, monkeypatch
):
    monkeypatch.setattr(saving_times, "_LEAST_SECONDS", 0.0)  # a state after each epoch

    def cut(what, *_):
        if what.startswith("stage 1, epoch 1"):
            raise KeyboardInterrupt

    told = []
    whole = tuned(colour_student, colours, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        tuned(colour_student, colours, tmp_path / "run", cut)
    run = tuned(colour_student, colours, tmp_path / "run", lambda *each: told.append(each))
    assert (whole.resumed, run.resumed) == ("", "step 3 (stage 1)")  # of twelve examples four at a time
    assert str(run).startswith("resumed   from step 3 (stage 1), where the run was cut off\n")
    assert ("stage 1, going on from step 3", 1, 3) in told
    for name in set(FILES) - CLOCK:
        assert (run.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert tuned(colour_student, colours, tmp_path / "run").resumed == ""


def test_tuning_that_stops_being_finite_leaves_the_weights_before_it(colour_student, colours, tmp_path):
    with pytest.raises(NotFiniteError) as caught:
        tuned(colour_student, colours, tmp_path / "run", rate=1e30)
    assert "rate" in caught.value.next_step
    (kept,) = tmp_path.rglob("*.keras")
    assert caught.value.problems[-1].where == str(kept)
    assert [each.name for each in tmp_path.iterdir()] == [".run.unfinished"]
    weights = transfer.restore(kept).model.get_weights()
    assert all(np.isfinite(each).all() for each in weights)
    run = tuned(colour_student, colours, tmp_path / "run", rate=1e-4)  # other settings need no --force
    assert [each.shape for each in run.model.get_weights()] == [each.shape for each in weights]
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


def test_unfreezing_from_a_layer_that_is_not_there_names_the_nearest(colour_student, colours, tmp_path):
    recipe = transfer.Recipe((transfer.Stage("probe"), transfer.Stage("tune", unfreeze_from="conv2")))
    with pytest.raises(LayerError) as caught:
        transfer.finetune(
            colour_student,
            transfer.from_arrays(*colours),
            preprocessing=PREPROCESSINGS["tf"],
            recipe=recipe,
            out=tmp_path / "run",
        )
    assert "'conv_2'" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_examples_to_test_on_may_be_given(student, data):
    train, test = data.subset(range(0, 30, 2)), data.subset(range(1, 30, 2))
    run = transfer.finetune(student, train, test=test)
    assert run.asked["split"]["train"] == sorted(train.names)
    assert run.asked["split"]["test"] == sorted(f"test/{name}" for name in test.names)
    assert run.asked["learnt"] == sorted(train.digests())
    assert (run.result.train_examples, run.result.test_examples) == (15, 15)


def test_examples_to_test_on_need_the_same_classes_and_kind(student, data, digits):
    with pytest.raises(DataError) as caught:
        transfer.finetune(
            student, data, test=replace(data, labelling=Labelling.of_classes(("digit_0", "digit_1", "seven")))
        )
    assert caught.value.problems[0].found == "digit_0, digit_1, seven"
    arrays = transfer.from_arrays(digits[0], [f"digit_{label}" for label in digits[1]])
    with pytest.raises(DataError, match="holds arrays"):
        transfer.finetune(student, data, test=arrays)


def test_arrays_to_test_on_that_are_laid_out_otherwise_are_refused(student, digits):
    images, labels = digits
    flat = transfer.from_arrays(images[1::2].reshape(-1, 784), labels[1::2])
    with pytest.raises(DataError):
        transfer.finetune(student, transfer.from_arrays(images[::2], labels[::2]), test=flat)


def test_shots_are_learnt_from_and_all_others_tested_on(student, data):
    run = transfer.finetune(student, data, shots=3)
    folders = [name.split("/")[0] for name in run.asked["split"]["train"]]
    assert folders == ["digit_0"] * 3 + ["digit_1"] * 3 + ["digit_2"] * 3
    assert (run.result.train_examples, run.result.test_examples) == (9, 21)


def test_one_shot_has_no_cross_validation(student, data, tmp_path):
    run = transfer.finetune(student, data, shots=1, out=tmp_path / "run")
    assert run.result.probe["cross_validated_accuracy"] is None
    assert run.result.probe["cross_validated_log_loss"] == []
    assert transfer.load_run(run.folder).result == run.result


def test_more_shots_than_examples_are_refused_for_every_class_at_once(student, data, tmp_path):
    with pytest.raises(DataError) as caught:
        transfer.finetune(student, data, shots=10, out=tmp_path / "run")
    assert [(each.where, each.found) for each in caught.value.problems] == [
        (f"class 'digit_{k}'", "10") for k in range(3)
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("classes", [2, 4])
def test_labels_that_do_not_match_the_head_are_refused(restored, data, classes):
    student = transfer.extract(restored, drop_last=1, heads=[transfer.Head("label", classes)])
    with pytest.raises(DataError) as caught:
        transfer.finetune(student, data)
    assert caught.value.problems[0].expected == str(classes)
    assert caught.value.problems[0].found == "3: digit_0, digit_1, digit_2"
    assert "classes=3" in caught.value.next_step


def test_a_class_without_an_example_is_refused_by_name(student, data):
    two = data.subset(np.flatnonzero(data.labels < 2))
    with pytest.raises(DataError) as caught:
        transfer.finetune(student, two)
    assert [(each.where, each.found) for each in caught.value.problems] == [("class 'digit_2'", "0")]


def test_a_single_class_is_refused(restored, data):
    student = transfer.extract(restored, drop_last=1, heads=[transfer.Head("label", 1)])
    only = replace(data.subset(np.flatnonzero(data.labels == 0)), labelling=Labelling.of_classes(("digit_0",)))
    with pytest.raises(DataError):
        transfer.finetune(student, only)


def test_no_example_at_all_is_refused(student, data):
    with pytest.raises(DataError):
        transfer.finetune(student, data.subset(np.array([], np.int64)))


def dense(**options) -> keras.Model:
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(2, name="label", **options)(keras.layers.Dense(3)(inputs)))


def two_heads() -> keras.Model:
    inputs = keras.Input((4,))
    return keras.Model(inputs, [keras.layers.Dense(2)(inputs), keras.layers.Dense(2)(inputs)])


def ends_in_softmax() -> keras.Model:
    model = dense()
    return keras.Model(model.inputs, keras.layers.Softmax()(model.output))


def with_positions() -> keras.Model:
    inputs = keras.Input((4,))
    x = keras.layers.Reshape((2, 2))(inputs)
    return keras.Model(inputs, keras.layers.Dense(2, name="label")(x))


@pytest.mark.parametrize(
    "student",
    [dense(activation="softmax"), dense(use_bias=False), two_heads(), ends_in_softmax(), with_positions()],
    ids=["probabilities", "no bias", "two heads", "softmax", "positions"],
)
def test_a_student_that_does_not_end_in_one_head_of_logits_is_refused(student):
    rows = transfer.from_arrays(np.random.default_rng(0).normal(size=(8, 4)), np.arange(8) % 2)
    with pytest.raises(LayerError) as caught:
        transfer.finetune(student, rows)
    assert caught.value.next_step


def test_progress_tells_of_reading_and_choosing(student, data):
    seen = []
    transfer.finetune(student, data, shots=2, progress=lambda *each: seen.append(each))
    assert ("reading images", 30, 30) in seen
    assert any(stage == "choosing the regularisation" for stage, _, _ in seen)
    assert all(0 < done <= total for _, done, total in seen)


def test_the_model_carries_its_classes_and_history_along(digits_run):
    card = transfer.restore(digits_run.folder / "model.keras").card
    assert card.classes == ("digit_0", "digit_1", "digit_2")
    assert card.preprocessing is None, "it is part of the model"
    assert card.history[-1] == "fine-tuned: probe"
    assert "MNIST" in card.origin


def test_a_frozen_tensor_that_changes_ends_the_run(colour_student, colours, tmp_path, monkeypatch):
    def careless(network, *_arguments, **_options):
        layer = network.get_layer("norm_2")
        layer.set_weights([each + 1 for each in layer.get_weights()])
        return Fit((), 0, 1e-3, 0, "complete", stepping=None)

    monkeypatch.setattr(lessons, "fit", careless)
    with pytest.raises(LayerError, match="frozen tensor"):
        tuned(colour_student, colours, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_tuning_with_dropout_repeats_to_the_bit_and_stills_what_is_frozen(colours, tmp_path):
    def build():
        inputs = keras.Input((8, 8, 3), name="x")
        x = keras.layers.Dropout(0.9, name="frozen_dropout", trainable=False)(inputs)
        x = keras.layers.Conv2D(6, 3, name="conv")(x)
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.Dropout(0.3, name="dropout")(x))
        return keras.Model(inputs, keras.layers.Dense(len(np.unique(colours[1])), name="label")(x))

    keras.utils.set_random_seed(2)
    student = build()
    data = transfer.from_arrays(colours[0].astype(np.float32), colours[1])
    recipe = transfer.Recipe(
        (transfer.Stage("probe"), transfer.Stage("tune", unfreeze_from="conv", epochs=2, rate=1e-3)), seed=4
    )
    first, second = (
        transfer.finetune(
            student,
            data,
            recipe=recipe,
            size=(8, 8),
            preprocessing=transfer.Preprocessing(scale=1 / 255),
            out=tmp_path / name,
        )
        for name in ("first", "second")
    )
    for name in ("model.keras", "history.jsonl", "result.json"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes(), name
    assert first.model.get_layer("frozen_dropout").rate == 0.9


def test_test_examples_with_the_bytes_of_some_learnt_from_are_left_out_and_told(student, digits):
    images, labels = digits
    twice = transfer.from_arrays(np.concatenate([images, images]), np.concatenate([labels, labels]))
    run = transfer.finetune(student, twice, test_share=0.5, recipe=transfer.Recipe(transfer.Stage("probe"), seed=1))
    note = next(each for each in run.result.notes if "the same bytes" in each)
    left_out = int(note.split()[0])
    assert left_out > 0
    assert run.result.test_examples + left_out + run.result.train_examples == len(twice)


def test_what_is_no_student_and_no_recipe_is_told_with_what_to_do(restored, student, data):
    with pytest.raises(LayerError, match="no head for these classes") as caught:
        transfer.finetune(restored, data)
    assert "transfer.extract(restored" in caught.value.next_step
    with pytest.raises(DataError, match="expected a Recipe, found 'probe'") as caught:
        transfer.finetune(student, data, recipe="probe")
    assert "transfer.named_recipe('probe'" in caught.value.next_step


def test_scores_of_several_stages_tell_their_place(student, data):
    tune = transfer.Stage(unfreeze_last=1, epochs=1)
    run = transfer.finetune(student, data, recipe=transfer.Recipe((transfer.Stage("probe"), tune, tune)))
    assert [score.name for score in run.result.stages] == ["probe", "tuned, stage 1", "tuned, stage 2"]


def test_shots_and_a_test_set_of_its_own_exclude_each_other(student, data):
    with pytest.raises(ValueError, match="shots"):
        transfer.finetune(student, data, test=data, shots=2)


def test_examples_that_contradict_each_other_and_small_classes_are_told(student, digits):
    images, labels = digits
    rows = np.concatenate([images, images[:1]]).astype(np.float32).reshape(-1, 784)
    data = transfer.from_arrays(rows, np.append(labels, 1), ["zero", "one", "two"])
    warnings = transfer.finetune(student, data, shots=4).result.warnings
    assert any("x[0] (zero) = x[30] (one)" in each for each in warnings)
    assert any("zero (4), one (4), two (4)" in each for each in warnings)
    assert transfer.finetune(student, transfer.from_arrays(*digits), shots=6).result.warnings == ()
