"""A leaderboard as Markdown or comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import fields

from transfer.evidence.known_runs import RunCost
from transfer.evidence.leaderboards import Board, Leaderboard, Standing

_COSTS = tuple(each.name for each in fields(RunCost))
_MARGIN = ("", "_margin", "_margin_low", "_margin_high")
CSV_COLUMNS = (
    *("task", "id", "measure", "rank", "best", "kind", "name", "value", "low", "high", "examples"),
    *(f"{what}{each}" for what in ("baseline", "benchmark") for each in _MARGIN),
    *_COSTS,
    "source",
)


def as_markdown(found: Leaderboard) -> str:
    """Every task as a heading, a table and the order of its runs and who leads."""
    parts = []
    for board in found.boards:
        columns, rows, numbers = board.table
        rule = ["---:" if each in numbers else "---" for each in columns]
        lines = [_markdown_row(columns), "|" + "|".join(rule) + "|", *map(_markdown_row, rows)]
        remarks = [f"\n{_plain(text)}" for _, text in board.remarks]
        parts.append("\n".join([f"## {_plain(board.title)}\n", *lines, *remarks]))
    return "\n\n".join(parts)


def as_csv(found: Leaderboard) -> str:
    """A row for each run and published result, of all tasks."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for board in found.boards:
        writer.writerows(_csv_row(board, each) for each in board.standings)
    return text.getvalue().rstrip("\n")


def _csv_row(board: Board, row: Standing) -> list[object]:
    margins = [
        each
        for found in (row.over_baseline, row.over_benchmark)
        for each in ((found.name, found.value, found.low, found.high) if found else ("",) * len(_MARGIN))
    ]
    costs = [getattr(row.cost, name) if row.cost else "" for name in _COSTS]
    head = [board.task, board.id, board.measure, row.rank, int(row.is_best), row.kind, row.name]
    found = [*head, row.value, row.low, row.high, row.examples, *margins, *costs, row.source]
    return ["" if each is None else int(each) if isinstance(each, bool) else each for each in found]


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_plain, cells)) + " |"


def _plain(text: str) -> str:
    """What Markdown would take for more than text."""
    for each in "\\|<*_`[]":
        text = text.replace(each, f"\\{each}")
    return text.replace("\n", " ")
