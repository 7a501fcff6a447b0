"""How far a run stands from another one: by hand-made answers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from written_runs import write_run

from transfer.benchmarks import Benchmark
from transfer.evidence.benchmark_margins import hold_against
from transfer.jobs.runs.known_runs import read_runs


def stand(tmp_path: Path, first: list[str], second: list[str]) -> Benchmark:
    """A run that has every other example wrong beside one that has the first three wrong."""
    for name, tested, right in (
        ("one", first, np.arange(len(first)) % 2 == 0),
        ("two", second, np.arange(len(second)) > 2),
    ):
        write_run(tmp_path / name, right, tested=tested, more={"digests": [f"d{each}" for each in tested]})
    return hold_against(*read_runs([tmp_path / "one", tmp_path / "two"]))


def test_only_examples_that_both_answered_count(tmp_path):
    found = stand(tmp_path, [f"{place:02}" for place in range(10)], [f"{place:02}" for place in range(2, 12)])
    # 02 to 09: the first has 02, 04, 06, 08 right; the second all from 05 on.
    assert (found.own.correct, found.score.correct, found.score.examples) == (4, 5, 8)
    assert found.value == pytest.approx(-1 / 8)
    # Right by one alone: 02 and 04; by the other: 05, 07, 09. McNemar, exact: 2 (1 + 5 + 10) / 32 = 1.
    assert found.p_value == pytest.approx(1.0)
    assert not found.is_told_apart
    assert found.lines[0].startswith("benchmark two 0.625 [")
    assert "; probe" not in found.lines[0]
    assert "; one - benchmark = -0.125 [" in found.lines[0]
    assert found.lines[0].endswith("on the same 8 examples (exact p 1); that does not tell the two apart")


def test_none_in_common_is_said(tmp_path):
    found = stand(tmp_path, ["a", "b", "c", "d"], ["e", "f", "g", "h"])
    assert found.value is None
    assert "no example that this run was tested on" in found.note
    assert found.lines == ("benchmark two", f"          {found.note}")


def test_other_labels_or_examples_as_a_whole_are_said(tmp_path):
    names = [f"{place:02}" for place in range(10)]
    stand(tmp_path, names, names)
    one, two = read_runs([tmp_path / "one", tmp_path / "two"])
    assert hold_against(one, two).note == ""
    changed = replace(two, asked={**two.asked, "data": {**two.asked["data"], "digest": "d" * 64}})
    assert "the labels that it had" in hold_against(one, changed).note
