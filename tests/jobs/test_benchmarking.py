"""A run beside a strong result: another run of the same task, or a probe on a checkpoint."""

import json
import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest

import transfer
from transfer.benchmarks import Benchmark
from transfer.errors import DataError, OutputError, TransferError
from transfer.evidence.share_differences import differ_on_same
from transfer.jobs.finetuning.forecasting import forecast_file
from transfer.jobs.finetuning.learning import Learning
from transfer.jobs.students.preparing import Student
from transfer.models.building import read_model
from transfer.models.saving import save_model
from transfer.results import Result
from transfer.training import saving_times
from transfer.training.fresh import start_anew

PROBE = transfer.Recipe(transfer.Stage("probe"), seed=3)
NAMES = ["zero", "one", "two"]


@pytest.fixture(scope="module")
def sets(digits):
    images, labels = digits
    return tuple(transfer.from_arrays(images[start::2], labels[start::2], NAMES) for start in (0, 1))


@pytest.fixture(scope="module")
def weak(student):
    """The student's architecture with random weights."""
    return Student(start_anew(read_model(student), 3), {}, "", (), ("label",))


@pytest.fixture(scope="module")
def alone(student, sets, tmp_path_factory):
    """What a run of the shipped network comes to by itself."""
    out = tmp_path_factory.mktemp("runs") / "alone"
    return transfer.finetune(student, sets[0], test=sets[1], recipe=PROBE, out=out)


@pytest.fixture(scope="module")
def beside(weak, sets, tmp_path_factory):
    """Random weights beside a probe on the shipped network."""
    out = tmp_path_factory.mktemp("runs") / "beside"
    return transfer.finetune(weak, sets[0], test=sets[1], recipe=PROBE, benchmark="digits_mlp", out=out)


def answers(run, way="probe"):
    return np.array(json.loads((run.folder / "answers.json").read_text())["ways"][way])


def test_a_probe_on_a_checkpoint_answers_as_a_run_of_its_own_does(beside, alone):
    stands = beside.result.benchmark
    assert stands.name == "probe on digits_mlp"
    assert stands.score.accuracy == alone.result.score.accuracy
    assert (answers(beside, "probe on digits_mlp") == answers(alone)).all()
    expected = differ_on_same(answers(beside), answers(alone))
    assert (stands.value, stands.low, stands.high, stands.p_value) == pytest.approx(
        (expected.value, expected.low, expected.high, expected.p_value)
    )
    assert stands.own.correct == beside.result.score.correct


def test_what_is_printed_says_how_far_and_whether_that_tells_the_two_apart(beside):
    stands = beside.result.benchmark
    (line,) = stands.lines
    assert line.startswith(f"benchmark probe on digits_mlp {stands.score.accuracy}; probe - benchmark = ")
    assert line.endswith("; that does not tell the two apart") == (not stands.is_told_apart)
    assert line in str(beside).splitlines()
    assert line in str(beside.result).splitlines()


def test_the_run_itself_is_the_same_as_without(beside, weak, sets, tmp_path):
    plain = transfer.finetune(weak, sets[0], test=sets[1], recipe=PROBE, out=tmp_path / "plain")
    assert (beside.folder / "model.keras").read_bytes() == (plain.folder / "model.keras").read_bytes()
    assert replace(beside.result, benchmark=None) == plain.result
    assert "benchmark" not in json.loads((plain.folder / "result.json").read_text())


def test_it_is_kept_and_read_again(beside):
    kept = json.loads((beside.folder / "result.json").read_text())
    assert Result.from_json(kept).benchmark == beside.result.benchmark
    assert json.loads((beside.folder / "run.json").read_text())["benchmark"]["name"] == "probe on digits_mlp"
    (run,) = transfer.compare([beside.folder]).runs
    assert run.benchmark == beside.result.benchmark


def test_a_leaderboard_shows_the_margin(beside):
    (row,) = transfer.leaderboard(beside.folder).boards[0].standings
    stands = beside.result.benchmark
    assert row.over_benchmark == transfer.evidence.leaderboards.Margin(
        stands.name, stands.value, stands.low, stands.high, stands.score.examples
    )


