"""The page of a run: what is gathered for it, that it is written whole, and what it replaces."""

import json
import shutil
from html import escape

import numpy as np
import pytest

import transfer
from transfer.errors import CheckpointError, DataError, OutputError
from transfer.jobs.finetuning import keeping_examples
from transfer.jobs.pages import reporting
from transfer.jobs.pages.gathering_contents import gather_contents
from transfer.jobs.runs.evaluating import evaluate
from transfer.jobs.runs.predicting import predict
from transfer.placing import placed_file
from transfer.specs import PREPROCESSINGS

RECIPE = transfer.Recipe(transfer.Stage("probe"), seed=2)


@pytest.fixture(scope="module")
def colour_data(colours):
    """Images with labels of which some are wrong."""
    images, labels = colours
    given = labels.copy()
    given[[2, 3, 9]] ^= 1
    return transfer.from_arrays(images, given)


@pytest.fixture(scope="module")
def coloured(colour_student, colour_data, tmp_path_factory):
    """A run on a network with convolutions."""
    out = tmp_path_factory.mktemp("coloured") / "run"
    how = {"preprocessing": PREPROCESSINGS["tf"], "recipe": RECIPE, "test_share": 0.5}
    return transfer.finetune(colour_student, colour_data, out=out, **how)


@pytest.fixture
def copy(coloured, tmp_path):
    return shutil.copytree(coloured.folder, tmp_path / "run")


def test_a_run_writes_a_page_that_says_its_scores(digits_run):
    assert digits_run.report == digits_run.folder / "report.html"
    assert digits_run.troubles == ()
    page = digits_run.report.read_text()
    found = digits_run.result
    assert f"{found.score.correct} of {found.score.examples}" in page
    for score in (found.score, *found.baselines):
        assert escape(score.name) in page
        assert f"{score.accuracy.value:.3f}" in page
    assert str(digits_run).endswith(f"report    {digits_run.report}, for a browser")
    assert transfer.load_run(digits_run.folder).report == digits_run.report


def test_the_confusion_counts_what_the_model_answers(digits_run, digits_folder):
    (output,) = gather_contents(digits_run.folder).outputs
    data = transfer.read_labelled(digits_folder)
    places = [data.names.index(name) for name in digits_run.asked["split"]["test"]]
    given = [each.label for each in predict(digits_run, data.subset(places))]
    expected = np.zeros((3, 3), int)
    for wanted, answered in zip(data.labels[places], given, strict=True):
        expected[wanted, data.classes.index(answered)] += 1
    assert output.confusion == tuple(map(tuple, expected.tolist()))
    assert (output.name, output.classes) == ("", data.classes)
    split = digits_run.asked["split"]["train"]
    learnt = np.bincount([data.labels[data.names.index(name)] for name in split], minlength=3)
    assert output.learnt == tuple(learnt.tolist())
    assert sum(each.examples for each in output.calibration) == len(places)
    recall = {each.name: each.measures[0].value for each in output.per_class}
    assert recall == {
        name: row[place] / row.sum() for place, (name, row) in enumerate(zip(data.classes, expected, strict=True))
    }


def test_the_surest_wrong_answers_stand_first_with_their_picture_and_where_the_network_looked(coloured, colour_data):
    contents = gather_contents(coloured.folder)
    places = [colour_data.names.index(name) for name in coloured.asked["split"]["test"]]
    given = predict(coloured, colour_data.subset(places))
    expected = sorted(
        (
            (each.name, colour_data.classes[colour_data.labels[place]], each.label, each.probability)
            for place, each in zip(places, given, strict=True)
            if each.label != colour_data.classes[colour_data.labels[place]]
        ),
        key=lambda each: -each[3],
    )
    assert len(expected) >= 1
    assert [(each.example, each.wanted, each.answered) for each in contents.wrong] == [each[:3] for each in expected]
    np.testing.assert_allclose([each.confidence for each in contents.wrong], [each[3] for each in expected], atol=1e-5)
    for each in contents.wrong:
        assert each.picture.jpeg.startswith(b"\xff\xd8")
        assert each.picture.attention.startswith(b"\x89PNG")


