"""Runs side by side: their scores, what they cost, how far each two lie apart on the same examples, and in what order.

Only what was tested on the same examples is compared: each pair on those that both have. An example is the same where
its content is, if the runs kept digests of it, else where its name is. All pairs are tested (McNemar, exact) and their
p-values adjusted for being many (Holm); a winner is told apart from all others. The order goes by the examples that all
have; where there are none, or pairs told apart stand otherwise on these, there is no order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from transfer.evidence.known_runs import KnownRun, NoRun, RunCost, foremost_of
from transfer.evidence.run_overlaps import warn_of_tests
from transfer.evidence.run_pairs import RunPair, order_together, pair_runs, sharing
from transfer.evidence.tiers import Ordering
from transfer.html_tables import as_html
from transfer.output_scores import MEASURED, MEASURED_NUMBERS
from transfer.scores import score_columns
from transfer.specs import Json
from transfer.tabulating import Part, Table, format_parts, format_scaled, spaced

COSTS = ("parameters", "trained", "FLOP", "seconds", "MB")
_NONE = "-"
_SAME = '"'
_SHOWN = 12  # warnings written out


@dataclass(frozen=True, slots=True)
class Setting:
    """In what requests differ.

    Attributes:
        name: of the setting, as the command line has it.
        values: by the name of the run; runs that are not among them have that of the first one.
    """

    name: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs side by side; printed, it is tables and an order.

    Attributes:
        runs: those that could be read, as they were given.
        unread: the others, with the reason.
        pairs: of runs that were tested on the same examples.
        orders: the best first, of runs that share their examples; several where some share none with others, none
            where no example is common to all of them.
        settings: in what the requests differ.
        warnings: what makes the scores hard to compare.
    """

    runs: tuple[KnownRun, ...]
    unread: tuple[NoRun, ...]
    pairs: tuple[RunPair, ...]
    orders: tuple[Ordering, ...]
    settings: tuple[Setting, ...]
    warnings: tuple[str, ...]

    @property
    def winner(self) -> str | None:
        """The run that is told apart from all others; None where there is none."""
        told = (pair for pair in self.pairs if pair.told_apart)
        won = Counter(pair.first if pair.difference.value > 0 else pair.second for pair in told)
        return next((name for name, times in won.items() if times == len(self.runs) - 1), None)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Columns, rows and the columns of numbers of each table in print."""
        found: list[Table] = [((*score_columns("run"), *COSTS), self._run_rows, ("accuracy", "right", *COSTS))]
        measures = [
            (output.name, run.name, *measure.cells) for run in self.runs for output, measure in foremost_of(run.outputs)
        ]
        if measures:
            names = list(dict.fromkeys(row[0] for row in measures))
            rows = sorted(measures, key=lambda row: names.index(row[0]))
            found.append((("output", "run", *MEASURED[1:]), rows, MEASURED_NUMBERS))
        if self.pairs:
            found.append((_PAIRED, [_pair_cells(each) for each in self.pairs], _PAIRED[1:]))
        if self.settings:
            runs = [run.name for run in self.runs]
            asked = [(each.name, *(each.values.get(name, _SAME) for name in runs)) for each in self.settings]
            found.append((("differ in", *runs), asked, ()))
        return tuple(found)

    @property
    def closing(self) -> tuple[str, ...]:
        """What stands below the tables: the order, and what to mind."""
        ordered = (f"order     {each}" for each in self.orders if len(each.means) > 1)
        verdict: tuple[str, ...] = ()
        if len(self.runs) > 1 and (self.pairs or self.orders):
            verdict = (f"winner    {self.winner or 'none that is told apart from all others'}",)
        more = len(self.warnings) - _SHOWN
        rest = (f"          and {more} more warnings",) if more > 0 else ()
        return (*ordered, *verdict, *(f"warning   {each}" for each in self.warnings[:_SHOWN]), *rest)

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The lines and tables in print."""
        return (*spaced(self.tables), *([""] if self.closing else []), *self.closing)

    @property
    def _run_rows(self) -> list[tuple[str, ...]]:
        rows = [
            (run.name, *(run.score.cells[1:] if run.score else (_NONE,) * 3), *cost_cells(run.cost))
            for run in self.runs
        ]
        return rows + [(each.name, each.reason, *("",) * (2 + len(COSTS))) for each in self.unread]

    def to_json(self) -> Json:
        """As plain values, for `--json`."""
        return {
            "schema": 1,
            "runs": [_run_json(each) for each in self.runs],
            "unread": [asdict(each) for each in self.unread],
            "pairs": [
                {
                    "first": each.first,
                    "second": each.second,
                    **asdict(each.difference),
                    "adjusted_p_value": each.p_value,
                    "told_apart": each.told_apart,
                }
                for each in self.pairs
            ],
            "orders": [
                {"text": str(each), "tiers": each.tiers, "apart": each.apart, "shares": each.means}
                for each in self.orders
            ],
            "winner": self.winner,
            "differ_in": [{"setting": each.name, "values": dict(each.values)} for each in self.settings],
            "warnings": list(self.warnings),
        }


