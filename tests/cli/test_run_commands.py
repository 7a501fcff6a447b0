"""`finetune`, `predict` and `evaluate`: from pictures to a run, and what is asked of it."""

import json
import shutil
import sys
import time

import keras
import numpy as np
import pytest
from PIL import Image

import transfer
from transfer.jobs.finetuning.learning import Learning, learn_file
from transfer.jobs.runs.evaluating import evaluate
from transfer.results import Result

FILES = [
    "answers.json",
    "command.txt",
    "history.jsonl",
    "model.keras",
    "predictions.npz",
    "report.html",
    "report.json",
    "result.json",
    "run.json",
    "timing.json",
]


@pytest.fixture(scope="module")
def finished(pictures, tmp_path_factory):
    return learn_file(
        "digits_mlp",
        transfer.read_labelled(pictures),
        tmp_path_factory.mktemp("finished") / "digits",
        Learning(shots=5),
    ).folder


@pytest.fixture
def run(finished, tmp_path):
    """A finished run of `finetune digits_mlp PICTURES --shots 5`; a copy of its own for each test."""
    return shutil.copytree(finished, tmp_path / "runs" / "digits")


def rows(stdout: str) -> list[list[str]]:
    return [line.split() for line in stdout.splitlines()]


def test_finetune_prints_the_receipt_the_scores_and_where_the_run_lies(call, pictures, tmp_path):
    ended = call("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", "--shots", "5")
    assert ended.code == 0
    assert ended.stderr == ""
    result = transfer.load_run(tmp_path / "run").result
    assert "6 tensors matched, 55,050 parameters; outputs verified" in ended.stdout
    assert "dropped predictions; backbone ends at 'dense_2' and is trained in its last 2 blocks, froz" in ended.stdout
    assert "3 classes, 15 examples to learn from, 9 to test on" in ended.stdout
    for score in (result.score, *result.baselines):
        words, right = score.name.split(), f"{score.correct}/{score.examples}"
        row = next(line for line in rows(ended.stdout) if line[: len(words)] == words and line[-1] == right)
        interval = score.accuracy
        found = [f"{interval.value:.3f}", f"{interval.low:.3f}", "to", f"{interval.high:.3f}"]
        assert row[len(words) :] == [*found, right]
    assert f"{tmp_path / 'run'}/model.keras" in ended.stdout
    assert f"{transfer.load_run(tmp_path / 'run')}\n" == ended.stdout
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == FILES


def test_finetune_as_json_holds_the_result_and_nothing_else_is_printed(call, pictures, tmp_path):
    ended = call("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", "--shots", "5", "--json")
    assert ended.stderr == ""
    values = ended.json
    assert values.pop("schema") == "transfer/finetune/1"
    assert values.pop("run") == str(tmp_path / "run")
    assert values.pop("report") == str(tmp_path / "run" / "report.html")
    assert values.pop("reused") is False
    assert values.pop("resumed") is None
    assert values.pop("receipt")["fingerprint"] == "verified"
    assert Result.from_json(values) == transfer.load_run(tmp_path / "run").result


def test_finetune_twice_with_the_same_seed_writes_the_same_bytes(call, pictures, tmp_path):
    for name in ("one", "two"):
        call("finetune", "digits_mlp", pictures, "-o", tmp_path / name, "--seed", "3")
    differ = [name for name in FILES if len({(tmp_path / run / name).read_bytes() for run in ("one", "two")}) > 1]
    assert set(differ) <= {"report.html", "timing.json"}


def test_the_same_command_again_says_so_and_writes_nothing(call, run, pictures):
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.iterdir()}
    ended = call("finetune", "digits_mlp", pictures, "-o", run, "--shots", "5")
    assert ended.code == 0
    assert f"{run} holds this very run already; nothing was computed." in ended.stdout
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.iterdir()} == before
    assert call("finetune", "digits_mlp", pictures, "-o", run, "--shots", "5", "--json").json["reused"] is True


