"""Scores with their intervals, beside their baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from transfer.cli.showing import show_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from transfer.answers import Evaluation
    from transfer.results import Run


def show_run(run: Run) -> None:
    """As it prints itself, the scores drawn as tables; warnings and what was left out stand on stderr."""
    _show_lines(run.opening)
    for columns, rows, numbers in run.result.tables:
        show_table(columns, rows, numbers=numbers)
    _show_lines((*run.result.standing, *run.closing))


def show_evaluation(evaluation: Evaluation) -> None:
    """The score as a whole, then class by class."""
    _show_lines(evaluation.opening)
    for columns, rows, numbers in evaluation.tables:
        show_table(columns, rows, numbers=numbers)


def _show_lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
