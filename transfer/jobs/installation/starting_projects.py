"""A small project to start from: a recipe, a labelling, a builder and what to do with them."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from transfer.placing import placed_folder, refuse_existing

TASKS = {
    "images": "pictures in a folder a class",
    "table": "pictures in a table, with a class and a number",
    "multilabel": "pictures with several labels at once",
    "hierarchy": "pictures with a class and a finer one within it",
}
_MARK = "@HEADS@\n"


def start_project(task: str, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write the files of a project into a new folder.

    Args:
        task: one of `TASKS`.
        folder: that is not there yet; those above it are made.

    Returns:
        The files, sorted.

    Raises:
        ValueError: if there is no such task.
        OutputError: if the folder is there, or cannot be written.
    """
    if task not in TASKS:
        raise ValueError(f"task is one of {', '.join(TASKS)}, not {task!r}")
    target = Path(folder)
    refuse_existing(target, force=False, parents=True)
    texts = read_templates(task)
    with placed_folder(target) as place:
        for name, text in texts.items():
            (place / name).write_text(text, encoding="utf-8")
    return tuple(target / name for name in texts)


def read_templates(task: str) -> dict[str, str]:
    """The text of each file of a task's project, by its name, sorted."""
    shared = files("transfer.jobs.installation").joinpath("project_templates")
    own = shared.joinpath(task)
    found = {each.name: each.read_text(encoding="utf-8") for each in own.iterdir()}
    builder = shared.joinpath("builder.py.txt").read_text(encoding="utf-8")
    found["builder.py"] = builder.replace(_MARK, found.pop("heads.txt"))
    found["recipe.toml"] = shared.joinpath("recipe.toml").read_text(encoding="utf-8")
    return dict(sorted(found.items()))