def test_a_network_without_convolution_has_pictures_and_no_attention(digits_run):
    contents = gather_contents(digits_run.folder)
    assert all(each.picture.attention is None for each in contents.wrong)


def test_layers_are_told_apart_by_what_became_of_them(coloured):
    rows = {each.name: each for each in gather_contents(coloured.folder).layers}
    assert {name: rows[name].part for name in ("conv_1", "relu_2", "pool", "label", "probabilities")} == {
        "conv_1": "frozen",
        "relu_2": "frozen",
        "pool": "frozen",
        "label": "new",
        "probabilities": "new",
    }
    assert rows["conv_1"].macs == 12 * 12 * 27 * 6
    assert rows["conv_1"].parameters == 27 * 6
    assert rows["relu_1"].below == ("norm_1",)
    assert next(iter(rows.values())).part == "input"


def test_the_same_run_keeps_the_same_bytes_for_its_page(coloured, colour_student, colour_data, tmp_path):
    how = {"preprocessing": PREPROCESSINGS["tf"], "recipe": RECIPE, "test_share": 0.5}
    again = transfer.finetune(colour_student, colour_data, out=tmp_path / "again", **how)
    for name in ("report.json", "predictions.npz"):
        assert (again.folder / name).read_bytes() == (coloured.folder / name).read_bytes()


def test_a_reused_run_computes_nothing_and_gets_a_page_where_it_has_none(copy, colour_student, colour_data):
    how = {"preprocessing": PREPROCESSINGS["tf"], "recipe": RECIPE, "test_share": 0.5, "out": copy}
    before = (copy / "report.html").stat().st_mtime_ns
    assert transfer.finetune(colour_student, colour_data, **how).reused
    assert (copy / "report.html").stat().st_mtime_ns == before
    (copy / "report.html").unlink()
    assert transfer.finetune(colour_student, colour_data, **how, report=False).report is None
    assert transfer.finetune(colour_student, colour_data, **how).report == copy / "report.html"


def test_without_a_report_nothing_of_it_is_kept(student, digits, tmp_path):
    data = transfer.from_arrays(*digits)
    run = transfer.finetune(student, data, recipe=RECIPE, out=tmp_path / "run", report=False)
    assert not [each.name for each in run.folder.iterdir() if each.name.startswith("report")]
    assert (run.report, run.troubles) == (None, ())
    bare = gather_contents(run.folder)
    assert bare.outputs[0].learnt == ()
    assert all(each.picture is None for each in bare.wrong)
    assert transfer.write_report(run) == run.folder / "report.html"


