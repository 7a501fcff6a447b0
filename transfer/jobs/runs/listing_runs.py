"""A leaderboard from the runs that lie below some folders; nothing is kept but the runs themselves."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from transfer.errors import DataError, Problem, near_names
from transfer.evidence.known_runs import KnownRun, NoRun
from transfer.evidence.leaderboards import Leaderboard, Published
from transfer.evidence.run_ranking import is_ranked, rank_runs
from transfer.jobs.runs.known_runs import read_runs
from transfer.jobs.runs.published_results import read_published
from transfer.jobs.runs.run_folders import ASKED

_ID = 8  # digits of a task


def leaderboard(
    *folders: str | os.PathLike[str], published: str | os.PathLike[str] | Sequence[Published] = ()
) -> Leaderboard:
    """Rank the runs below some folders, task by task, with ties; TensorFlow is not imported.

    A task is the same data, the same test examples and the same outputs. The order of the folders changes nothing.

    Args:
        folders: runs, or folders of runs at any depth. Links in them are not followed, hidden folders left out.
        published: a CSV with columns task (its name or id), name, score, source and, where known, n; or such rows.

    Raises:
        DataError: if there is no run, or the published results cannot be read or do not fit.
    """
    rows = read_published(published) if isinstance(published, str | os.PathLike) else tuple(published)
    found = read_runs(sorted({place for each in folders for place in _below(Path(each))}))
    known = [each for each in found if isinstance(each, KnownRun)]
    unread = tuple(each for each in found if isinstance(each, NoRun))
    ranked = [each for each in known if is_ranked(each)]
    if not ranked:
        names = ", ".join(str(each) for each in folders) or "nothing"
        raise DataError(
            "There is no finished run to rank.",
            [Problem(each.folder, "a finished run", each.reason) for each in unread]
            or [Problem(names, "a folder with runs below it", "none")],
            next_step="name a folder below which 'transfer finetune -o FOLDER' wrote runs",
        )
    warnings = [problem for run in known for problem in run.problems]
    warnings += [f"{run.name} has no measure to rank it by" for run in known if run not in ranked]
    tasks = _by_task(ranked)
    theirs, lost = _assigned(rows, tasks)
    boards = tuple(rank_runs(_names(runs)[0], key, runs, theirs.get(key, ())) for key, runs in tasks.items())
    return Leaderboard(boards, unread, (*warnings, *lost))


def _below(folder: Path) -> Iterator[Path]:
    """Folders of runs below one, itself among them; one that is neither is given back, to be told why."""
    if not folder.is_dir() or (folder / ASKED).is_file():
        yield Path(os.path.realpath(folder))
        return
    for here, inner, files in os.walk(os.path.realpath(folder), followlinks=False):
        if ASKED in files:
            inner.clear()
            yield Path(here)
        inner[:] = sorted(each for each in inner if not each.startswith("."))


def _by_task(runs: Sequence[KnownRun]) -> dict[str, list[KnownRun]]:
    """Runs by the id of their task, in the order of the tasks' names."""
    found: dict[str, list[KnownRun]] = {}
    for run in runs:
        found.setdefault(_task_id(run), []).append(run)
    return dict(sorted(found.items(), key=lambda each: (_names(each[1])[0], each[0])))


def _task_id(run: KnownRun) -> str:
    data, test = run.asked.get("data") or {}, run.asked.get("test") or {}
    told = [data.get("digest"), test.get("digest"), sorted(run.tested), run.task]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:_ID]


def _names(runs: Sequence[KnownRun]) -> list[str]:
    """What the data of a task is called, from where it came; the first in the alphabet stands for it."""
    return sorted({_name(run) for run in runs})


def _name(run: KnownRun) -> str:
    data, test = (Path(str((run.asked.get(each) or {}).get("source") or "")).name for each in ("data", "test"))
    return f"{data or 'data'}, tested on {test}" if test else data or "data"


def _assigned(
    rows: Sequence[Published], tasks: dict[str, list[KnownRun]]
) -> tuple[dict[str, list[Published]], list[str]]:
    """Published results by the id of their task, and a sentence for each that has none here.

    Raises:
        DataError: if a name is that of several tasks, or a score is no share where shares are ranked.
    """
    found: dict[str, list[Published]] = {}
    problems, lost = [], []
    for row in rows:
        where = f"line {row.line}" if row.line else row.name
        fitting = [row.task] if row.task in tasks else [key for key, runs in tasks.items() if row.task in _names(runs)]
        if not fitting:
            known = [*tasks, *(name for runs in tasks.values() for name in _names(runs))]
            near = near_names(row.task, known, lead="; ")
            lost.append(f"published, {where}: no run here is of the task {row.task!r}{near}")
        elif len(fitting) > 1:
            problems.append(Problem(where, f"the id of one task: {', '.join(fitting)}", row.task))
        elif tasks[fitting[0]][0].score is not None and not 0 <= row.score <= 1:
            problems.append(Problem(where, "a share from 0 to 1", f"{row.score:g}"))
        else:
            found.setdefault(fitting[0], []).append(row)
    if problems:
        raise DataError("Published results do not fit the tasks here.", problems)
    return found, lost
