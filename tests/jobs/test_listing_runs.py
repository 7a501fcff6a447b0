"""Runs ranked by task: ties, the best, margins, and results that others have published."""

import dataclasses
import json
import math
import os
from itertools import permutations

import numpy as np
import pytest
from written_runs import NAMES, write_run

import transfer
from transfer.errors import DataError
from transfer.evidence.intervals import wilson, wilson_of_groups
from transfer.evidence.leaderboards import Published
from transfer.evidence.share_differences import differ_on_same


def right(count, *wrong):
    found = np.ones(count, bool)
    for start, end in wrong:
        found[start:end] = False
    return found


@pytest.fixture
def runs(tmp_path):
    """Two that are not told apart, one that is worse, and one of another task."""
    folder = tmp_path / "runs"
    write_run(folder / "a", right(100, (0, 10)))
    write_run(folder / "deep" / "er" / "b", right(100, (2, 14)))
    write_run(folder / "c", right(100, (0, 60)))
    write_run(folder / "other", right(20), tested=NAMES[100:120])
    return folder


def ranks(board):
    return {each.name: (each.rank, each.is_best) for each in board.standings}


def test_runs_are_ranked_by_task_with_ties_and_the_best_marked(runs):
    found = transfer.leaderboard(runs)
    assert isinstance(found, transfer.Leaderboard)
    board = next(each for each in found.boards if len(each.standings) == 3)
    assert board.task == "photos"
    assert ranks(board) == {"a": (1, True), "b": (1, True), "c": (3, False)}
    assert board.order == "a ≈ b > c"
    assert board.best == ("a", "b")
    assert len({each.id for each in found.boards}) == 2
    assert found.unread == found.warnings == ()


def test_the_order_of_the_folders_changes_nothing(runs):
    expected = str(transfer.leaderboard(runs))
    below = [runs / "a", runs / "deep", runs / "c", runs / "other", runs / "deep" / "er" / "b"]
    for order in permutations(below):
        assert str(transfer.leaderboard(*order)) == expected


def test_nothing_is_written_and_links_and_hidden_folders_are_left_alone(runs, tmp_path):
    write_run(tmp_path / "outside" / "d", right(100))
    write_run(runs / ".hidden" / "e", right(100))
    (runs / "link").symlink_to(tmp_path / "outside")
    (runs / "deep" / "loop").symlink_to(runs)
    before = sorted((str(each), os.lstat(each).st_mtime_ns) for each in tmp_path.rglob("*"))
    found = transfer.leaderboard(runs)
    assert sorted((str(each), os.lstat(each).st_mtime_ns) for each in tmp_path.rglob("*")) == before
    assert {each.name for board in found.boards for each in board.standings} == {"a", "b", "c", "other"}


def test_a_run_stands_with_its_margin_over_the_best_baseline(runs):
    row = transfer.leaderboard(runs / "c").boards[0].standings[0]
    expected = differ_on_same(right(100, (0, 60)), np.arange(100) % 2 == 0)
    assert (row.over_baseline.name, row.over_baseline.value) == ("majority class", expected.value)
    assert (row.over_baseline.low, row.over_baseline.high) == (expected.low, expected.high)
    assert row.over_benchmark is None


@pytest.mark.parametrize(
    ("benchmark", "name", "value", "wider"),
    [(0.8, "benchmark", 0.1, False), ({"name": "lab", "score": 0.95, "examples": 200}, "lab", -0.05, True)],
)
def test_a_benchmark_of_the_request_has_its_margin(tmp_path, benchmark, name, value, wider):
    write_run(tmp_path / "a", right(100, (0, 10)), benchmark=benchmark)
    margin = transfer.leaderboard(tmp_path).boards[0].standings[0].over_benchmark
    assert (margin.name, margin.value) == (name, pytest.approx(value))
    own = wilson(90, 100)
    assert (margin.high - margin.low > own.high - own.low + 1e-9) is wider
    assert margin.low < margin.value < margin.high


def write_grouped(folder, answers, kept=True, **changes):
    """A run on twelve groups of ten examples each, with intervals that say so."""
    groups = np.arange(120) // 10
    run = write_run(folder, answers, kept=kept, more={"groups": list(map(str, groups))}, **changes)
    result = json.loads((run / "result.json").read_text())
    for each, right in ((result["score"], answers), (result["baselines"][0], np.arange(120) < 40)):
        share = wilson_of_groups(right, groups)
        each |= {"correct": int(right.sum()), "accuracy": dataclasses.asdict(share)}
    (run / "result.json").write_text(json.dumps(result))
    return wilson_of_groups(answers, groups)