def test_the_same_request_is_found_again_and_another_benchmark_is_another_request(
    beside, weak, restored, sets, tmp_path
):
    asked = {"test": sets[1], "recipe": PROBE, "out": beside.folder}
    again = transfer.finetune(weak, sets[0], benchmark="digits_mlp", **asked)
    assert again.reused
    assert again.result == beside.result
    with pytest.raises(OutputError) as refused:
        transfer.finetune(weak, sets[0], **asked)
    assert [each.where for each in refused.value.problems] == ["benchmark"]
    asked["out"] = tmp_path / "run"
    transfer.finetune(weak, sets[0], benchmark=restored, **asked)
    other = transfer.restore("digits_mlp")  # of the same name, with other weights
    other.model.set_weights([each * 2 for each in other.model.get_weights()])
    with pytest.raises(OutputError) as refused:
        transfer.finetune(weak, sets[0], benchmark=other, **asked)
    assert [each.where for each in refused.value.problems] == ["benchmark, its answers"]


def test_another_run_is_held_against_on_the_same_examples(weak, sets, alone, beside, tmp_path):
    found = transfer.finetune(weak, sets[0], test=sets[1], recipe=PROBE, benchmark=alone.folder, out=tmp_path / "run")
    stands = found.result.benchmark
    assert stands.name == "run alone"
    ours = beside.result.benchmark
    assert (stands.value, stands.low, stands.high, stands.p_value) == (ours.value, ours.low, ours.high, ours.p_value)
    assert (stands.score.correct, stands.score.accuracy) == (ours.score.correct, ours.score.accuracy)
    assert stands.note == ""


def test_a_run_with_another_split_is_paired_on_what_neither_learnt_from(student, weak, digits, tmp_path):
    images, labels = digits
    data = transfer.from_arrays(images, labels, NAMES)
    first = transfer.finetune(student, data, test_share=0.4, recipe=replace(PROBE, seed=1), out=tmp_path / "first")
    found = transfer.finetune(
        weak, data, test_share=0.4, recipe=replace(PROBE, seed=2), benchmark=first.folder, out=tmp_path / "second"
    )
    tested = [json.loads((run.folder / "answers.json").read_text()) for run in (found, first)]
    right = [dict(zip(each["digests"], each["ways"]["probe"], strict=True)) for each in tested]
    common = sorted(set(right[0]) & set(right[1]))
    assert 0 < len(common) < len(right[0])
    learnt = set(json.loads((first.folder / "run.json").read_text())["learnt"])
    assert not learnt & set(common)
    stands = found.result.benchmark
    assert (stands.own.correct, stands.own.examples) == (sum(right[0][each] for each in common), len(common))
    assert (stands.score.correct, stands.score.examples) == (sum(right[1][each] for each in common), len(common))


def test_a_run_of_other_classes_or_other_data_is_refused_before_any_work(weak, alone, digits, tmp_path):
    images, labels = digits
    named = transfer.from_arrays(images[::2], labels[::2], ["a", "b", "c"])
    with pytest.raises(DataError, match="it answers other questions") as refused:
        transfer.finetune(weak, named, recipe=PROBE, benchmark=alone.folder, out=tmp_path / "x")
    assert refused.value.problems[0].expected == "a, b, c"
    others = transfer.from_arrays(255 - images, labels, NAMES)
    with pytest.raises(DataError, match="it was tested on other examples"):
        transfer.finetune(weak, others, recipe=PROBE, benchmark=alone.folder, out=tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_finished_run_is_refused_with_its_reason(weak, sets, alone, tmp_path):
    asked = {"test": sets[1], "recipe": PROBE}
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as refused:
        transfer.finetune(weak, sets[0], benchmark=tmp_path / "empty", **asked)
    assert refused.value.problems[0].found == "no run.json"
    (tmp_path / ".begun.unfinished").mkdir()
    with pytest.raises(DataError) as refused:
        transfer.finetune(weak, sets[0], benchmark=tmp_path / "begun", **asked)
    assert refused.value.problems[0].found == "a run that was cut off"
    old = shutil.copytree(alone.folder, tmp_path / "old")
    (old / "answers.json").unlink()
    with pytest.raises(DataError, match="does not say which examples it has right"):
        transfer.finetune(weak, sets[0], benchmark=old, **asked)


def test_a_checkpoint_that_does_not_fit_says_that_it_is_the_benchmark(weak, sets, tmp_path):
    with pytest.raises(TransferError, match=r"nowhere.h5 cannot be the benchmark"):
        transfer.finetune(weak, sets[0], recipe=PROBE, benchmark=tmp_path / "nowhere.h5")
    inputs = keras.Input((7,))
    path = tmp_path / "seven.keras"
    save_model(keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dense(3)(inputs))), path)
    with pytest.raises(DataError, match=r"seven.keras cannot be the benchmark"):
        transfer.finetune(weak, sets[0], recipe=PROBE, benchmark=path)


