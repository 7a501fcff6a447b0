"""A file that a run has made says which test examples it has learnt from, wherever it goes in."""

import json
import shutil

import pytest

import transfer
from transfer.errors import DataError
from transfer.jobs.finetuning.forecasting import forecast_file
from transfer.jobs.finetuning.learning import Learning
from transfer.jobs.runs.learnt_before import LearntBefore, find_learnt
from transfer.jobs.students.preparing import prepare_student
from transfer.weights.cards import Card

AS_STORED = {"size": (28, 28), "preprocessing": "raw"}  # the file of a run takes pictures as they are


def probe(seed):
    return transfer.Recipe(transfer.Stage("probe"), seed=seed)


@pytest.fixture(scope="module")
def data(digits_folder):
    return transfer.read_labelled(digits_folder)


@pytest.fixture(scope="module")
def run(student, data, tmp_path_factory):
    """A run whose file has learnt from three quarters of the examples."""
    out = tmp_path_factory.mktemp("runs") / "first"
    return transfer.finetune(student, data, recipe=probe(1), out=out)


@pytest.fixture(scope="module")
def file(run):
    return run.folder / "model.keras"


@pytest.fixture(scope="module")
def again(file, data):
    """The file with a new head."""
    return prepare_student(transfer.restore(file), data.labelling)


def split(run):
    return json.loads((run.folder / "run.json").read_text())["split"]


def said(count, tested, name="model.keras"):
    told = f"{count} of the {tested} test examples are among those that {name} has learnt from"
    return (f"{told}: its accuracy is too good",)


def test_a_run_from_such_a_file_warns_with_the_number_and_none_of_the_same_split_does(run, again, data, tmp_path):
    found = transfer.finetune(again, data, recipe=probe(2), out=tmp_path / "second", **AS_STORED)
    learnt, tested = split(run)["train"], split(found)["test"]
    count = len(set(learnt) & set(tested))
    assert 0 < count < len(tested)
    assert said(count, len(tested))[0] in found.result.warnings
    same = transfer.finetune(again, data, recipe=probe(1), **AS_STORED)
    assert not any("has learnt from" in each for each in (*same.result.warnings, *same.result.notes))


def test_from_random_weights_nothing_is_known(again, data):
    recipe = transfer.Recipe(transfer.Stage(unfreeze=("*",), fresh=True, epochs=1), seed=2, validation=0)
    found = transfer.finetune(again, data, recipe=recipe, **AS_STORED)
    assert not any("learnt from" in each for each in (*found.result.warnings, *found.result.notes))


def test_a_dry_run_says_the_same(file, data):
    how = Learning(recipe=probe(2), size=(28, 28), preprocessing=transfer.Preprocessing())
    told = forecast_file(str(file), data, how).warnings
    assert any(each.endswith("that model.keras has learnt from: its accuracy is too good") for each in told)


def test_baselines_and_a_curve_test_on_all_of_them(again, data, run):
    learnt = len(split(run)["train"])
    told = transfer.compare_baselines(again, data, folds=2, repeats=1, **AS_STORED)
    assert told.warnings == said(learnt, len(data))
    assert f"warning   {told.warnings[0]}" in str(told)
    assert told.to_json()["warnings"] == told.warnings
    curve = transfer.draw_curve(again, data, shots=(1, 2), recipes=("probe",), divisions=3, **AS_STORED)
    (warning,) = curve.warnings
    assert warning.endswith("that model.keras has learnt from: its accuracy is too good")
    assert f"warning   {warning}" in curve.closing


def test_a_ranking_names_the_candidate(file, data, run):
    ranking = transfer.rank({"mine": str(file), "shipped": "digits_mlp"}, data, random=True, cuts=1, **AS_STORED)
    assert ranking.warnings == said(len(split(run)["train"]), len(data), "mine")
    assert f"warning   {ranking.warnings[0]}" in str(ranking)


def test_as_a_benchmark_it_is_refused_for_its_run_before_any_work(student, file, data, run, tmp_path):
    how = {"recipe": probe(2), "benchmark": file, "out": tmp_path / "run", **AS_STORED}
    with pytest.raises(DataError, match=r"model.keras cannot be the benchmark: it has learnt from") as refused:
        transfer.finetune(student, data, **how)
    assert str(run.folder) in refused.value.next_step
    assert list(tmp_path.iterdir()) == []
    same = transfer.finetune(
        student, data, recipe=probe(1), benchmark=file, **AS_STORED
    )  # tested on what it has not seen
    assert same.result.benchmark.note == ""


def test_away_from_its_run_the_card_alone_says_that_nothing_is_known(student, file, data, tmp_path):
    away = shutil.copy(file, tmp_path / "away.keras")
    found = transfer.finetune(
        prepare_student(transfer.restore(away), data.labelling), data, recipe=probe(2), **AS_STORED
    )
    note = (
        "away.keras was fine-tuned and no run stands beside it: whether it has learnt from test examples then is not "
        "known"
    )
    assert note in found.result.notes
    beside = transfer.finetune(student, data, recipe=probe(2), benchmark=away, **AS_STORED)
    assert beside.result.benchmark.note == note
    live = transfer.extract(transfer.restore(away), drop_last=1, freeze="backbone", heads=[transfer.Head("label", 3)])
    told = transfer.compare_baselines(live, data, folds=2, repeats=1, **AS_STORED)
    assert note.replace("away.keras", "the network") in told.notes


def test_what_is_extracted_into_the_folder_of_a_run_is_of_it_and_other_files_are_not(run, file, tmp_path):
    beside = shutil.copytree(run.folder, tmp_path / "run")
    shutil.copy(file, beside / "backbone.keras")
    card = transfer.open_checkpoint(beside / "backbone.keras").card
    found = find_learnt("backbone", str(beside / "backbone.keras"), card)
    assert found.count(list(found.digests)) == len(split(run)["train"])
    assert found.notes == ()
    assert find_learnt("other", str(beside / "other.h5"), Card()) == LearntBefore("other")
    twice = Card(history=("fine-tuned: probe", "fine-tuned: probe"))
    assert find_learnt("it", str(beside / "model.keras"), twice).notes == (
        "it was fine-tuned before that run: whether it has learnt from test examples then is not known",
    )


def test_a_run_that_keeps_no_digests_leaves_it_open(run, file, tmp_path):
    old = shutil.copytree(run.folder, tmp_path / "old")
    asked = json.loads((old / "run.json").read_text())
    del asked["learnt"]
    (old / "run.json").write_text(json.dumps(asked))
    card = transfer.open_checkpoint(file).card
    found = find_learnt("model.keras", str(old / "model.keras"), card)
    assert (found.digests, found.is_open) == (frozenset(), True)
    assert found.warnings(["a"]) == ()
