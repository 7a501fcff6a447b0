"""Runs side by side: their scores, what they cost, how far each two lie apart on the same examples, and in what order.

Only what was tested on the same examples is compared: on those that all runs have that share any. An example is the
same where its content is, if the runs kept digests of it, else where its name is. All pairs are tested (McNemar, exact)
and their p-values adjusted for being many (Holm); a winner is told apart from all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TypeAlias

from transfer.evidence.groups_of_ties import Ordering, order_by_pairs
from transfer.evidence.known_runs import KnownRun, NoRun, RunCost, foremost_of, numbered
from transfer.evidence.share_differences import ShareDifference, differ_on_same
from transfer.output_scores import MEASURED, MEASURED_NUMBERS
from transfer.scores import score_columns
from transfer.specs import Json
from transfer.tabulating import format_scaled, format_table, shorten

Table: TypeAlias = tuple[Sequence[str], Sequence[Sequence[str]], Sequence[str]]
COSTS = ("parameters", "trained", "FLOP", "seconds", "MB")
_NONE = "-"
_SAME = '"'
_LEVEL = 0.05
_SHOWN = 12  # warnings written out


@dataclass(frozen=True, slots=True)
class RunPair:
    """Two runs on the examples that both were tested on.

    Attributes:
        first: name of a run.
        second: of the other.
        difference: share of right answers of the first less that of the second.
        p_value: adjusted for the number of pairs; 1 where it is not known which examples are alike.
    """

    first: str
    second: str
    difference: ShareDifference
    p_value: float

    @property
    def told_apart(self) -> bool:
        """Whether the two differ by more than chance explains."""
        return self.p_value < _LEVEL


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
        orders: the best first, for all runs that share their examples; several where some share none with others.
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
        return self.orders[0].winner if len(self.orders) == 1 and len(self.pairs) == self._all_pairs else None

    @property
    def _all_pairs(self) -> int:
        return len(self.runs) * (len(self.runs) - 1) // 2

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
        if len(self.runs) > 1 and self.orders:
            verdict = (f"winner    {self.winner or 'none that is told apart from all others'}",)
        more = len(self.warnings) - _SHOWN
        rest = (f"          and {more} more warnings",) if more > 0 else ()
        return (*ordered, *verdict, *(f"warning   {each}" for each in self.warnings[:_SHOWN]), *rest)

    def __str__(self) -> str:
        drawn = "\n\n".join(format_table(head, rows, numbers=numbers) for head, rows, numbers in self.tables)
        return "\n".join([drawn, *([""] if self.closing else []), *self.closing])

    __repr__ = __str__

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
                {"text": str(each), "groups": each.groups, "apart": each.apart, "shares": each.means}
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
    for together in _sharing(able):
        found, order = order_together(together)
        pairs += found
        orders += [order] if order else []
    warnings += _of_tests(known, able)
    unread = tuple(each for each in runs if isinstance(each, NoRun))
    return Comparison(known, unread, tuple(pairs), tuple(orders), tuple(settings), tuple(warnings))


def comparable(one: KnownRun, other: KnownRun) -> bool:
    """Whether examples of both can be the same: they ask the same of them, and can be told by content or name."""
    if one.task != other.task:
        return False
    if one.answers and other.answers and one.answers.digests and other.answers.digests:
        return True
    same = one.test_set.get("digest") == other.test_set.get("digest")
    return same or not any(each.test_set.get("source") == "arrays" for each in (one, other))  # names there are places


def order_together(runs: Sequence[KnownRun]) -> tuple[tuple[RunPair, ...], Ordering | None]:
    """All pairs of runs and their order, on the examples that all of them were tested on; nothing where none are.

    Args:
        runs: that kept their answers, any two of them comparable.
    """
    rows = _common_rows(runs)
    if rows is None:
        return (), None
    right = {run.name: run.own[rows[run.name]] for run in runs if run.own is not None}
    first = runs[0].answers
    groups = numbered(tuple(first.groups[place] for place in rows[runs[0].name])) if first and first.groups else None
    unsure = {run.name for run in runs if run.groups_unknown}
    pairs = list(combinations(right, 2))
    differences = {pair: differ_on_same(right[pair[0]], right[pair[1]], groups) for pair in pairs}
    p_values = {pair: 1.0 if unsure & set(pair) else each.p_value for pair, each in differences.items()}
    order = order_by_pairs({name: float(each.mean()) for name, each in right.items()}, p_values)
    adjusted = {frozenset(pair): each for pair, each in order.p_values.items()}
    return tuple(RunPair(*pair, differences[pair], adjusted[frozenset(pair)]) for pair in pairs), order


def _common_rows(runs: Sequence[KnownRun]) -> dict[str, list[int]] | None:
    """For each run the places of the examples that all have, in one order."""
    by_content = all(run.answers is not None and run.answers.digests for run in runs)
    keys = {run.name: _keys(run, by_content) for run in runs}
    common = set.intersection(*(set(each) for each in keys.values()))
    return {name: [each[key] for key in sorted(common)] for name, each in keys.items()} if common else None


def _keys(run: KnownRun, by_content: bool) -> dict[tuple[str, int], int]:
    """Place of each example by what tells it from others; equal ones are numbered."""
    if run.answers is None:
        return {}
    told: Counter[str] = Counter()
    keys = {}
    for place, each in enumerate(run.answers.digests if by_content else run.answers.examples):
        keys[each, told[each]] = place
        told[each] += 1
    return keys


def _sharing(runs: Sequence[KnownRun]) -> list[list[KnownRun]]:
    """Runs that have examples in common, with one another or by way of others."""
    found: list[list[KnownRun]] = []
    for run in runs:
        near = [each for each in found if any(_share(run, other) for other in each)]
        found = [each for each in found if each not in near] + [[*(run for each in near for run in each), run]]
    places = {run.name: place for place, run in enumerate(runs)}
    return [sorted(each, key=lambda run: places[run.name]) for each in found]


def _share(one: KnownRun, other: KnownRun) -> bool:
    return comparable(one, other) and _common_rows([one, other]) is not None


def _of_tests(known: Sequence[KnownRun], able: Sequence[KnownRun]) -> list[str]:
    """What is to be minded of runs: other questions, other examples, examples that another one learnt from."""
    warnings = [
        f"{run.name}: its examples are of groups, and which was not kept: it is not told apart from others"
        for run in able
        if run.groups_unknown and len(able) > 1
    ]
    alike: dict[str, list[KnownRun]] = {}
    for run in known:
        told = (run.task, run.tested, sorted(run.learnt), run.test_set.get("digest"), run in able)
        alike.setdefault(repr(told), []).append(run)
    for one, other in combinations(alike.values(), 2):
        warnings += _of_two(one[0], other[0], _joined(one), _joined(other))
    return warnings


def _joined(runs: Sequence[KnownRun]) -> str:
    return shorten([run.name for run in runs])


def _of_two(one: KnownRun, other: KnownRun, name: str, its_name: str) -> list[str]:
    """The same of two runs, or of those that are like them in this."""
    names = f"{name} and {its_name}"
    if one.task != other.task:
        return [f"{names} answer other questions: they are not compared"]
    warnings = _of_leaks(one, other, name, its_name) + _of_leaks(other, one, its_name, name)
    if one.own is None or other.own is None:
        if set(one.tested) != set(other.tested):
            warnings.append(f"{names} were tested on other examples: their scores are of other questions")
        return warnings
    rows = _common_rows([one, other]) if comparable(one, other) else None
    if rows is None:
        return [*warnings, f"{names} have no test example in common: they are not compared"]
    shared = len(rows[one.name])
    if not shared == len(one.tested) == len(other.tested):
        told = f"{len(one.tested)} and {len(other.tested)} test examples, {shared} of them in common"
        warnings.append(f"{names} have {told}: they are compared on these, their scores are of all")
    if _by_names(one, other):
        warnings.append(f"{names} have test sets of other digests: examples are taken for the same by their names")
    return warnings


def _by_names(one: KnownRun, other: KnownRun) -> bool:
    digests = all(each.answers and each.answers.digests for each in (one, other))
    return not digests and one.test_set.get("digest") != other.test_set.get("digest")


def _of_leaks(tested: KnownRun, learnt: KnownRun, name: str, its_name: str) -> list[str]:
    """Examples that one run, called `name`, is tested on and another one has learnt from."""
    known = frozenset(learnt.asked.get("learnt") or ())
    if tested.answers is not None and tested.answers.digests:
        count = sum(each in known for each in tested.answers.digests)
    elif comparable(tested, learnt):
        count = len(learnt.learnt & set(tested.tested))
    else:
        return []
    if not count:
        return []
    return [f"{its_name} learnt from {count} of the {len(tested.tested)} examples that {name} is tested on"]


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
