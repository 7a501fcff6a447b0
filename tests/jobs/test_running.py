"""A run on disk: read back when it is whole, refused when it is not one or is damaged."""

import json
import shutil
from dataclasses import replace

import pytest

import transfer
from transfer.errors import CheckpointError, DataError, OutputError
from transfer.jobs.runs.running import read_asked, write_run


@pytest.fixture
def copy(digits_run, tmp_path):
    return shutil.copytree(digits_run.folder, tmp_path / "copy")


def test_what_was_asked_is_read_back(digits_run):
    asked = read_asked(digits_run.folder)
    assert asked["schema"] == 1
    assert asked["recipe"]["seed"] == 7
    assert asked["receipt"]["fingerprint"] == "verified"
    assert {name: asked[name] for name in digits_run.asked if name != "receipt"} == {
        name: value for name, value in json.loads(json.dumps(digits_run.asked)).items() if name != "receipt"
    }


@pytest.mark.parametrize("text", [None, "", "no json", "[]", "{}", '{"recipe": {}}'])
def test_a_folder_without_a_readable_run_json_is_no_run(tmp_path, text):
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(DataError, match="is not a run"):
        transfer.load_run(tmp_path)


def test_a_folder_that_is_not_there_is_no_run(tmp_path):
    with pytest.raises(DataError) as caught:
        transfer.load_run(tmp_path / "nowhere")
    assert caught.value.problems[0].found == "no such folder"


def test_a_run_of_a_newer_version_is_refused(copy):
    asked = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**asked, "schema": 2}))
    with pytest.raises(DataError, match="newer"):
        transfer.load_run(copy)


@pytest.mark.parametrize("text", [None, "", "{}", "[1]", '{"classes": 3}'])
def test_damaged_results_are_refused(copy, text):
    (copy / "result.json").unlink()
    if text is not None:
        (copy / "result.json").write_text(text)
    with pytest.raises(CheckpointError) as caught:
        transfer.load_run(copy)
    assert caught.value.problems[0].where == "result.json"


def test_a_model_that_is_missing_or_cut_off_is_refused(copy):
    whole = (copy / "model.keras").read_bytes()
    (copy / "model.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError):
        transfer.load_run(copy)
    (copy / "model.keras").unlink()
    with pytest.raises(CheckpointError):
        transfer.load_run(copy)


def test_a_run_is_not_written_over_another(digits_run, copy, snapshot):
    before = snapshot(copy)
    with pytest.raises(OutputError):
        write_run(digits_run, copy, answers={}, seconds={}, force=False)
    assert snapshot(copy) == before
    run = replace(digits_run, history=({"stage": "probe"},))
    written = write_run(run, copy, answers={}, seconds={"probe": 1.23456}, force=True)
    assert written.folder == copy
    assert (copy / "history.jsonl").read_text() == '{"stage": "probe"}\n'
    assert json.loads((copy / "timing.json").read_text()) == {"probe": 1.235}
    assert (copy / "result.json").read_bytes() == (digits_run.folder / "result.json").read_bytes()


def test_a_run_knows_its_history_and_what_is_damaged_of_it_is_left_out(digits_run, copy):
    assert [line["stage"] for line in digits_run.history] == ["probe"]
    assert transfer.load_run(copy).history == tuple(json.loads(json.dumps(digits_run.history)))
    with (copy / "history.jsonl").open("a") as file:
        file.write('[1]\n{"stage": "tu')
    assert len(transfer.load_run(copy).history) == len(digits_run.history)
    (copy / "history.jsonl").unlink()
    assert transfer.load_run(copy).history == ()
