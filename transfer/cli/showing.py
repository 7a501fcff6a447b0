"""Results on stdout, as tables or JSON; progress and errors on stderr."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from transfer.cli.volume import is_animated, is_coloured, is_quiet, is_verbose, spend

if TYPE_CHECKING:
    from transfer.errors import Problem, TransferError
    from transfer.results import Receipt
    from transfer.specs import Progress

SHOWN = 12  # problems written out; the others are counted
DRAWN = 60  # rows


def show_json(values: Mapping[str, Any], *, of: str = "") -> None:
    """Print plain values with the name of their form; a number that is not finite is null.

    Args:
        values: by name.
        of: the name of the schema in `schemas/`; the words of the command that is running, unless it is said.
    """
    from transfer.plain_json import plain

    kind = of or "-".join(click.get_current_context().command_path.split()[1:])
    named = {"schema": "", **values} | {"schema": f"transfer/{kind}/1"}
    click.echo(json.dumps(plain(named), indent=1, default=str, ensure_ascii=False, allow_nan=False))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str] = ()) -> None:
    """Print a table; the columns in `numbers` are aligned to the right.

    On a terminal it is drawn by rich, cells taken literally; in a pipe, and where it is long (rich takes its time), it
    is plain text.
    """
    if not sys.stdout.isatty() or len(rows) > DRAWN:
        from transfer.tabulating import format_table

        click.echo(format_table(columns, rows, numbers=numbers))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(highlight=False, color_system="auto" if is_coloured(sys.stdout) else None).print(table)


def show_note(text: str) -> None:
    """Say something beside the result, on stderr; `-q` leaves it out."""
    if not is_quiet():
        click.echo(text, err=True)


def show_warnings(warnings: Iterable[str]) -> None:
    """The same, a line each."""
    for each in warnings:
        show_note(f"{click.style('warning:', fg='yellow')} {each}")


def show_receipt(receipt: Receipt) -> None:
    """With `-v`: every tensor, where it went and how, on stderr."""
    if is_verbose():
        click.echo(str(receipt), err=True)


def show_problems(what: str, problems: Sequence[Problem]) -> None:
    """Name what was left out, on stderr; `-q` leaves it out."""
    if not problems or is_quiet():
        return
    click.echo(f"{what}: {len(problems)}", err=True)
    for problem in problems[:SHOWN]:
        click.echo(str(problem), err=True)
    if len(problems) > SHOWN:
        click.echo(f"  … and {len(problems) - SHOWN} more (--json lists all)", err=True)


def show_error(error: TransferError, *, as_json: bool) -> None:
    """Print an error on stderr; as JSON where the result would have been."""
    if not as_json:
        click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", err=True)
        return
    problems = [dataclasses.asdict(each) for each in error.problems]
    show_json_error(type(error).__name__, error.exit_code, error.summary, problems, error.next_step)


def show_json_error(
    kind: str, exit_code: int, summary: str, problems: Sequence[Mapping[str, str]] = (), next_step: str = ""
) -> None:
    """Print an error as one line of JSON on stderr."""
    values = {
        "schema": "transfer/error/1",
        "error": kind,
        "exit_code": exit_code,
        "summary": summary,
        "problems": list(problems),
        "next": next_step,
    }
    click.echo(json.dumps(values, ensure_ascii=False), err=True)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A `Progress` that draws on stderr, with the time left, where that is a terminal; for `-v` it keeps the time."""
    pacer = _Pacer()
    if is_quiet() or not is_animated(sys.stderr):
        yield pacer.keep
        pacer.end()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
    from rich.table import Column

    tasks: dict[str, TaskID] = {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None, table_column=Column(max_width=40)),  # gives way to the text
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True, color_system="auto" if is_coloured(sys.stderr) else None)
    # An epoch may take minutes: the time left is told by the pace of the last half hour.
    with Progress(*columns, console=console, transient=True, speed_estimate_period=1800) as bars:

        def draw(stage: str, done: int, total: int) -> None:
            pacer.keep(stage, done, total)
            key = stage.split(",")[0]
            if key not in tasks:
                tasks[key] = bars.add_task(stage, total=total)
            bars.update(tasks[key], description=stage, completed=done, total=total)

        yield draw
        pacer.end()


class _Pacer:
    """Counts the time before each word as that of the stage which it tells of: a word comes when something is done."""

    def __init__(self) -> None:
        self._at = time.monotonic()

    def keep(self, stage: str, done: int, total: int) -> None:  # noqa: ARG002
        self._spend(stage.split(",")[0])

    def end(self) -> None:
        """What came after the last word."""
        self._spend("scoring and writing")

    def _spend(self, what: str) -> None:
        now = time.monotonic()
        spend(what, now - self._at)
        self._at = now
