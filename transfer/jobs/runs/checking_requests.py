"""Whether `run.json` holds what a run writes there: it may come from anyone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from transfer.errors import CheckpointError, Problem
from transfer.jobs.runs.run_folders import ASKED
from transfer.specs import Json

_OBJECTS = ("recipe", "split", "data", "test", "input", "preprocessing", "network", "versions", "receipt")
_LISTS = (("recipe", "stages", dict), ("split", "train", str), ("split", "test", str))


def check_asked(folder: Path, asked: Json) -> None:
    """Refuse parts of another kind than a run writes; those that are missing are not looked at.

    Args:
        folder: of the run.
        asked: what lies there.

    Raises:
        CheckpointError: if there is one.
    """
    problems = tuple(_faults(asked)) if isinstance(asked, dict) else (Problem(ASKED, "an object", _kind(asked)),)
    if problems:
        raise CheckpointError(f"{folder} is a damaged run: {ASKED} is not as a run writes it.", problems)


def _faults(asked: dict[str, Json]) -> Iterator[Problem]:
    for name in _OBJECTS:
        if not isinstance(asked.get(name) or {}, dict):
            yield Problem(f"{ASKED}: {name}", "an object", _kind(asked[name]))
    for name, inner, kind in _LISTS:
        outer = asked.get(name)
        found = outer.get(inner) if isinstance(outer, dict) else None
        if found is not None and not (isinstance(found, list) and all(isinstance(each, kind) for each in found)):
            wanted = "a list of objects" if kind is dict else "a list of names"
            yield Problem(f"{ASKED}: {name}.{inner}", wanted, _kind(found))


def _kind(found: Json) -> str:
    return f"{type(found).__name__} {str(found)[:60]}"