def test_several_outputs_stand_each_by_its_own_score(restored, digits, tmp_path):
    images, labels = digits
    labelling = transfer.Labelling(
        (transfer.Output("digit", classes=tuple(NAMES)), transfer.Output("even", classes=("no", "yes")))
    )
    data = transfer.from_arrays(images, {"digit": labels, "even": 1 - labels % 2}, labelling=labelling)
    heads = [transfer.Head(each.name, len(each.classes)) for each in labelling]
    student = transfer.extract(restored, drop_last=1, freeze="backbone", heads=heads)
    found = transfer.finetune(student, data, recipe=PROBE, benchmark="digits_mlp", out=tmp_path / "run")
    stands = found.result.benchmark
    assert [each.output for each in stands.outputs] == ["digit", "even"]
    # The benchmark is the same network with the same probe: the two do not differ at all.
    assert {each.value for each in stands.outputs} == {0.0}
    assert (stands.value, stands.p_value) == (0.0, 1.0)
    assert len(stands.lines) == 3
    by_run = transfer.finetune(student, data, recipe=PROBE, benchmark=found.folder).result.benchmark
    assert by_run.outputs == stands.outputs
    assert by_run.value == 0.0


def test_numbers_alone_stand_without_a_paired_difference(restored, digits):
    images, labels = digits
    labelling = transfer.Labelling((transfer.Output("value", classes=("value",), kind="regression"),))
    data = transfer.from_arrays(images, {"value": labels.astype(float)}, labelling=labelling)
    student = transfer.extract(
        restored, drop_last=1, freeze="backbone", heads=[transfer.Head("value", 1, "regression")]
    )
    stands = transfer.finetune(student, data, recipe=PROBE, benchmark="digits_mlp").result.benchmark
    assert stands.value is None
    assert [each.value for each in stands.outputs] == [0.0]
    assert stands.lines[0] == "benchmark probe on digits_mlp"
    assert not str(stands.outputs[0]).endswith("-0.000")


def test_of_numbers_on_another_split_it_says_why_there_is_no_margin(restored, digits, tmp_path):
    labelling = transfer.Labelling((transfer.Output("value", classes=("value",), kind="regression"),))
    data = transfer.from_arrays(digits[0], {"value": digits[1].astype(float)}, labelling=labelling)
    head = transfer.Head("value", 1, "regression")
    student = transfer.extract(restored, drop_last=1, freeze="backbone", heads=[head])
    first = transfer.finetune(student, data, recipe=PROBE, out=tmp_path / "first")
    found = transfer.finetune(student, data, recipe=replace(PROBE, seed=4), benchmark=first.folder)
    assert found.result.benchmark.lines == (
        "benchmark run first",
        "          the two were not all tested on the same examples: of numbers there is no margin",
    )


def test_of_several_outputs_on_another_split_it_is_all_of_them_that_are_right(restored, digits, tmp_path):
    images, labels = digits
    labelling = transfer.Labelling(
        (transfer.Output("digit", classes=tuple(NAMES)), transfer.Output("even", classes=("no", "yes")))
    )
    data = transfer.from_arrays(images, {"digit": labels, "even": 1 - labels % 2}, labelling=labelling)
    heads = [transfer.Head(each.name, len(each.classes)) for each in labelling]
    student = transfer.extract(restored, drop_last=1, freeze="backbone", heads=heads)
    first = transfer.finetune(student, data, recipe=PROBE, test_share=0.4, out=tmp_path / "first")
    found = transfer.finetune(
        student, data, recipe=replace(PROBE, seed=4), test_share=0.4, benchmark=first.folder, out=tmp_path / "second"
    )
    stands = found.result.benchmark
    assert (stands.outputs, stands.is_of_all) == ((), True)
    assert stands.lines[0].startswith("benchmark run first all right ")
    assert stands.note == "the two were not all tested on the same examples: single outputs have no margin"
    assert Result.from_json(found.result.to_json()).benchmark == stands
    board = transfer.leaderboard(found.folder)
    (row,) = board.boards[0].standings
    assert (row.over_benchmark.examples, row.over_benchmark.note) == (stands.score.examples, stands.note)
    assert f"(run first, {stands.score.examples} examples) *" in str(board)
    assert f"benchmark * second: {stands.note}" in str(board).splitlines()


