"""`transfer new`."""

from __future__ import annotations

from pathlib import Path

import click

from transfer.cli.options import ChoiceType, json_option

TASKS = ("images", "table", "multilabel", "hierarchy")


@click.command("new")
@click.argument("task", type=ChoiceType(TASKS))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)
@json_option
def command(task: str, folder: Path | None, as_json: bool) -> None:
    """Start a project in a new FOLDER (called after the TASK unless it is said): files to be edited, with comments.

    recipe.toml says what is trained, labelling.toml what the labels are, builder.py makes an encoder and a network with
    a head of your own, and README.md has five steps.

    \b
    transfer new images
    transfer new hierarchy fruit/
    """
    from transfer.cli.showing import show_json
    from transfer.jobs.installation.starting_projects import start_project

    written = start_project(task, folder or Path(task))
    if as_json:
        show_json({"task": task, "folder": str(folder or task), "files": [each.name for each in written]})
        return
    for each in written:
        click.echo(each)
