"""A result beside the same network with random weights, on the same examples."""

import json

import pytest

import transfer
from transfer.jobs.finetuning import finetuning
from transfer.jobs.students.learnt_baselines import SCRATCH, UNTRAINED
from transfer.jobs.students.preparing import Student
from transfer.models.building import read_model
from transfer.training.fresh import start_anew

PROBE = transfer.Recipe(transfer.Stage("probe"), seed=3)


@pytest.fixture(scope="module")
def sets(digits):
    images, labels = digits
    names = ["zero", "one", "two"]
    return transfer.from_arrays(images[::2], labels[::2], names), transfer.from_arrays(
        images[1::2], labels[1::2], names
    )


@pytest.fixture(scope="module")
def run(student, sets, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "all"
    return transfer.finetune(student, sets[0], test=sets[1], recipe=PROBE, baselines="all", out=out)


def test_they_are_what_runs_of_their_own_on_the_network_with_random_weights_find(run, student, sets):
    scores = {each.name: each.correct for each in run.result.baselines}
    untrained = Student(start_anew(read_model(student), 3), {}, "", (), ("label",))
    alone = transfer.finetune(untrained, sets[0], test=sets[1], recipe=PROBE)
    assert scores[UNTRAINED] == alone.result.score.correct
    recipe = transfer.named_recipe("scratch", examples=len(sets[0]), seed=3)
    assert scores[SCRATCH] == transfer.finetune(student, sets[0], test=sets[1], recipe=recipe).result.score.correct


def test_the_result_and_its_model_are_those_without_them(run, student, sets, tmp_path):
    cheap = transfer.finetune(student, sets[0], test=sets[1], recipe=PROBE, out=tmp_path / "cheap")
    assert (run.folder / "model.keras").read_bytes() == (cheap.folder / "model.keras").read_bytes()
    assert run.result.score == cheap.result.score
    assert [each.name for each in run.result.baselines[:4]] == [each.name for each in cheap.result.baselines]
    assert [each.name for each in run.result.baselines[4:]] == [UNTRAINED, SCRATCH]
    kept = json.loads((run.folder / "answers.json").read_text())["ways"]
    assert {name: sum(each) for name, each in kept.items()} == {each.name: each.correct for each in run.result.scores}
    with pytest.raises(transfer.TransferError) as refused:
        transfer.finetune(student, sets[0], test=sets[1], recipe=PROBE, out=run.folder)
    assert [each.where for each in refused.value.problems] == ["baselines"]


def test_with_shots_they_are_made_for_as_many_as_are_learnt_from(student, sets, monkeypatch):
    asked = []

    def spied(_, examples):
        asked.append(examples)
        return {}

    monkeypatch.setattr(finetuning, "make_rivals", spied)
    transfer.finetune(student, sets[0], shots=2, recipe=PROBE, baselines="all")
    transfer.finetune(student, sets[0], test=sets[1], recipe=PROBE, baselines="all")
    assert asked == [6, len(sets[0])]


def test_several_outputs_have_them_too(restored, digits):
    images, labels = digits
    labelling = transfer.Labelling(
        (transfer.Output("digit", classes=("zero", "one", "two")), transfer.Output("even", classes=("no", "yes")))
    )
    data = transfer.from_arrays(images, {"digit": labels, "even": 1 - labels % 2}, labelling=labelling)
    heads = [transfer.Head(each.name, len(each.classes)) for each in labelling]
    student = transfer.extract(restored, drop_last=1, freeze="backbone", heads=heads)
    ways = transfer.finetune(student, data, recipe=PROBE, baselines="all").result.outputs
    assert [way.name for way in ways] == ["probe", "constant answer", "linear on raw input", UNTRAINED, SCRATCH]
    assert all([each.name for each in way.outputs] == ["digit", "even"] for way in ways)


def test_a_time_limit_beside_them_is_refused(student, sets):
    with pytest.raises(ValueError, match="without a time limit"):
        transfer.finetune(student, sets[0], recipe=PROBE, baselines="all", time_limit=60)
