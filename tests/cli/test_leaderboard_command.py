"""`leaderboard`: runs by task in print, as JSON, CSV and Markdown."""

import csv
import io

import pytest
from written_runs import write_run

import transfer


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    for name, wrong in (("a", 2), ("b|c", 40)):
        write_run(folder / name, [place >= wrong for place in range(60)])
    return folder


def test_leaderboard_prints_what_the_value_prints(call, runs, tmp_path):
    ended = call("leaderboard", runs)
    assert ended.code == 0
    assert ended.stdout == f"{transfer.leaderboard(runs)}\n"
    assert ended.stderr == ""
    again = call("leaderboard", runs, tmp_path / "nowhere")
    assert (again.code, again.stdout) == (0, ended.stdout)
    assert again.stderr == f"no run    {tmp_path / 'nowhere'}: no such folder\n"


def test_leaderboard_as_json_csv_and_markdown_says_the_same(call, runs, tmp_path):
    (tmp_path / "papers.csv").write_text("task,name,score,source,n\nphotos,Doe (2020),0.9,doi:10/x,500\n")
    how = ("leaderboard", runs, "--published", tmp_path / "papers.csv")
    (board,) = call(*how, "--json").json["tasks"]
    rows = list(csv.DictReader(io.StringIO(call(*how, "--csv").stdout)))
    assert [row["name"] for row in rows] == [row["name"] for row in board["standings"]] == ["a", "Doe (2020)", "b|c"]
    assert [float(row["value"]) for row in rows] == [row["value"] for row in board["standings"]]
    assert [row["rank"] for row in rows] == ["1", "", "2"]
    assert [row["source"] for row in rows][1] == "doi:10/x"
    lines = call(*how, "--markdown").stdout.splitlines()
    assert lines[0] == f"## photos ({board['id']}): 2 classes, 60 test examples, accuracy"
    assert "b\\|c" in lines[6]
    assert all(line.replace("\\|", "").count("|") == lines[2].count("|") for line in lines[3:7])


def test_leaderboard_takes_one_way_of_printing(call, runs):
    assert call("leaderboard", runs, "--csv", "--json").code == 2


def test_leaderboard_without_runs_ends_with_the_code_of_the_data(call, tmp_path):
    ended = call("leaderboard", tmp_path, "--json")
    assert ended.code == 6
    assert ended.error["problems"][0]["found"] == "none"
