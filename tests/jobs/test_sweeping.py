"""Sweeps: what is tried, on what, and how one that was killed goes on."""

import json
import pickle
import shutil
import signal
import subprocess
import sys

import optuna
import pytest

import transfer
from transfer.data.labelled_splits import split_labelled
from transfer.errors import DataError, OutputError, TrainingError
from transfer.jobs.sweeps import trying_recipes
from transfer.jobs.sweeps.optuna_studies import next_points, write_study
from transfer.recipes import Recipe, Stage
from transfer.training.engines import LocalEngine
from transfer.training.recipe_spaces import parse_space
from transfer.training.recipe_texts import read_recipe

SHORT = Recipe((Stage("probe"), Stage(unfreeze_last=1, epochs=1, rate=1e-4)), seed=3)
OVER = {"stages.1.rate": "1e-4..1e-1", "stages.1.optimizer": ["adam", "sgd"]}


class Backwards(LocalEngine):
    """An engine that does the last of its work first."""

    def map(self, prepare, shards, *, lost=None):
        return super().map(prepare, reversed(list(shards)), lost=lost)


@pytest.fixture(scope="module")
def rows(digits):
    return transfer.from_arrays(digits[0], digits[1], ["zero", "one", "two"])


@pytest.fixture(scope="module")
def swept(student, rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("sweeps") / "what? 50%#"
    return transfer.sweep(student, rows, recipe=SHORT, over=OVER, out=out, trials=4, at_once=2, folds=2)


def forget_folder(found):
    told = {**found.to_json(), "sweep": "", "best_recipe": "", "reused": False}
    return {**told, "command": ""}


def test_trials_see_the_training_part_alone_and_the_best_is_run_once_on_the_rest(swept, rows):
    train, tested = split_labelled(rows.labelling, rows.targets, seed=3)
    assert isinstance(swept, transfer.Sweep)
    assert (swept.learnt_examples, swept.fold_count, swept.how) == (len(train), 2, "TPE")
    assert [each.number for each in swept.trials] == [0, 1, 2, 3, 4]
    assert {score.examples for score in swept.tested.values()} == {len(tested)}
    for name in ("best", "as_it_is") if swept.best.number else ("as_it_is",):
        split = json.loads((swept.folder / "runs" / name / "run.json").read_text())["split"]
        assert split["train"] == sorted(rows.names[place] for place in train)
        assert split["test"] == sorted(rows.names[place] for place in tested)
    assert swept.tested["as it is"] == transfer.load_run(swept.folder / "runs" / "as_it_is").result.score


def test_what_a_trial_found_is_what_the_recipe_finds_on_its_folds(swept, student, rows):
    train, _ = split_labelled(rows.labelling, rows.targets, seed=3)
    learnt, trial = rows.subset(train), swept.trials[1]
    recipe = parse_space(SHORT, OVER).at(trial.point)
    found = transfer.compare_baselines(student, learnt, recipe=recipe, folds=2, repeats=1, seed=3)
    (own,) = (each for each in found.ways if each.name == "tuned")
    assert (own.folds, own.accuracy) == (trial.folds, trial.accuracy)


def test_the_best_is_the_most_accurate_then_the_surest_then_the_first(swept):
    told = [(each.accuracy.value, each.loss, each.number) for each in swept.trials]
    assert swept.best.number == min(told, key=lambda each: (-each[0], each[1], each[2]))[2]
    best = read_recipe(swept.best_recipe)
    assert best.stages == parse_space(SHORT, OVER).at(swept.best.point).stages
    assert best.seed == 3


def test_the_same_sweep_finds_the_same_whatever_is_done_first(swept, student, rows, tmp_path):
    again = transfer.sweep(
        student, rows, recipe=SHORT, over=OVER, out=tmp_path / "s", trials=4, at_once=2, folds=2, engine=Backwards()
    )
    assert forget_folder(again) == forget_folder(swept)


def test_a_finished_sweep_is_told_again_and_nothing_is_done(swept, student, rows, monkeypatch):
    monkeypatch.setattr(trying_recipes.Trying, "prepare", None)
    asked = {"recipe": SHORT, "over": OVER, "out": swept.folder, "trials": 4, "folds": 2}
    again = transfer.sweep(student, rows, **asked, at_once=2)
    assert again.reused
    assert forget_folder(again) == forget_folder(swept)
    with pytest.raises(OutputError, match="other settings") as caught:
        transfer.sweep(student, rows, **{**asked, "trials": 5}, at_once=2)
    assert [(each.where, each.expected, each.found) for each in caught.value.problems] == [("sweep.trials", "5", "4")]
    assert not (swept.folder / "features").exists()


def test_a_sweep_that_was_cut_off_goes_on_with_the_trials_that_are_not_done(
    swept, student, rows, tmp_path, monkeypatch
):
    out, tried = tmp_path / "cut", []
    real = trying_recipes._Work._tried

    def cut_off(self, number, point, recipe):
        tried.append(number)
        if len(tried) == 3:
            raise KeyboardInterrupt
        return real(self, number, point, recipe)

    monkeypatch.setattr(trying_recipes._Work, "_tried", cut_off)
    asked = {"recipe": SHORT, "over": OVER, "out": out, "trials": 4, "at_once": 2, "folds": 2}
    with pytest.raises(OutputError, match="no sweep"):
        transfer.sweep(student, rows, **asked, resume=True)
    with pytest.raises(KeyboardInterrupt):
        transfer.sweep(student, rows, **asked)
    assert tried == [0, 1, 2]
    again = transfer.sweep(student, rows, **asked, resume=True)
    assert tried == [0, 1, 2, 2, 3, 4]
    assert forget_folder(again) == forget_folder(swept)


def test_a_grid_tries_every_point_and_none_twice(student, rows, tmp_path):
    over = ["stages.1.rate=0.0001,0.01"]
    recipe = Recipe((Stage("probe"), Stage(unfreeze_last=1, epochs=1, rate=1e-4, optimizer="sgd")), seed=1)
    found = transfer.sweep(student, rows, recipe=recipe, over=over, out=tmp_path / "s", folds=2)
    assert (found.how, len(found.trials)) == ("grid", 3)
    assert found.trials[1].same_as == 0
    assert found.trials[1].folds == found.trials[0].folds
    assert "as it is" in str(found)
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{tmp_path / 's' / 'study.db'}")
    assert [each.params for each in study.trials] == [each.point for each in found.trials[1:]]
    assert [each.value for each in study.trials] == [each.accuracy.value for each in found.trials[1:]]


def test_a_trial_that_cannot_be_is_a_row_with_its_reason(student, rows, tmp_path, monkeypatch):
    real = trying_recipes._Work._tried

    def failing(self, number, point, recipe):
        if recipe.stages[1].optimizer == "sgd":
            raise RuntimeError("no memory\nat all")
        return real(self, number, point, recipe)

    monkeypatch.setattr(trying_recipes._Work, "_tried", failing)
    over = {"stages.1.optimizer": ["adamw", "sgd"], "stages.1.weight_decay": [0.01], "stages.1.momentum": [0.5]}
    found = transfer.sweep(student, rows, recipe=SHORT, over=over, out=tmp_path / "s", folds=2)
    first, second = found.trials[1:]
    assert "optimizer 'sgd' beside it" in first.reason
    assert second.reason == "It cannot be run: RuntimeError: no memory at all"
    assert found.best.number == 0
    assert found.difference is None
    assert found.verdict == "no trial validates better than the recipe as it is: keep it"
    assert "failed: It cannot be run" in str(found)
    assert not (tmp_path / "s" / "runs" / "best").exists()
    monkeypatch.setattr(trying_recipes._Work, "_tried", lambda *_: (_ for _ in ()).throw(DataError("No.")))
    with pytest.raises(TrainingError, match="Every one of the 3 trials failed"):
        transfer.sweep(student, rows, recipe=SHORT, over=over, out=tmp_path / "t", folds=2)


def test_a_slip_in_the_package_and_a_full_disk_end_the_sweep(student, rows, tmp_path, monkeypatch):
    def full(*_):
        raise OutputError("No room.")

    def slipping(*_):
        trying_recipes._losses(None, None)

    for way, kind in ((full, OutputError), (slipping, AttributeError)):
        monkeypatch.setattr(trying_recipes._Work, "_tried", way)
        with pytest.raises(kind):
            transfer.sweep(student, rows, recipe=SHORT, over=OVER, out=tmp_path / "s", trials=1, folds=2)
        assert [each.read_text() for each in (tmp_path / "s" / "trials").iterdir()] == ["0"]


KILLED = """
import os, signal, sys
import transfer
from transfer.jobs.sweeps import trying_recipes
from transfer.recipes import Recipe, Stage
real = trying_recipes._Work._tried
def dying(self, number, point, recipe):
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, number, point, recipe)
trying_recipes._Work._tried = dying
import numpy as np
from keras import layers, Sequential, Input, utils
utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
data = transfer.from_arrays(x, np.arange(24) % 2, ["a", "b"])
model = Sequential([Input((4,)), layers.Dense(4, activation="relu", name="d"), layers.Dense(2, name="label")])
found = transfer.sweep(model, data, recipe=Recipe(Stage(unfreeze_last=0, epochs=1), seed=1),
                       over=["stages.0.rate=1e-3,1e-2"], out=sys.argv[1], folds=2)
print(found.trials[1].reason)
"""


@pytest.mark.slow
def test_a_trial_that_kills_its_process_each_time_is_given_up(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "s")]
    for _ in range(3):
        assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "its process has died 3 times" in done.stdout


