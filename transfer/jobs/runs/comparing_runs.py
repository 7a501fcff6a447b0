"""Runs held against each other, from what lies in their folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from transfer.errors import DataError, Problem
from transfer.evidence.known_runs import KnownRun, NoRun
from transfer.evidence.run_comparisons import Comparison, Setting, compare_known
from transfer.jobs.runs.differing_requests import differences
from transfer.jobs.runs.known_runs import read_runs
from transfer.jobs.runs.run_folders import ASKED


def compare(runs: Sequence[str | os.PathLike[str]]) -> Comparison:
    """Hold finished runs against each other: scores, cost, paired differences, an order, and in what they differ.

    Nothing is computed anew and TensorFlow is not imported. A folder that is no run is told with its reason.

    Args:
        runs: their folders.

    Raises:
        DataError: if there is no run among them.
    """
    found = tuple(map(_with_runs_below, read_runs([Path(each) for each in runs])))
    known = [each for each in found if isinstance(each, KnownRun)]
    if not known:
        wanted = "a folder that 'transfer finetune' wrote"
        below = [each.folder for each in found if isinstance(each, NoRun) and _count_below(each.folder)]
        named = f"name each run: transfer compare {' '.join(f'{each}/*' for each in below)}"
        raise DataError(
            "There is no finished run to compare.",
            [Problem(each.folder, wanted, each.reason) for each in found if isinstance(each, NoRun)],
            next_step=named if below else "name the folders that 'transfer finetune -o FOLDER' wrote",
        )
    return compare_known(found, _settings(known))


def _with_runs_below(run: KnownRun | NoRun) -> KnownRun | NoRun:
    """The same; a folder of runs says that it is one."""
    if not isinstance(run, NoRun) or not (count := _count_below(run.folder)):
        return run
    return replace(run, reason=f"a folder of {count} run{'s' * (count > 1)}: {run.folder}/*")


def _count_below(folder: str) -> int:
    return sum(1 for _ in Path(folder).glob(f"*/{ASKED}"))


def _settings(runs: Sequence[KnownRun]) -> tuple[Setting, ...]:
    """What was asked of each otherwise than of the first."""
    first, found = runs[0], dict[str, dict[str, str]]()
    for run in runs[1:]:
        try:
            problems = differences(first.asked, run.asked)
        except (LookupError, TypeError, AttributeError):
            continue  # older or foreign requests lack what is asked today
        for each in problems:
            found.setdefault(each.where, {first.name: each.expected})[run.name] = each.found
    return tuple(Setting(name, values) for name, values in found.items())
