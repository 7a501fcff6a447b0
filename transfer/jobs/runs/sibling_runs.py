"""Runs of the same task that lie beside a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from transfer.errors import DataError
from transfer.evidence.leaderboards import Leaderboard
from transfer.jobs.runs.listing_runs import leaderboard
from transfer.jobs.runs.run_folders import read_asked
from transfer.specs import Json

_MOST = 20  # that are read: each costs a look into its network


def rank_beside(folder: Path, asked: Json) -> Leaderboard | None:
    """The leaderboard of a run's task from the folders beside it; None where no other run of the task lies there.

    It says of folders their names alone: a page goes to people whom the paths of this machine do not concern.

    Args:
        folder: of the run.
        asked: its request.
    """
    own = Path(os.path.realpath(folder))
    others = list(_alike(own, asked))[:_MOST]
    if not others:
        return None
    try:
        found = leaderboard(own, *others)
    except DataError:
        return None
    boards = [each for each in found.boards if str(own) in {row.source for row in each.standings}]
    if not boards or len(boards[0].standings) < 2:
        return None
    rows = tuple(replace(row, source=Path(row.source).name) for row in boards[0].standings)
    return Leaderboard((replace(boards[0], standings=rows),))


def _alike(own: Path, asked: Json) -> Iterator[Path]:
    """Folders of runs on the same data and test examples, by name; links and hidden ones are left out."""
    try:
        places = sorted(each for each in own.parent.iterdir() if each != own)
    except OSError:
        return
    for each in places:
        if each.name.startswith(".") or each.is_symlink() or not each.is_dir():
            continue
        try:
            if _task(read_asked(each)) == _task(asked):
                yield each
        except (DataError, AttributeError, TypeError):
            continue


def _task(asked: Json) -> Json:
    data, test = asked.get("data") or {}, asked.get("test") or {}
    return data.get("digest"), test.get("digest"), (asked.get("split") or {}).get("test")