def test_another_thing_in_the_folder_is_left_alone(student, rows, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(OutputError, match="something else than a sweep"):
            transfer.sweep(student, rows, recipe=SHORT, over=OVER, out=tmp_path, force=force)
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


def test_points_do_not_depend_on_how_many_follow_and_a_study_opens(tmp_path):
    space = parse_space(SHORT, {**OVER, "stages.1.epochs": "1..9"})
    told = [(point, place / 10) for place, point in enumerate(next_points(space, [], 12, seed=5))]
    told[3] = told[3][0], None
    few, more = next_points(space, told, 2, seed=5), next_points(space, told, 4, seed=5)
    assert few != more[2:]
    assert more[:2] == few
    assert next_points(space, told, 2, seed=6) != few
    write_study(tmp_path / "100% ?.db", space, told)
    shutil.copy(tmp_path / "100% ?.db", tmp_path / "study.db")
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert len(study.trials) == 12
    assert [each.state.name for each in study.trials].count("FAIL") == 1


def test_another_process_in_another_folder_finds_everything(student, digits_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(digits_folder.parent)
    given = []

    class Elsewhere(LocalEngine):
        def map(self, prepare, shards, *, lost=None):
            given.append(prepare.__self__)
            monkeypatch.chdir(tmp_path)
            there = pickle.loads(pickle.dumps(prepare))  # noqa: S301
            yield from super().map(there, shards, lost=lost)
            monkeypatch.chdir(digits_folder.parent)

    data = transfer.read_labelled(digits_folder.name)
    over = {"stages.1.rate": [1e-2]}
    found = transfer.sweep(student, data, recipe=SHORT, over=over, out="swept here", folds=2, engine=Elsewhere())
    assert [each.reason for each in found.trials] == ["", ""]
    assert len(given) == 1
    assert (digits_folder.parent / "swept here" / "best.toml").is_file()
    assert list(tmp_path.iterdir()) == []
    shutil.rmtree("swept here")


def test_a_sweep_without_optuna_says_what_to_install(student, rows, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(OutputError) as caught:
        transfer.sweep(student, rows, recipe=SHORT, over=OVER, out=tmp_path / "s")
    assert caught.value.next_step == "pip install 'h5transfer[sweep]'"
    assert not (tmp_path / "s").exists()


class Interrupted(LocalEngine):
    """An engine whose second piece of work dies with its process at Ctrl-C."""

    def map(self, prepare, shards, *, lost=None):
        first, second, *_ = shards
        yield from super().map(prepare, [first], lost=lost)
        (prepare.__self__.folder.path / "trials" / f"{second[0]:04}.begun").write_text("1")
        raise KeyboardInterrupt


def test_ctrl_c_does_not_count_against_the_trials_of_other_processes(student, rows, tmp_path):
    asked = {"recipe": SHORT, "over": {"stages.1.rate": ["1e-4", "1e-3", "1e-2"]}, "out": tmp_path / "s", "folds": 2}
    with pytest.raises(KeyboardInterrupt):
        transfer.sweep(student, rows, **asked, engine=Interrupted())
    assert sorted(path.name for path in (tmp_path / "s" / "trials").iterdir()) == ["0000.json"]