def test_a_page_that_fails_leaves_the_run_whole_and_says_so(student, digits, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no ink")

    monkeypatch.setattr(reporting, "render", fail)
    monkeypatch.setattr(keeping_examples, "show_examples", fail)
    run = transfer.finetune(student, transfer.from_arrays(*digits), recipe=RECIPE, out=tmp_path / "run")
    assert run.report is None
    assert run.troubles == (
        f"no report was written (RuntimeError: no ink); the run is whole without it; 'transfer report {run.folder}' "
        "tries again",
    )
    assert transfer.load_run(run.folder).result == run.result
    assert not (run.folder / "report.html").exists()
    assert gather_contents(run.folder).absent["wrong"] == "RuntimeError: no ink."


def test_a_page_goes_where_it_is_asked_for(coloured, tmp_path):
    assert transfer.write_report(coloured, tmp_path / "photos.html") == tmp_path / "photos.html"
    assert (
        transfer.write_report(str(coloured.folder), tmp_path / "photos.html").read_text().startswith("<!DOCTYPE html>")
    )


def test_only_a_page_of_the_same_run_is_replaced(coloured, digits_run, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("my thesis")
    with pytest.raises(OutputError, match="exists already"):
        transfer.write_report(coloured, page)
    assert page.read_text() == "my thesis"
    transfer.write_report(coloured, page, force=True)
    with pytest.raises(OutputError):
        transfer.write_report(digits_run, page)
    link = tmp_path / "link.html"
    link.symlink_to(page)
    with pytest.raises(OutputError):
        transfer.write_report(coloured, link)


def test_an_error_on_the_way_leaves_the_old_page(coloured, copy, monkeypatch):
    before = (copy / "report.html").read_bytes()

    def fail(path, *, force):
        with placed_file(path, force=force) as temporary:
            temporary.write_text("half a pa")
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(reporting, "placed_file", fail)
    with pytest.raises((OSError, OutputError)):
        transfer.write_report(copy)
    assert (copy / "report.html").read_bytes() == before
    assert sorted(each.name for each in copy.iterdir()) == sorted(each.name for each in coloured.folder.iterdir())


def test_several_runs_stand_on_one_page_with_names_of_their_own(coloured, copy, tmp_path):
    with pytest.raises(DataError, match="several runs"):
        transfer.write_report([coloured, copy])
    page = transfer.write_report([coloured, copy], tmp_path / "both.html").read_text()
    names = (f"{coloured.folder.parent.name}/run", f"{tmp_path.name}/run")
    assert all(escape(name) in page for name in names)


def test_runs_that_lie_beside_it_stand_on_the_leaderboard(copy):
    assert gather_contents(copy).leaderboard is None
    shutil.copytree(copy, copy.parent / "other")
    (board,) = gather_contents(copy).leaderboard.boards
    assert {(row.name, row.source) for row in board.standings} == {("run", "run"), ("other", "other")}  # no paths
    assert "leaderboard" not in gather_contents(copy).absent


def test_what_is_damaged_is_left_out_with_the_reason(copy):
    (copy / "report.json").write_text('{"schema": 1, "pictures": {"x": {"jpeg": "PHNjcmlwdD4="}}}')
    (copy / "predictions.npz").write_bytes(b"PK")
    (copy / "answers.json").write_text("[]")
    (copy / "timing.json").write_text("{")
    (copy / "history.jsonl").write_text('{"stage": "probe"}\n{"stage": "tu')
    (copy / "model.keras").write_bytes(b"")
    contents = gather_contents(copy)
    assert {"wrong", "calibration", "scores", "reproduce", "network"} <= set(contents.absent)
    assert (contents.wrong, contents.layers, contents.seconds) == ((), (), None)
    assert contents.history == ({"stage": "probe"},)
    assert contents.result.score is not None
    transfer.write_report(copy)
    (copy / "result.json").write_text("{}")
    with pytest.raises(CheckpointError):
        transfer.write_report(copy)


NOTHING = {"schema": 1, "learnt": [], "pictures": {}, "suspects": [], "absent": {}}
DOUBTED = {"example": "x", "output": "", "given": "a", "likely": "b", "probability": float("nan")}


@pytest.mark.parametrize(
    ("name", "text", "section"),
    [
        ("timing.json", '"an hour"', "reproduce"),
        ("timing.json", f'{{"probe": {10**400}}}', "reproduce"),
        ("report.json", '{"schema": 1, "learnt": [[Infinity]], "pictures": {}, "suspects": [], "absent": {}}', "wrong"),
        ("report.json", json.dumps({**NOTHING, "suspects": [DOUBTED]}), "wrong"),
        ("report.json", '{"schema": 1, "learnt": [[1]], "pictures": {}, "suspects": [], "absent": {}}', "wrong"),
    ],
)
def test_values_of_other_kinds_are_left_out_with_the_reason(copy, name, text, section):
    (copy / name).write_text(text)
    transfer.write_report(copy)
    assert name in gather_contents(copy).absent[section]


@pytest.mark.parametrize(
    "receipt",
    [{"plan": {"pairs": 3}}, {"plan": {"pairs": [{"parameters": None}]}}, {"plan": {}, "notes": [[1]]}],
    ids=str,
)
def test_a_receipt_that_no_run_wrote_is_left_out_with_the_reason(copy, receipt):
    asked = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**asked, "receipt": receipt}))
    transfer.write_report(copy)
    found = gather_contents(copy)
    assert found.receipt is None
    assert "receipt in run.json" in found.absent["restored"]


