"""`transfer leaderboard`."""

from __future__ import annotations

from pathlib import Path

import click

from transfer.cli.options import json_option


@click.command("leaderboard")
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER…", type=click.Path(path_type=Path))
@click.option(
    "--published",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="CSV",
    help="Results of others to stand among the runs, with the columns task (its name or id), name, score, source and, "
    "where known, n, the number of test examples.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown.")
@json_option
def command(folders: tuple[Path, ...], published: Path | None, as_csv: bool, as_markdown: bool, as_json: bool) -> None:
    """Rank the finished runs below each FOLDER, task by task, with ties.

    A task is the same data, the same test examples and the same outputs. Runs that are not told apart share a rank;
    marked as best is whatever nothing is told to be better than. Each stands with its margin over the best baseline,
    with an interval. Run folders are read and nothing else is kept: runs are added by making them.

    \b
    transfer leaderboard runs/
    transfer leaderboard runs/ --published papers.csv --markdown
    """
    from transfer.cli.showing import show_json, show_note, show_table
    from transfer.evidence.drawn_leaderboards import as_csv as to_csv
    from transfer.evidence.drawn_leaderboards import as_markdown as to_markdown
    from transfer.jobs.runs.listing_runs import leaderboard

    if as_csv + as_markdown + as_json > 1:
        raise click.UsageError("Give one of --csv, --json and --markdown.")
    found = leaderboard(*folders, published=published or ())
    if as_json:
        show_json(found.to_json())
        return
    if as_csv or as_markdown:
        click.echo(to_csv(found) if as_csv else to_markdown(found))
    else:
        for place, board in enumerate(found.boards):
            click.echo(f"{chr(10) if place else ''}{board.title}")
            columns, rows, numbers = board.table
            show_table(columns, rows, numbers=numbers)
            for line in board.closing:
                click.echo(line)
    for line in found.closing:
        show_note(line)
