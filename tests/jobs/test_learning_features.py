"""A head on computed features: the run that `finetune` gives, without an example being opened."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import transfer
from transfer.errors import DataError, OutputError, TrainingError
from transfer.jobs.features.opening_features import open_features
from transfer.jobs.finetuning.learning import Learning, learn_file
from transfer.jobs.finetuning.learning_features import learn_features
from transfer.recipes import Recipe, Stage
from transfer.training.named_recipes import named_recipe

PROBE = Learning(recipe=named_recipe("probe", examples=20))


def unopened(folder: Path, **how) -> transfer.LabelledSet:
    return transfer.read_labelled(folder, max_pixels=None, **how)


@pytest.fixture(scope="module")
def features(digits_folder, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("features") / "features"
    transfer.compute_features("digits_mlp", digits_folder, out, shard_rows=7)
    return out


@pytest.fixture(scope="module")
def run_of_features(features, digits_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "features"
    return learn_features("digits_mlp", unopened(digits_folder), features, out, PROBE)


def test_it_is_the_run_of_the_pictures_to_the_bit(run_of_features, digits_folder, features):
    wanted = learn_file("digits_mlp", transfer.read_labelled(digits_folder), None, PROBE, cache=features)
    for own, other in zip(run_of_features.model.get_weights(), wanted.model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    assert run_of_features.result.score == wanted.result.score
    assert run_of_features.result.probe == wanted.result.probe
    assert run_of_features.asked["split"] == wanted.asked["split"]
    assert run_of_features.asked["learnt"] == wanted.asked["learnt"], "the examples are known again by their bytes"
    assert run_of_features.asked["data"]["digest"] == wanted.asked["data"]["digest"]


def test_baselines_are_those_that_take_no_input_and_the_notes_say_so(run_of_features, features):
    assert [each.name for each in run_of_features.result.baselines] == ["majority class", "stratified guess"]
    assert "baselines on raw input are left out: they take the examples themselves" in run_of_features.result.notes
    assert any(str(features) in note for note in run_of_features.result.notes)


def test_its_model_takes_pictures_and_the_run_is_evaluated_compared_and_found_again(
    run_of_features, digits_folder, features
):
    folder = run_of_features.folder
    scored = transfer.evaluate(folder, digits_folder)
    assert (scored.score.correct, scored.score.examples) == (
        run_of_features.result.score.correct,
        run_of_features.result.test_examples,
    )  # what it learnt from is known by its bytes
    answers = json.loads((folder / "answers.json").read_text())
    names = [f"{digits_folder}/{name}" for name in answers["examples"]]
    predicted = transfer.predict(folder, names)
    right = [Path(name).parent.name == each.label for name, each in zip(names, predicted, strict=True)]
    assert right == answers["ways"]["probe"]
    again = learn_features("digits_mlp", unopened(digits_folder), features, folder, PROBE)
    assert again.reused
    assert (folder / "report.html").is_file()


def test_no_picture_is_opened(features, digits_folder, tmp_path):
    copied = shutil.copytree(digits_folder, tmp_path / "pictures")
    for path in copied.rglob("*.png"):
        path.write_bytes(b"no picture any more")
    run = learn_features("digits_mlp", unopened(copied), features, None, PROBE)
    assert run.result.test_examples > 0
    assert not run.result.left_out


def test_a_table_of_labels_serves_as_well_and_tests_on_another(features, digits_folder, tmp_path):
    copied = shutil.copytree(digits_folder, tmp_path / "pictures")
    paths = sorted(path.relative_to(copied).as_posix() for path in copied.rglob("*.png"))
    for name, chosen in {"learn.csv": paths[::2], "test.csv": paths[1::2]}.items():
        (copied / name).write_text("file,label\n" + "".join(f"{each},{each[6]}\n" for each in chosen))
    how = replace(PROBE, test=unopened(copied / "test.csv"))
    run = learn_features("digits_mlp", unopened(copied / "learn.csv"), features, None, how)
    assert (run.result.train_examples, run.result.test_examples) == (15, 15)


def test_rows_of_an_array_are_known_by_their_numbers(digits, tmp_path):
    x, y = digits
    path = tmp_path / "digits.npz"
    np.savez(path, x=x, y=y)
    transfer.compute_features("digits_mlp", path, tmp_path / "features", shard_rows=11)
    run = learn_features("digits_mlp", transfer.read_labelled(path), tmp_path / "features", None, PROBE)
    wanted = learn_file("digits_mlp", transfer.read_labelled(path), None, PROBE)
    for own, other in zip(run.model.get_weights(), wanted.model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


def test_examples_without_features_and_features_without_labels_are_told_and_left_out_on_demand(
    features, digits_folder, tmp_path
):
    copied = shutil.copytree(digits_folder, tmp_path / "pictures")
    first = sorted(copied.rglob("*.png"))[0]
    first.rename(first.with_name("other [1].png"))
    with pytest.raises(
        DataError, match="1 labelled example has no features and 1 row of features has no label"
    ) as told:
        learn_features("digits_mlp", unopened(copied), features, None, PROBE)
    assert [each.where for each in told.value.problems] == ["digit_0/other [1].png", "digit_0/00.png"]
    run = learn_features("digits_mlp", unopened(copied), features, None, PROBE, skip_unreadable=True)
    assert run.result.train_examples + run.result.test_examples == 29
    assert [each.where for each in run.result.left_out] == ["digit_0/other [1].png"]
    assert "1 row of features has no label: left out" in run.result.notes


def test_features_of_another_network_are_refused_with_what_differs(features, digits_folder, restored, tmp_path):
    other = keras.models.clone_model(restored.model)
    path = tmp_path / "other.keras"
    other.save(path)
    prepared = restored.card.preprocessing
    how = replace(PROBE, preprocessing=prepared)
    with pytest.raises(DataError, match="are not those of") as told:
        learn_features(str(path), unopened(digits_folder), features, None, how)
    assert "network, its weights" in [each.where for each in told.value.problems]
    how = replace(PROBE, preprocessing=replace(prepared, background=7))
    with pytest.raises(DataError, match="are not those of") as told:
        learn_features("digits_mlp", unopened(digits_folder), features, None, how)
    assert {"how examples are brought to it, --size", "--preprocessing"} <= {each.where for each in told.value.problems}


def test_damaged_and_unfinished_features_are_errors(features, digits_folder, tmp_path):
    copied = shutil.copytree(features, tmp_path / "features")
    key = open_features(copied).asked["key"]
    shards = sorted((copied / key[:32]).glob("*.h5"))
    shards[0].unlink()
    shards[1].write_bytes(shards[1].read_bytes()[:-1] + b"?")
    with pytest.raises(DataError, match="2 shards of the features") as told:
        learn_features("digits_mlp", unopened(digits_folder), copied, None, PROBE)
    assert "transfer features" in told.value.next_step
    manifest = json.loads((copied / "manifest.json").read_text())
    (copied / "manifest.json").write_text(json.dumps({**manifest, "finished": False}))
    with pytest.raises(DataError, match="not complete"):
        open_features(copied)
    with pytest.raises(DataError, match="holds no features"):
        open_features(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="something else"):
        open_features(digits_folder)


def test_what_takes_the_examples_is_refused_with_what_to_do(features, digits_folder):
    tune = Learning(recipe=Recipe((Stage("probe"), Stage("tune", unfreeze_last=1))))
    with pytest.raises(TrainingError, match="Layers below the head") as told:
        learn_features("digits_mlp", unopened(digits_folder), features, None, tune)
    assert "--recipe probe" in told.value.next_step
    with pytest.raises(TrainingError, match="no other network"):
        learn_features("digits_mlp", unopened(digits_folder), features, None, replace(PROBE, baselines="all"))
    with pytest.raises(DataError, match="where they were cut"):
        learn_features("digits_mlp", unopened(digits_folder), features, None, replace(PROBE, at="dense_1"))


def test_a_feature_map_is_refused(digits_folder, tmp_path):
    network = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Conv2D(2, 3, name="map")])
    network.save(tmp_path / "net.keras")
    how = {"at": "map", "preprocessing": "unit"}
    transfer.compute_features(str(tmp_path / "net.keras"), digits_folder, tmp_path / "features", **how)
    with pytest.raises(DataError, match="without positions") as told:
        learn_features(str(tmp_path / "net.keras"), unopened(digits_folder), tmp_path / "features", None, PROBE)
    assert told.value.problems[0].found == "(n, 26, 26, 2)"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """All handwritten digits as rows for a network, their features, and the exact run on them."""
    found = load_digits()
    folder = tmp_path_factory.mktemp("many")
    network = keras.Sequential([keras.Input((64,)), keras.layers.Dense(32, activation="relu", name="hidden")])
    keras.utils.set_random_seed(1)
    network.build()
    network.save(folder / "net.keras")
    x, y = (found.data / 16).astype(np.float32), found.target
    np.savez(folder / "digits.npz", x=x, y=y)
    transfer.compute_features(folder / "net.keras", folder / "digits.npz", folder / "features", shard_rows=300)
    exact = learn_features(
        str(folder / "net.keras"), transfer.read_labelled(folder / "digits.npz"), folder / "features", None, PROBE
    )
    return folder, exact


def learn_many(folder, data="digits.npz", out=None, **how):
    how = {"memory_bytes": 2**17, **how}
    labelled = transfer.read_labelled(folder / data)
    return learn_features(str(folder / "net.keras"), labelled, folder / "features", out, PROBE, **how)


@pytest.mark.parametrize("solver", ["logistic", "ridge"])
def test_past_the_memory_heads_are_streamed_and_are_about_as_good(many, solver, tmp_path):
    folder, exact = many
    run = learn_many(folder, out=tmp_path / "run", solver=solver)
    assert run.asked["split"] == exact.asked["split"]
    assert run.asked["features"]["solver"] == f"streamed {solver}"
    lost = 0.01 if solver == "logistic" else 0.1  # least squares of shares on 32 features are a worse classifier
    assert run.result.score.accuracy.value == pytest.approx(exact.result.score.accuracy.value, abs=lost)
    assert any(note.startswith("logistic: in " if solver == "logistic" else "ridge: ") for note in run.result.notes)

    def loss(each):
        found = each.model.predict(np.load(folder / "digits.npz")["x"], verbose=0)
        wanted = np.load(folder / "digits.npz")["y"]
        assert np.allclose(found.sum(1), 1, atol=1e-5)
        return -np.log(found[np.arange(len(found)), wanted]).mean()

    assert loss(run) < loss(exact) + (0.005 if solver == "logistic" else 0.4)
    assert transfer.load_run(tmp_path / "run").result.score == run.result.score
    assert transfer.evaluate(tmp_path / "run", folder / "digits.npz").score.correct == run.result.score.correct


def test_a_streamed_run_repeats_and_goes_on_where_it_was_cut_off(many, tmp_path, monkeypatch):
    from transfer.training.streamed_coordinates import StreamedCoordinates

    folder, _ = many
    whole = learn_many(folder, out=tmp_path / "whole", report=False)
    sweep = StreamedCoordinates.sweep

    def cut(self, *how):
        if self.passes == 40:
            raise KeyboardInterrupt
        return sweep(self, *how)

    with monkeypatch.context() as patched:
        patched.setattr(StreamedCoordinates, "sweep", cut)
        with pytest.raises(KeyboardInterrupt):
            learn_many(folder, out=tmp_path / "cut", report=False)
    again = learn_many(folder, out=tmp_path / "cut", report=False)
    assert again.resumed
    assert not whole.resumed
    for name in ("result.json", "predictions.npz", "answers.json", "history.jsonl"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    for one, other in zip(again.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_several_outputs_of_all_kinds_are_streamed_and_calibrated(many):
    folder, _ = many
    there = np.load(folder / "digits.npz")
    names = np.array([f"d{each}" for each in there["y"]])
    odd, size = (there["y"] % 2).astype(np.int64), there["x"].sum(1)
    np.savez(folder / "several.npz", x=there["x"], y_digit=names, y_odd=odd, y_size=size)
    outputs = [("digit", "softmax"), ("odd", "sigmoid"), ("size", "regression")]
    labelled = transfer.read_labelled(folder / "several.npz", outputs=outputs)
    run = learn_features(str(folder / "net.keras"), labelled, folder / "features", None, PROBE, memory_bytes=2**17)
    last = run.result.outputs[0]
    assert {each.name for each in last.outputs} == {"digit", "odd", "size"}
    assert run.result.decisions["examples"] > 100


def test_sums_that_do_not_fit_are_refused_with_the_memory_that_is_needed(many):
    with pytest.raises(DataError, match="do not fit into the memory") as told:
        learn_many(many[0], memory_bytes=2**14)
    assert told.value.problems[0].where == "--memory"


def test_from_python_a_head_is_learnt_by_a_path_and_is_that_of_the_command(
    run_of_features, features, digits_folder, restored
):
    for checkpoint in ("digits_mlp", restored):
        run = transfer.learn_head(checkpoint, digits_folder, features)
        for own, other in zip(run.model.get_weights(), run_of_features.model.get_weights(), strict=True):
            np.testing.assert_array_equal(own, other)
    other = transfer.learn_head("digits_mlp", digits_folder, str(features), seed=1, solver="ridge")
    assert other.asked["split"] != run.asked["split"]
    assert any(note.startswith("ridge: in one pass") for note in other.result.notes)
    with pytest.raises(ValueError, match="shots divide one set"):
        transfer.learn_head("digits_mlp", digits_folder, features, test=digits_folder, shots=1)


def test_no_note_speaks_of_baselines_that_are_left_out(features, digits_folder, monkeypatch):
    from transfer.jobs.finetuning import scoring_stages

    monkeypatch.setattr(scoring_stages, "LEARNT_FROM", 5)
    wanted = learn_file("digits_mlp", transfer.read_labelled(digits_folder), None, PROBE)
    assert any("on raw input learnt from 5 of these" in note for note in wanted.result.notes)
    run = learn_features("digits_mlp", unopened(digits_folder), features, None, PROBE)
    assert not any("learnt from 5 of these" in note for note in run.result.notes)


def test_a_run_on_features_is_reported_and_held_against_another_without_its_pictures(features, digits_folder, tmp_path):
    copied = shutil.copytree(digits_folder, tmp_path / "pictures")
    for solver in ("logistic", "ridge"):
        learn_features("digits_mlp", unopened(copied), features, tmp_path / solver, PROBE, solver=solver)
    shutil.rmtree(copied)
    folders = [tmp_path / "logistic", tmp_path / "ridge"]
    assert len(transfer.compare(folders).runs) == 2
    transfer.write_report(folders, tmp_path / "both.html")
    assert "Examples are not opened" in transfer.write_report(folders[0], tmp_path / "one.html").read_text()