def test_another_command_for_the_same_folder_is_8_and_force_replaces(call, run, pictures):
    before = (run / "run.json").read_bytes()
    ended = call("finetune", "digits_mlp", pictures, "-o", run, "--shots", "5", "--seed", "1")
    assert ended.code == 8
    assert ended.stderr.splitlines() == [
        f"error: {run} holds a run with other settings or inputs.",
        "  seed",
        "    expected  1",
        "    found     0",
        "  next: choose another folder with -o (out=…), or replace the run with --force (force=True)",
    ]
    assert (run / "run.json").read_bytes() == before
    assert call("finetune", "digits_mlp", pictures, "-o", run, "--shots", "5", "--seed", "1", "--force").code == 0
    assert json.loads((run / "run.json").read_text())["recipe"]["seed"] == 1
    assert [path.name for path in run.parent.iterdir()] == ["digits"]


@pytest.mark.parametrize("place", ["run", "runs/of/mine"])
def test_finetune_that_fails_leaves_no_folder(call, pictures, tmp_path, place, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("finetune", "digits_mlp", pictures, "-o", place, "--shots", "8").code == 6
    assert call("finetune", "digits_mlp", pictures, "-o", place, "--at", "dense_9").code == 5
    assert call("finetune", "nothing_of_that_name", pictures, "-o", place).code == 3
    assert list(tmp_path.iterdir()) == []


def test_pictures_for_weights_without_a_card_ask_for_the_preprocessing_option(call, here, pictures):
    arguments = ("finetune", "pretrained.weights.h5", pictures, "--into", "functional_models:create_functional_model")
    ended = call(*arguments, "-o", "run", "--json")
    assert ended.code == 6
    assert "--preprocessing" in ended.error["next"]
    assert not (here / "run").exists()


def test_a_size_that_the_network_does_not_take_is_5(call, pictures, tmp_path):
    ended = call("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", "--size", "14", "--json")
    assert ended.code == 5
    assert ended.error["problems"][0]["found"] == "(784,)"


def test_damaged_pictures_are_named_and_may_be_left_out(call, pictures, tmp_path):
    shutil.copytree(pictures, tmp_path / "set")
    (tmp_path / "set/digit_1/broken.png").write_bytes(b"no picture")
    arguments = ("finetune", "digits_mlp", tmp_path / "set", "-o", tmp_path / "run", "--shots", "5")
    ended = call(*arguments)
    assert ended.code == 6
    assert "digit_1/broken.png" in ended.stderr
    assert "--skip-unreadable" in ended.stderr
    ended = call(*arguments, "--skip-unreadable")
    assert ended.code == 0
    assert ended.stderr.startswith("left out: 1\n  digit_1/broken.png: ")
    assert "broken" not in ended.stdout


def test_a_time_limit_is_kept_and_belongs_to_what_was_asked(call, pictures, tmp_path):
    arguments = ("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", "--shots", "5", "--json")
    start = time.monotonic()
    ended = call(*arguments, "--epochs", "1000000", "--time-limit", "20s")
    assert time.monotonic() - start < 60  # on a machine however busy; without the limit it takes hours
    assert [each["name"] for each in ended.json["stages"]] == ["probe", "tuned"]
    assert any("the time limit ended" in note and note.endswith("trial of stage 1") for note in ended.json["notes"])
    assert call(*arguments, "--epochs", "1000000", "--time-limit", "20").json["reused"]
    assert call(*arguments, "--epochs", "1000000").code == 8  # another request


def test_a_limit_that_leaves_no_time_for_anything_is_an_error_that_leaves_nothing(call, pictures, tmp_path):
    ended = call("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", "--time-limit", "0.1")
    assert ended.code == 7
    assert "A time limit of 0.1 s" in ended.stderr
    assert "--dry-run" in ended.stderr
    assert not list(tmp_path.glob("*run*"))


@pytest.mark.parametrize("limit", ["0", "-1", "soon", "5 minutes", "1d"])
def test_what_is_no_time_is_refused(call, pictures, tmp_path, limit):
    ended = call("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", f"--time-limit={limit}")
    assert ended.code == 2
    assert "such as 90, 90s, 10m or 1.5h: a number above 0" in ended.stderr


def test_unfreezing_from_the_command_line_trains_what_is_named(call, pictures, tmp_path):
    arguments = ("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", "--shots", "5", "--json")
    ended = call(*arguments, "--unfreeze-from", "dense_2", "--epochs", "2", "--rate", "1e-3")
    assert [each["name"] for each in ended.json["stages"]] == ["probe", "tuned"]
    tuned = keras.models.load_model(tmp_path / "run/model.keras")
    original = transfer.restore("digits_mlp").model
    same = [
        np.array_equal(tuned.get_layer(n).get_weights()[0], original.get_layer(n).get_weights()[0])
        for n in ("dense_1", "dense_2")
    ]
    assert same == [True, False]


def test_examples_to_test_on_may_lie_elsewhere(call, pictures, more_pictures, tmp_path):
    ended = call("finetune", "digits_mlp", pictures, "--test", more_pictures, "-o", tmp_path / "run", "--json")
    assert (ended.json["train_examples"], ended.json["test_examples"]) == (24, 9)


@pytest.mark.parametrize("other", [("--shots", "5"), ("--test", "more")])
def test_a_share_to_test_on_beside_what_says_it_already_is_a_slip(call, pictures, tmp_path, other):
    ended = call("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", "--test-share", "0.5", *other)
    assert ended.code == 2
    assert "--test-share" in ended.stderr
    assert not (tmp_path / "run").exists()


def test_a_share_to_test_on_is_heeded_alone(call, pictures, tmp_path):
    ended = call("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", "--test-share", "0.5", "--json")
    assert (ended.json["train_examples"], ended.json["test_examples"]) == (12, 12)
    asked = json.loads((tmp_path / "run/run.json").read_text())
    assert asked["test_share"] == 0.5


def test_what_nobody_can_train_is_not_unfrozen_in_a_dry_run_either(call, pictures, tmp_path):
    for ending in (("-o", tmp_path / "run"), ("--dry-run",)):
        ended = call("finetune", "digits_mlp", pictures, "--unfreeze-from", "label", *ending)
        assert ended.code == 5
        assert "--unfreeze-from dense_2" in ended.stderr


def test_predict_prints_a_row_a_picture_with_its_whole_name(call, run, more_pictures):
    ended = call("predict", run, more_pictures)
    assert ended.code == 0
    assert ended.stderr == ""
    answers = call("predict", run, more_pictures, "--json").json["answers"]
    assert len(answers) == 9
    printed = rows(ended.stdout)
    for each in answers:
        assert [each["name"], each["label"], f"{each['probability']:.3f}"] in printed


def test_predict_as_json_gives_every_class_its_probability(call, run, more_pictures):
    path = sorted(more_pictures.rglob("*.png"))[0]
    ended = call("predict", run, path, "--json")
    assert ended.stderr == ""
    (answer,) = ended.json["answers"]
    image = np.asarray(Image.open(path))[None, ..., None]
    expected = keras.models.load_model(run / "model.keras").predict(image, verbose=0)[0]
    assert list(answer["probabilities"]) == ["digit_0", "digit_1", "digit_2"]
    np.testing.assert_allclose(list(answer["probabilities"].values()), expected, atol=1e-6)
    assert answer["label"] == f"digit_{expected.argmax()}"
    assert ended.json["left_out"] == []


def test_predict_names_what_it_cannot_read_on_stderr(call, run, more_pictures, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    good = sorted(more_pictures.rglob("*.png"))[0]
    ended = call("predict", run, good, bad)
    assert ended.code == 0
    assert ended.stderr.startswith(f"left out: 1\n  {bad}: ")
    assert "bad.png" not in ended.stdout
    assert [each["where"] for each in call("predict", run, good, bad, "--json").json["left_out"]] == [str(bad)]
    assert call("predict", run, good, bad, "--strict").code == 6
    assert call("predict", run, bad).code == 6


def test_evaluate_leaves_out_what_the_run_learnt_from(call, run, pictures):
    ended = call("evaluate", run, pictures, "--json")
    assert ended.stderr == ""
    result = transfer.load_run(run).result
    assert ended.json["seen"] == 15
    assert ended.json["score"]["correct"] == result.score.correct
    assert ended.json["score"]["examples"] == 9
    printed = call("evaluate", run, pictures)
    assert "15 examples left out: the run learnt from them" in printed.stdout
    assert f"{evaluate(run, transfer.read_labelled(pictures))}\n" == printed.stdout
    for name, right, count in ended.json["per_class"]:
        assert [name, f"{right / count:.3f}", f"{right}/{count}"] in rows(printed.stdout)


def test_evaluate_refuses_classes_that_the_run_does_not_know(call, run, more_pictures, tmp_path):
    shutil.copytree(more_pictures, tmp_path / "set")
    (tmp_path / "set/digit_2").rename(tmp_path / "set/seven")
    ended = call("evaluate", run, tmp_path / "set", "--json")
    assert ended.code == 6
    assert [(each["where"], each["found"]) for each in ended.error["problems"]] == [("seven", "seven")]


def test_finetune_tells_tensorboard_and_names_the_extra_where_mlflow_is_missing(call, pictures, tmp_path, monkeypatch):
    board = tmp_path / "board"
    ended = call("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", "--epochs", "1", "--tensorboard", board)
    assert (ended.code, ended.stderr) == (0, "")
    assert [path.name.rpartition("-")[0] for path in board.iterdir()] == ["run"]
    assert "trial_1" in [path.name for path in next(board.iterdir()).iterdir()]
    monkeypatch.setitem(sys.modules, "mlflow", None)
    ended = call("finetune", "digits_mlp", pictures, "-o", tmp_path / "other", "--mlflow")
    assert ended.code == 8
    assert "pip install 'h5transfer[mlflow]'" in ended.stderr


def test_finetune_says_how_far_from_a_benchmark_it_stands(call, pictures, run, tmp_path):
    asked = ("finetune", "digits_mlp", pictures, "--shots", "5", "-o", tmp_path / "second", "--recipe", "probe")
    ended = call(*asked, "--benchmark", run)
    assert ended.code == 0
    result = transfer.load_run(tmp_path / "second").result
    (line,) = result.benchmark.lines
    assert line.startswith("benchmark run digits ")
    assert line in ended.stdout.splitlines()
    assert f"{transfer.load_run(tmp_path / 'second')}\n" == ended.stdout
    again = call(*asked, "--benchmark", run)
    assert "holds this very run already; nothing was computed" in again.stdout
    other = call(*asked, "--benchmark", "digits_mlp")
    assert other.code == 8
    assert "benchmark\n    expected  probe on digits_mlp\n    found     run digits" in other.stderr
    assert call(*asked, "--benchmark", "digits_mlp", "--force").code == 0
    assert transfer.load_run(tmp_path / "second").result.benchmark.name == "probe on digits_mlp"


def test_finetune_refuses_a_benchmark_of_another_task_also_where_it_only_says_what_it_would_do(
    call, more_pictures, run, tmp_path
):
    asked = ("finetune", "digits_mlp", more_pictures, "--benchmark", run)
    for how in (("-o", tmp_path / "second"), ("--dry-run",)):
        ended = call(*asked, *how)
        assert ended.code == 6
        assert "cannot be the benchmark: it was tested on other examples" in ended.stderr
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize("recipe", ["scratch", "probe"])
def test_a_recipe_from_random_weights_says_that_what_was_restored_is_not_used(call, pictures, tmp_path, recipe):
    steps = ("--set", "stages.0.steps=0", "--set", "stages.0.epochs=1") if recipe == "scratch" else ()
    ended = call("finetune", "digits_mlp", pictures, "-o", tmp_path / "run", "--recipe", recipe, *steps)
    assert ended.code == 0, ended.stderr
    (line,) = (line for line in ended.stdout.splitlines() if line.startswith("restored "))
    said = "training starts anew from random weights: none of these is used"
    assert line.endswith(said) == (recipe == "scratch")