_PAIRED = ("first - second", "difference", "95 % interval", "examples", "first alone", "second alone", "p", "Holm p")


def compare_known(runs: Sequence[KnownRun | NoRun], settings: Sequence[Setting] = ()) -> Comparison:
    """Hold runs against each other.

    Args:
        runs: with names of their own.
        settings: in what their requests differ.
    """
    known = tuple(each for each in runs if isinstance(each, KnownRun))
    warnings = [problem for run in known for problem in run.problems]
    pairs: list[RunPair] = []
    orders: list[Ordering] = []
    able = [run for run in known if run.own is not None]
    for run in known:
        if run.own is None and len(known) > 1:
            why = "has numbers alone" if run.score is None else "kept no answers, as older runs did not"
            warnings.append(f"{run.name} {why}: its score stands alone")
    for together in sharing(able):
        found = pair_runs(together)
        order = order_together(together, found)
        pairs += found
        if isinstance(order, str):
            warnings.append(order)
        else:
            orders.append(order)
    warnings += warn_of_tests(known, able)
    unread = tuple(each for each in runs if isinstance(each, NoRun))
    return Comparison(known, unread, tuple(pairs), tuple(orders), tuple(settings), tuple(warnings))


def cost_cells(cost: RunCost) -> tuple[str, ...]:
    """A row under `COSTS`."""
    flops = _NONE if cost.flops is None else f"{'≥ ' * cost.is_least}{format_scaled(cost.flops).rstrip()}"
    numbers = (_NONE if each is None else f"{each:,}" for each in (cost.parameters, cost.trained))
    seconds = _NONE if cost.seconds is None else f"{cost.seconds:.1f}"
    return (*numbers, flops, seconds, f"{cost.size_bytes / 1e6:.2f}")


def _pair_cells(pair: RunPair) -> tuple[str, ...]:
    found = pair.difference
    counts = (f"{found.examples}", f"{found.first_alone}", f"{found.second_alone}")
    bounds = f"{found.low:+.3f} to {found.high:+.3f}"
    p_values = (f"{found.p_value:.2g}", f"{pair.p_value:.2g}")
    return f"{pair.first} - {pair.second}", f"{found.value:+.3f}", bounds, *counts, *p_values


def _run_json(run: KnownRun) -> Json:
    return {
        "name": run.name,
        "folder": run.folder,
        "score": asdict(run.score) if run.score else None,
        "outputs": [
            {"output": output.name, "kind": output.kind, **asdict(measure)}
            for output, measure in foremost_of(run.outputs)
        ],
        "baselines": [asdict(each) for each in run.baselines],
        "cost": asdict(run.cost),
        "tested": len(run.tested),
    }