def newcombe(one, other):
    """Bounds of the difference of two shares of other examples, from their own."""
    value = one.value - other.value
    low = value - math.hypot(one.value - one.low, other.high - other.value)
    return low, value + math.hypot(one.high - one.value, other.value - other.low)


def test_margins_of_a_run_on_groups_are_as_wide_as_its_own_interval(tmp_path):
    benchmark = {"score": 0.6, "examples": 120}
    own = write_grouped(tmp_path / "a", right(120, (90, 120)), kept=False, benchmark=benchmark)
    row = transfer.leaderboard(tmp_path).boards[0].standings[0]
    margin = row.over_benchmark
    assert (margin.low, margin.high) == pytest.approx(newcombe(own, wilson(72, 120)))
    assert margin.low < 0
    margin = row.over_baseline
    assert (margin.low, margin.high) == pytest.approx(
        newcombe(own, wilson_of_groups(np.arange(120) < 40, np.arange(120) // 10))
    )


def test_a_run_on_groups_is_told_apart_from_published_results_by_its_own_interval(tmp_path):
    own = write_grouped(tmp_path / "runs" / "a", right(120, (90, 120)))
    theirs = wilson(17, 40)
    assert own.low > theirs.value
    assert own.value > theirs.high
    assert newcombe(own, theirs)[0] < 0
    papers = [Published("photos", "Doe", 17 / 40, "doi:10/x", 40), Published("photos", "Roe", 0.1, "doi:10/y", 40)]
    (board,) = transfer.leaderboard(tmp_path / "runs", published=papers).boards
    assert board.best == ("a", "Doe")  # Fisher's test of 90 of 120 and 17 of 40 would tell them apart


def test_runs_on_groups_are_not_told_apart_from_one_that_kept_no_answers(tmp_path):
    write_run(tmp_path / "a", right(120), more={"groups": [str(place // 10) for place in range(120)]})
    write_run(tmp_path / "b", right(120, (0, 60)), kept=False)
    (board,) = transfer.leaderboard(tmp_path).boards
    assert board.order == "a ≈ b"


def test_two_runs_with_the_same_answers_share_everything(tmp_path):
    for name in ("a", "b"):
        write_run(tmp_path / name, right(50, (0, 5)))
    (board,) = transfer.leaderboard(tmp_path).boards
    assert ranks(board) == {"a": (1, True), "b": (1, True)}


def test_older_runs_without_answers_are_ranked_by_their_counts(tmp_path):
    write_run(tmp_path / "a", right(100, (0, 10)), kept=False)
    write_run(tmp_path / "b", right(100, (0, 20)))
    write_run(tmp_path / "c", right(100, (0, 70)))
    (board,) = transfer.leaderboard(tmp_path).boards
    # 90 and 80 of 100 are told apart by McNemar's test on the same examples, not by Fisher's.
    assert board.order == "a ≈ b > c"


def test_published_results_stand_among_the_runs_and_with_their_source(runs, tmp_path):
    board = next(each for each in transfer.leaderboard(runs).boards if len(each.standings) == 3)
    table = tmp_path / "papers.csv"
    table.write_text(
        "task,name,score,source,n\n"
        f"{board.id},Doe,0.99,doi:10/x,5000\n{board.id},Roe,0.5,doi:10/y,\nphotographs,Poe,0.5,doi:10/z,\n"
    )
    found = transfer.leaderboard(runs, published=table)
    board = next(each for each in found.boards if len(each.standings) > 3)
    assert [each.name for each in board.standings] == ["Doe", "a", "b", "Roe", "c"]
    # Doe is told to be better than every run; among the runs the ranks stay.
    assert ranks(board) == {
        "Doe": (None, True),
        "a": (1, False),
        "b": (1, False),
        "Roe": (None, False),
        "c": (3, False),
    }
    assert board.standings[0].source == "doi:10/x"
    assert (board.standings[0].low, board.standings[3].low) == (wilson(4950, 5000).low, None)
    (warning,) = found.warnings
    assert "line 4" in warning
    assert "'photographs'" in warning


def test_a_name_of_several_tasks_asks_for_the_id_and_a_share_is_a_share(runs, tmp_path):
    board = transfer.leaderboard(runs / "a").boards[0]
    table = tmp_path / "papers.csv"
    table.write_text(f"task,name,score,source\nphotos,Doe,0.9,x\n{board.id},Roe,57.8,y\n")
    with pytest.raises(DataError) as caught:
        transfer.leaderboard(runs, published=table)
    assert [each.where for each in caught.value.problems] == ["line 2", "line 3"]
    assert board.id in caught.value.problems[0].expected
    assert caught.value.problems[1].found == "57.8"


def test_a_published_table_without_sources_is_refused_line_by_line(runs, tmp_path):
    table = tmp_path / "papers.csv"
    table.write_text("task,name,score\nphotos,Doe,0.9\n")
    with pytest.raises(DataError, match="lacks columns"):
        transfer.leaderboard(runs, published=table)
    table.write_text("task,name,score,source,n\nphotos,Doe,0.9,,5\nphotos,Roe,good,x,5\n\nphotos,Poe,1,x,-3\n")
    with pytest.raises(DataError) as caught:
        transfer.leaderboard(runs, published=table)
    assert [(each.where, each.found) for each in caught.value.problems] == [
        ("line 2", "nothing"),
        ("line 3", "good"),
        ("line 5", "-3"),
    ]


def test_numbers_are_ranked_by_their_measure_the_smaller_the_better(tmp_path):
    labelling = {"outputs": [{"name": "age", "kind": "regression", "classes": ["age"]}]}
    data = {"source": "faces.csv", "examples": 50, "digest": "e" * 64, "labelling": labelling}

    def measured(name, value, half):
        measure = {
            "name": "mean absolute error",
            "value": value,
            "low": value - half,
            "high": value + half,
            "examples": 40,
        }
        output = {
            "name": "age",
            "kind": "regression",
            "examples": 40,
            "measures": [measure],
            "per_class": [],
            "notes": [],
        }
        return {"name": name, "outputs": [output]}

    for name, value in (("a", 3.0), ("b", 3.1), ("c", 9.0)):
        folder = write_run(tmp_path / name, right(40), kept=False, data=data)
        result = json.loads((folder / "result.json").read_text())
        ways = [
            measured("probe", value, 0.5),
            measured("constant answer", 10.0, 0.5),
            measured("linear on raw input", 9.5, 0.5),
        ]
        result |= {"score": None, "stages": [], "baselines": [], "classes": [], "labelling": labelling, "outputs": ways}
        (folder / "result.json").write_text(json.dumps(result))
    (board,) = transfer.leaderboard(tmp_path).boards
    assert board.measure == "mean absolute error of age"
    assert [each.name for each in board.standings] == ["a", "b", "c"]
    assert ranks(board) == {"a": (1, True), "b": (1, True), "c": (3, False)}
    assert board.standings[0].over_baseline.value == pytest.approx(6.5)
    compared = transfer.compare([tmp_path / "a", tmp_path / "b"])
    assert "mean absolute error" in str(compared)
    assert compared.pairs == ()


def test_what_is_no_run_is_named_with_its_reason(runs, tmp_path):
    (runs / "c" / "result.json").write_text("{")
    found = transfer.leaderboard(runs, tmp_path / "nowhere")
    assert {each.name: each.reason.split(":")[0] for each in found.unread} == {
        "c": "a damaged run",
        "nowhere": "no such folder",
    }
    assert str(tmp_path / "nowhere") in str(found)


@pytest.mark.parametrize(
    ("score", "says"),
    [
        (0.99, "state of the art of this task: Doe, published, doi:10/x (0.990); published results"),
        (
            0.91,
            "state of the art of this task: Doe, published, doi:10/x (0.910); not told to be worse: a, b; published",
        ),
        (0.89, "state of the art of this task: a (0.900); not told to be worse: Doe (published), b; published results"),
        (0.2, "state of the art of this task: a (0.900); not told to be worse: b; published results"),
    ],
)
def test_who_leads_is_said_where_results_of_others_stand_among_the_runs(runs, score, says):
    folders = [runs / "a", runs / "deep", runs / "c"]
    (board,) = transfer.leaderboard(*folders, published=[Published("photos", "Doe", score, "doi:10/x", 500)]).boards
    assert board.closing[0] == "order     a ≈ b > c"
    assert board.closing[1].startswith(f"best      {says}")
    assert board.closing[1].endswith("by their numbers alone: which examples they have right is not known")