def test_a_network_with_heads_is_probed_as_its_file_is(student, weak, sets, beside):
    found = transfer.finetune(weak, sets[0], test=sets[1], recipe=PROBE, benchmark=student).result.benchmark
    ours = beside.result.benchmark
    assert found.name == f"probe on {student.name}"
    assert replace(found, name=ours.name, score=replace(found.score, name=ours.name)) == ours
    again = transfer.finetune(weak, sets[0], test=sets[1], recipe=PROBE, benchmark=weak).result.benchmark
    assert (again.value, again.p_value) == (0.0, 1.0)


@pytest.mark.parametrize("source", ["", ".", "/", "..", 3, ["runs"]])
def test_what_can_be_no_benchmark_is_refused_with_what_is_taken(weak, sets, tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="cannot be the benchmark"):
        transfer.finetune(weak, sets[0], recipe=PROBE, benchmark=source)


def test_a_mistyped_run_is_told_with_runs_beside_it(weak, sets, alone):
    with pytest.raises(TransferError, match="cannot be the benchmark") as refused:
        transfer.finetune(weak, sets[0], recipe=PROBE, benchmark=alone.folder.with_name("alon"))
    assert "nearest: 'alone'" in refused.value.next_step


def test_a_finished_run_is_known_again_where_its_benchmark_is_gone(weak, sets, alone, tmp_path):
    strong = shutil.copytree(alone.folder, tmp_path / "strong")
    asked = {"test": sets[1], "recipe": PROBE, "benchmark": strong, "out": tmp_path / "run"}
    first = transfer.finetune(weak, sets[0], **asked)
    shutil.move(strong, tmp_path / "elsewhere")
    again = transfer.finetune(weak, sets[0], **asked)
    assert again.reused
    assert again.result == first.result
    with pytest.raises(TransferError, match="strong cannot be the benchmark"):
        transfer.finetune(weak, sets[0], **{**asked, "recipe": replace(PROBE, seed=9)})
    with pytest.raises(TransferError, match="strong cannot be the benchmark"):
        transfer.finetune(weak, sets[0], force=True, **asked)


def test_groups_widen_the_difference_as_they_do_elsewhere(weak, digits, tmp_path):
    images, labels = digits
    groups = np.arange(len(labels)) // 2
    data = replace(transfer.from_arrays(images, labels, NAMES), groups=groups)
    found = transfer.finetune(weak, data, recipe=PROBE, benchmark="digits_mlp", test_share=0.4, out=tmp_path / "run")
    own, stands = found.result.score, found.result.benchmark
    assert isinstance(stands, Benchmark)
    # The run's own share has the bounds of its score, which go by groups; the difference is that of pairs by groups.
    assert (stands.own.accuracy.low, stands.own.accuracy.high) == (own.accuracy.low, own.accuracy.high)
    kept = json.loads((found.folder / "answers.json").read_text())
    both = (answers(found), answers(found, "probe on digits_mlp"))
    expected = differ_on_same(*both, np.array(kept["groups"]))
    assert (stands.low, stands.high, stands.p_value) == (expected.low, expected.high, expected.p_value)


def test_a_dry_run_names_it_and_refuses_what_the_run_would(sets, alone, digits):
    data, test = sets
    how = Learning(test=test, recipe=PROBE, benchmark="digits_mlp")
    assert "held against probe on digits_mlp, which is not in the times" in forecast_file("digits_mlp", data, how).notes
    by_run = replace(how, benchmark=str(alone.folder))
    assert "held against run alone" in forecast_file("digits_mlp", data, by_run).notes
    others = transfer.from_arrays(255 - digits[0], digits[1], NAMES)
    with pytest.raises(DataError, match="it was tested on other examples"):
        forecast_file("digits_mlp", others, replace(by_run, test=None))


def test_a_run_that_was_cut_off_goes_on_to_the_same_result(student, sets, tmp_path, monkeypatch):
    monkeypatch.setattr(saving_times, "_LEAST_SECONDS", 0.0)  # a state after each epoch
    recipe = transfer.Recipe(
        (transfer.Stage("probe"), transfer.Stage("tune", epochs=3, unfreeze=("*",))), seed=3, validation=0
    )
    asked = {"test": sets[1], "recipe": recipe, "benchmark": "digits_mlp"}

    def cut(what, *_):
        if what.startswith("stage 1, epoch 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transfer.finetune(student, sets[0], out=tmp_path / "run", progress=cut, **asked)
    run = transfer.finetune(student, sets[0], out=tmp_path / "run", **asked)
    whole = transfer.finetune(student, sets[0], out=tmp_path / "whole", **asked)
    assert run.resumed
    for name in ("result.json", "run.json", "answers.json", "model.keras"):
        assert (run.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name
