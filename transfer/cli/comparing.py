"""`transfer compare`."""

from __future__ import annotations

from pathlib import Path

import click

from transfer.cli.options import json_option


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN…", type=click.Path(path_type=Path))
@json_option
def command(runs: tuple[Path, ...], as_json: bool) -> None:
    """Hold finished RUNs against each other on the same test examples, and say which is better, if any is.

    Scores, parameters, FLOPs, seconds and size stand side by side; each pair with the difference on the same examples
    and its interval, p-values adjusted for the number of pairs, and an order: `a ≈ b > c`. What was asked differently
    is listed. A folder that is no run is a row with the reason.

    \b
    transfer compare runs/probe runs/tuned
    transfer compare runs/*
    """
    from transfer.cli.showing import show_json, show_table
    from transfer.jobs.runs.comparing_runs import compare

    comparison = compare(runs)
    if as_json:
        show_json(comparison.to_json())
        return
    for place, (columns, rows, numbers) in enumerate(comparison.tables):
        if place:
            click.echo()
        show_table(columns, rows, numbers=numbers)
    if comparison.closing:
        click.echo("\n" + "\n".join(comparison.closing))
