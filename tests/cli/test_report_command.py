"""`transfer report`, and what `finetune` keeps for it."""

import json
import shlex

import pytest
from written_runs import write_run

import transfer
from transfer.jobs.finetuning.learning import Learning, learn_file


@pytest.fixture(scope="module")
def finished(pictures, tmp_path_factory):
    data = transfer.read_labelled(pictures)
    return learn_file("digits_mlp", data, tmp_path_factory.mktemp("reported") / "digits", Learning(shots=5)).folder


def test_a_page_is_written_and_said_where(call, finished, tmp_path):
    ended = call("report", finished, "-o", tmp_path / "page.html")
    assert (ended.code, ended.stderr) == (0, "")
    page = tmp_path / "page.html"
    assert ended.stdout == f"report    {page}, for a browser ({page.stat().st_size / 1e3:,.0f} kB)\n"
    again = call("report", finished, "-o", page, "--json")
    told = {"report": str(page), "size_bytes": page.stat().st_size, "runs": [str(finished)]}
    assert again.json == {"schema": "transfer/report/1", **told}


def test_the_page_of_one_run_lies_in_it_and_is_replaced(call, finished):
    (finished / "report.html").unlink()
    for _ in range(2):
        assert call("report", finished).code == 0
    (finished / "report.html").write_text("notes of my own")
    assert call("report", finished).code == 8
    assert (finished / "report.html").read_text() == "notes of my own"
    assert call("report", finished, "--force").code == 0


def test_several_runs_need_a_name(call, tmp_path):
    runs = [
        write_run(tmp_path / name, [place >= wrong for place in range(60)]) for name, wrong in (("a", 2), ("b", 40))
    ]
    assert call("report", *runs).code == 2
    assert call("report", *runs, "--data", tmp_path, "-o", tmp_path / "both.html").code == 2
    ended = call("report", *runs, "-o", tmp_path / "both.html")
    assert (ended.code, ended.stderr) == (0, "")
    text = (tmp_path / "both.html").read_text()
    assert "0.967" in text
    assert "0.333" in text


def test_options_for_examples_need_examples(call, finished):
    for option in (("--labels", "x.csv"), ("--separator", ","), ("--into", "x:y")):
        assert call("report", finished, *option).code == 2


def test_what_is_no_run_is_an_error_and_leaves_nothing(call, tmp_path):
    ended = call("report", tmp_path, "-o", tmp_path / "page.html")
    assert ended.code == 6
    assert "is not a run" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_with_examples_the_page_says_more(call, finished, pictures, tmp_path):
    ended = call("report", finished, "--data", pictures, "-o", tmp_path / "page.html")
    assert (ended.code, ended.stderr) == (0, "")
    old, new = ((each).read_text() for each in (finished / "report.html", tmp_path / "page.html"))
    assert old.count("The run did not look; ") == 2  # for saturation and drift
    assert "The run did not look; " not in new


def test_a_run_keeps_what_was_typed_without_what_has_no_part_in_it(call, pictures, tmp_path):
    odd = tmp_path / "it's mine"
    odd.symlink_to(pictures)
    options = ("--shots", "5", "--set", "stages.1.epochs=2", "--set", "stages.1.batch_size=8", "--skip-unreadable")
    hidden = ("--json", "--no-cache", "--tensorboard", tmp_path / "board")
    assert call("finetune", "digits_mlp", odd, *options, *hidden, "-o", tmp_path / "run").code == 0
    typed = (tmp_path / "run" / "command.txt").read_text()
    assert shlex.split(typed) == ["transfer", "finetune", "digits_mlp", str(odd), *options, "-o", "RUN"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "stages.1.epochs=2" in page


def test_without_a_report_none_is_written(call, pictures, tmp_path):
    ended = call(
        "finetune", "digits_mlp", pictures, "--shots", "5", "--recipe", "probe", "--no-report", "-o", tmp_path / "run"
    )
    assert ended.code == 0
    assert "report.html" not in ended.stdout
    assert not (tmp_path / "run" / "report.html").exists()
    asked = json.loads((tmp_path / "run" / "run.json").read_text())
    assert "report" not in asked