ONE = {"name": "tuned", "correct": 1, "examples": 2, "accuracy": {"value": 0.5, "low": 0.1, "high": 0.9}}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"notes": [None]}, "notes[0]"),
        ({"classes": []}, "classes"),
        ({"train_examples": "many"}, "train_examples"),
        ({"score": {**ONE, "accuracy": {"value": 10**400, "low": 0.1, "high": 0.9}}}, "score: accuracy: value"),
        ({"baselines": [{**ONE, "name": []}]}, "baselines[0]: name"),
        ({"score": {**ONE, "accuracy": {"value": 0.5, "low": None, "high": 0.9}}}, "score: accuracy: low"),
        ({"decisions": "0.5"}, "decisions"),
        ({"decisions": {"thresholds": {"label": None}}}, "decisions: thresholds: label"),
    ],
    ids=str,
)
def test_results_that_no_run_wrote_are_refused(copy, change, where):
    found = json.loads((copy / "result.json").read_text())
    (copy / "result.json").write_text(json.dumps({**found, **change}))
    for read in (transfer.write_report, transfer.load_run):
        with pytest.raises(CheckpointError) as caught:
            read(copy)
        assert [each.where for each in caught.value.problems] == [f"result.json: {where}"]


def test_a_request_without_a_schema_that_can_be_compared_is_no_run(copy):
    asked = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**asked, "schema": "first"}))
    with pytest.raises(DataError, match="not a run"):
        transfer.write_report(copy)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"split": [1]}, "split"),
        ({"split": {"test": 3}}, "split.test"),
        ({"split": {"test": [["x"]]}}, "split.test"),
        ({"data": "photos"}, "data"),
        ({"recipe": {"stages": 5}}, "recipe.stages"),
        ({"recipe": {"stages": [5]}}, "recipe.stages"),
        ({"recipe": 1}, "recipe"),
        ({"input": [0]}, "input"),
    ],
    ids=str,
)
def test_requests_that_no_run_wrote_are_refused(copy, change, where):
    asked = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**asked, **change}))
    before = (copy / "report.html").read_bytes()
    with pytest.raises(CheckpointError) as caught:
        transfer.write_report(copy)
    assert [each.where for each in caught.value.problems] == [f"run.json: {where}"]
    assert (copy / "report.html").read_bytes() == before


def test_an_older_run_is_told_of_without_what_it_did_not_keep(copy):
    for name in ("predictions.npz", "report.json", "report.html", "answers.json"):
        (copy / name).unlink()
    contents = gather_contents(copy)
    assert contents.outputs[0].confusion == ()
    assert "--data" in contents.absent["confusion"]
    assert transfer.write_report(copy).is_file()


def test_with_the_examples_at_hand_what_was_not_kept_is_found_out(coloured, copy, colour_data):
    full = gather_contents(coloured.folder)
    for name in ("predictions.npz", "report.json"):
        (copy / name).unlink()
    images, labels = colour_data.inputs[::-1], colour_data.labels[::-1]  # under other names
    page = transfer.write_report(copy, data=transfer.from_arrays(images, labels)).read_text()
    for each in full.wrong:
        assert escape(each.example) in page
    assert page.count("data:image/jpeg") >= len(full.wrong)
    assert page.count("data:image/png") >= len(full.wrong)


def test_examples_of_another_set_are_refused(copy, colours):
    with pytest.raises(DataError, match="none of the test examples"):
        transfer.write_report(copy, data=transfer.from_arrays(colours[0] ^ 1, colours[1]))


def test_a_run_in_memory_and_no_run_are_refused(coloured, tmp_path):
    with pytest.raises(DataError, match="lies in no folder"):
        transfer.write_report(transfer.Run(coloured.result, coloured.model), tmp_path / "page.html")
    with pytest.raises(DataError, match="is not a run"):
        transfer.write_report(tmp_path, tmp_path / "page.html")
    with pytest.raises(DataError, match="no run to tell of"):
        transfer.write_report([], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_evaluating_and_loading_know_nothing_of_the_page(coloured, colours):
    assert json.loads((coloured.folder / "result.json").read_text()) == json.loads(
        json.dumps(coloured.result.to_json())
    )
    assert evaluate(coloured, transfer.from_arrays(colours[0] ^ 1, colours[1])).seen == 0
