"""A benchmark that is not there: runs with names like it, and a finished run that was held against it once."""

from __future__ import annotations

import os
from pathlib import Path

from transfer.errors import DataError, near_names
from transfer.jobs.runs.run_folders import ASKED, read_asked
from transfer.specs import Json


def runs_like(source: str | os.PathLike[str]) -> str:
    """`nearest: …` with runs that lie where it was looked for; empty where there are none."""
    path = Path(source).absolute()
    try:
        found = sorted(each.name for each in path.parent.iterdir() if (each / ASKED).is_file())
    except OSError:
        return ""
    return near_names(path.name, found, lead=f"runs in {path.parent}: ")


def kept_of_missing(source: object, folder: Path | None) -> Json:
    """What the run in a folder was held against, as its `run.json` has it, if that has the name and is gone.

    Args:
        source: the benchmark that is asked for.
        folder: where a finished run may be.

    Returns:
        None where it is still there, or the run was held against something else.
    """
    if folder is None or not isinstance(source, str | os.PathLike) or os.path.lexists(source):
        return None
    try:
        kept = read_asked(folder).get("benchmark")
    except (DataError, AttributeError):
        return None
    name = Path(os.path.realpath(source)).name
    return kept if isinstance(kept, dict) and kept.get("name") in (f"run {name}", f"probe on {name}") else None
