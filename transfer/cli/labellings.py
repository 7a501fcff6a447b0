"""`transfer labelling`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from transfer.cli.labelling_options import labelling_options
from transfer.cli.options import json_option, strict_option, unreadable_option

if TYPE_CHECKING:
    from transfer.cli.labelling_options import LabelChoice


@click.command("labelling")
@click.argument("data", type=click.Path(path_type=Path))
@labelling_options
@strict_option
@unreadable_option
@json_option
def command(data: Path, labelled_by: LabelChoice, strict: bool, skip_unreadable: bool, as_json: bool) -> None:
    """Print what the labels of the set DATA are taken for, as TOML to be corrected and given back with --labelling.

    How many examples there are, and what is wrong with them, stands on stderr.

    \b
    transfer labelling photos/ --labels labels.csv > food.toml
    transfer labelling photos/ --labels labels.csv --labelling food.toml
    """
    from transfer.cli.showing import show_json, show_note, show_problems, show_warnings
    from transfer.data.labelling_files import format_labelling
    from transfer.data.spelling import find_misspellings, spelling_warning

    read, _ = labelled_by.read(data, strict=strict, skip_unreadable=skip_unreadable)
    if as_json:
        show_json(read.labelling.to_json())
        return
    click.echo(format_labelling(read.labelling), nl=False)
    show_problems("left out", read.problems)
    misspelled = spelling_warning(find_misspellings(read.labelling, read.targets, read.names))
    show_warnings((*read.notes, *([misspelled] if misspelled else [])))
    show_note(repr(read).strip("<>"))
