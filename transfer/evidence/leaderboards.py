"""Runs of one task ranked, with ties, beside what others have published of it: the values, and how they look.

Runs share a rank where they are not told apart. Best is whatever nothing is told to be better than, runs and published
results alike.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from transfer.evidence.known_runs import NoRun, RunCost
from transfer.evidence.run_comparisons import COSTS, cost_cells
from transfer.html_tables import as_html
from transfer.specs import Json
from transfer.tabulating import Part, Table, format_parts, shorten

_NONE = "-"
_COSTS = ("parameters", "FLOP")
_NUMBERS = ("rank", "examples", *_COSTS)


@dataclass(frozen=True, slots=True)
class Published:
    """A result of others.

    Attributes:
        task: name or id of the task.
        name: of what was done.
        score: in the measure of the task.
        source: where it is published.
        examples: on how many it was tested; None where that is not said.
        line: of the file that it stands in.
    """

    task: str
    name: str
    score: float
    source: str
    examples: int | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Margin:
    """How much better a run is than something else; above 0 is better, also where less is better.

    Attributes:
        name: of the other.
        value: the difference.
        low: of its 95 % interval; None where there is none.
        high: likewise.
        examples: that both answered, where that is known.
        note: what to mind of it; empty for nothing.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    examples: int | None = None
    note: str = ""

    def __str__(self) -> str:
        return f"{self.value:+.3f}" + ("" if self.low is None else f" [{self.low:+.3f}, {self.high:+.3f}]")


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of a task.

    Attributes:
        rank: shared by runs that are not told apart; None of published results.
        name: of the run, or of what was published.
        kind: `run` or `published`.
        value: in the measure of the task.
        low: of its 95 % interval; None where there is none.
        high: likewise.
        examples: that it was tested on; None where that is not known.
        is_best: whether nothing is told to be better.
        over_baseline: its margin over the best baseline; None of published results.
        over_benchmark: over what its request names as benchmark; None where it names none.
        cost: of a run.
        source: its folder, or where it is published.
    """

    rank: int | None
    name: str
    kind: Literal["run", "published"]
    value: float
    low: float | None
    high: float | None
    examples: int | None
    is_best: bool
    over_baseline: Margin | None
    over_benchmark: Margin | None
    cost: RunCost | None
    source: str


@dataclass(frozen=True, slots=True)
class Board:
    """All that is known of one task, the best first.

    Attributes:
        task: a short name, from where the data came.
        id: digits that tell it from others: of the data, what was tested on, and what was asked.
        measure: that ranks.
        about: what is asked of how many examples.
        standings: the best first.
        order: of the runs, `a ≈ b > c`.
    """

    task: str
    id: str
    measure: str
    about: str
    standings: tuple[Standing, ...]
    order: str

    @property
    def title(self) -> str:
        """What stands above it."""
        return f"{self.task} ({self.id}): {self.about}"

    @property
    def best(self) -> tuple[str, ...]:
        """Names of those that nothing is told to be better than."""
        return tuple(each.name for each in self.standings if each.is_best)

    @property
    def table(self) -> Table:
        """Columns, rows and the columns of numbers; that of a benchmark where there is one."""
        has_benchmark = any(each.over_benchmark for each in self.standings)
        benchmark = ("over the benchmark",) if has_benchmark else ()
        columns = (
            *("rank", "best", "run", self.measure, "95 % interval", "examples", "over the best baseline", *benchmark),
            *(*_COSTS, "where"),
        )
        return columns, [_cells(each, has_benchmark) for each in self.standings], (*_NUMBERS, self.measure)

    @property
    def remarks(self) -> tuple[tuple[str, str], ...]:
        """What stands below the table, each with its heading: the order of several runs, and who leads among others."""
        kinds = [each.kind for each in self.standings]
        order = (("order", self.order),) if kinds.count("run") > 1 else ()
        held = [(each.name, each.over_benchmark) for each in self.standings if each.over_benchmark is not None]
        marks = [("benchmark", f"* {name}: {margin.note}") for name, margin in held if margin.note]
        return (*order, *marks, *((("best", self._leading),) if "published" in kinds else ()))

    @property
    def closing(self) -> tuple[str, ...]:
        """The same in lines."""
        return tuple(f"{heading:10}{text}" for heading, text in self.remarks)

    @property
    def _leading(self) -> str:
        first, *others = (each for each in self.standings if each.is_best)
        whose = f", published, {first.source}" if first.kind == "published" else ""
        level = [each.name + (" (published)" if each.kind == "published" else "") for each in others]
        equals = f"; not told to be worse: {shorten(level)}" if level else ""
        best = f"state of the art of this task: {first.name}{whose} ({first.value:.3f}){equals}"
        return (
            f"{best}; published results are held against runs by their numbers alone: which examples they have right "
            "is not known"
        )


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Runs by task.

    Attributes:
        boards: by the name of the task.
        unread: folders that are no finished runs, with the reason.
        warnings: published results that belong to no task here, and what does not fit in a run.
    """

    boards: tuple[Board, ...]
    unread: tuple[NoRun, ...] = ()
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The lines and tables in print."""
        blocks: list[tuple[Part, ...]] = [(each.title, each.table, *each.closing) for each in self.boards]
        blocks += [self.closing] if self.closing else []
        return tuple(part for place, block in enumerate(blocks) for part in (*([""] if place else []), *block))

    @property
    def closing(self) -> tuple[str, ...]:
        """What stands below all tasks: folders that are no runs, and what to mind."""
        unread = (f"no run    {each.folder}: {each.reason}" for each in self.unread)
        return (*unread, *(f"warning   {each}" for each in self.warnings))

    def to_json(self) -> Json:
        """As plain values, for `--json`."""
        boards = [{**asdict(each), "best": list(each.best)} for each in self.boards]
        unread = [asdict(each) for each in self.unread]
        return {"schema": 1, "tasks": boards, "unread": unread, "warnings": list(self.warnings)}


def _cells(row: Standing, has_benchmark: bool) -> tuple[str, ...]:
    bounds = _NONE if row.low is None else f"{row.low:.3f} to {row.high:.3f}"
    rank = _NONE if row.rank is None else str(row.rank)
    head = (rank, "best" if row.is_best else "", row.name, f"{row.value:.3f}", bounds)
    benchmark = _margin(row.over_benchmark, row.examples)
    margins = (_margin(row.over_baseline), *((benchmark,) if has_benchmark else ()))
    examples = _NONE if row.examples is None else f"{row.examples}"
    where = row.source if row.kind == "run" else f"published: {row.source}"
    costs = dict(zip(COSTS, cost_cells(row.cost), strict=True)) if row.cost else {}
    return (*head, examples, *margins, *(costs.get(each, _NONE) for each in _COSTS), where)


def _margin(found: Margin | None, examples: int | None = None) -> str:
    """A cell: with how many examples it is of, where these are not all, and a mark where a note stands below."""
    if found is None:
        return _NONE
    count = "" if found.examples in (None, examples) else f", {found.examples} examples"
    return f"{found} ({found.name}{count}){' *' if found.note else ''}"
