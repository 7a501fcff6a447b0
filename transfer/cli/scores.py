"""Scores with their intervals, beside their baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from transfer.cli.showing import show_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from transfer.results import Run
    from transfer.scores import Evaluation


def show_run(run: Run) -> None:
    """As it prints itself, the scores drawn as a table; warnings and what was left out stand on stderr."""
    from transfer.results import SCORED
    from transfer.scores import NUMBERS

    _show_lines(run.opening)
    show_table(SCORED, [each.cells for each in run.result.scores], numbers=NUMBERS)
    _show_lines(run.closing)


def show_evaluation(evaluation: Evaluation) -> None:
    """The score as a whole, then class by class."""
    from transfer.scores import ANSWERED, BY_CLASS, NUMBERS

    _show_lines(evaluation.opening)
    show_table(ANSWERED, [evaluation.score.cells], numbers=NUMBERS)
    show_table(BY_CLASS, evaluation.class_cells, numbers=NUMBERS)


def _show_lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
