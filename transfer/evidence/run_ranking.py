"""Ranking the runs of one task, with ties, beside published results.

Pairs are tested on the same examples (McNemar, exact; Fisher's test where a run kept no answers; of numbers alone by
their intervals) and adjusted for being many (Holm). A published result is told apart where Fisher's test and the run's
own interval, which groups of examples widen, both say so; one without a number of examples is taken for exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import sqrt
from statistics import NormalDist

from transfer.benchmarks import Benchmark
from transfer.evidence.intervals import LEVEL, wilson
from transfer.evidence.known_runs import KnownRun, foremost_of
from transfer.evidence.leaderboards import Board, Margin, Published, Standing
from transfer.evidence.run_pairs import differ
from transfer.evidence.share_differences import differ_by_bounds, differ_on_others
from transfer.evidence.tiers import order_by_pairs
from transfer.scores import Interval

_WIDTH = 2 * NormalDist().inv_cdf(0.975)  # of a 95 % interval, in standard errors


@dataclass(frozen=True, slots=True)
class _Measured:
    """The number by which a run is ranked; `sign` is -1 where less is better."""

    value: float
    low: float | None
    high: float | None
    examples: int
    measure: str
    sign: int = 1


def rank_runs(task: str, id: str, runs: Sequence[KnownRun], published: Sequence[Published] = ()) -> Board:
    """The runs of one task, ranked.

    Args:
        task: its name.
        id: digits of it.
        runs: at least one; all of this task, in any order.
        published: of this task.
    """
    measured = {run.name: found for run in runs if (found := _measured(run))}
    known = {run.name: run for run in runs if run.name in measured}
    first = next(iter(measured.values()))
    p_values = {
        (one, other): _p_value(known[one], known[other], runs, measured) for one, other in combinations(known, 2)
    }
    order = order_by_pairs({name: first.sign * each.value for name, each in measured.items()}, p_values)
    ranks = {name: 1 + sum(map(len, order.tiers[:place])) for place, tier in enumerate(order.tiers) for name in tier}
    adjusted = {frozenset(pair): each for pair, each in order.p_values.items()}
    told = {pair for pair, each in adjusted.items() if each < LEVEL}
    rows = [_of_run(known[name], each, ranks[name]) for name, each in measured.items()]
    rows += [_of_published(each, first) for each in published]
    rows = [_marked(row, rows, told, first.sign) for row in rows]
    rows.sort(key=lambda row: (-first.sign * row.value, row.kind, row.name, row.source))
    return Board(task, id, first.measure, _about(runs[0], first), tuple(rows), str(order))


def is_ranked(run: KnownRun) -> bool:
    """Whether there is a number to rank a run by."""
    return _measured(run) is not None


def _measured(run: KnownRun) -> _Measured | None:
    if run.score is not None:
        share, name = run.score.accuracy, "all right" if run.outputs else "accuracy"
        return _Measured(share.value, share.low, share.high, run.score.examples, name)
    for output, each in foremost_of(run.outputs):
        sign = -1 if output.kind == "regression" else 1
        return _Measured(each.value, each.low, each.high, each.examples, f"{each.name} of {output.name}", sign)
    return None


def _p_value(one: KnownRun, other: KnownRun, runs: Sequence[KnownRun], measured: Mapping[str, _Measured]) -> float:
    if one.groups_unknown or other.groups_unknown:
        return 1.0
    found = differ(one, other, runs)
    if found is not None:
        has_groups = any(run.answers and run.answers.groups for run in runs)
        return 1.0 if has_groups and not found.examples else found.p_value
    first, second = measured[one.name], measured[other.name]
    errors = [_error(each) for each in (first, second)]
    if None in errors or first.value == second.value:
        return 1.0
    error = sqrt(sum(each**2 for each in errors if each is not None))
    return 2 * (1 - NormalDist().cdf(abs(first.value - second.value) / error)) if error else 1.0


def _error(found: _Measured) -> float | None:
    """Standard error as its interval tells it."""
    return None if found.low is None or found.high is None else (found.high - found.low) / _WIDTH


def _of_run(run: KnownRun, found: _Measured, rank: int) -> Standing:
    numbers = (found.value, found.low, found.high, found.examples)
    margins = _over_baseline(run, found), _over_benchmark(run, found)
    return Standing(rank, run.name, "run", *numbers, False, *margins, run.cost, run.folder)


def _of_published(row: Published, like: _Measured) -> Standing:
    low = high = None
    if row.examples and _is_share(like):
        bounds = wilson(round(row.score * row.examples), row.examples)
        low, high = bounds.low, bounds.high
    numbers = (row.score, low, high, row.examples)
    return Standing(None, row.name, "published", *numbers, False, None, None, None, row.source)


def _is_share(found: _Measured) -> bool:
    return found.measure in ("accuracy", "all right")


def _over_baseline(run: KnownRun, found: _Measured) -> Margin | None:
    if run.score is not None:
        best = max(run.baselines, key=lambda each: each.correct, default=None)
        difference = run.over(best) if best is not None else None
        if best is None or difference is None:
            return None
        return Margin(best.name, difference.value, difference.low, difference.high)
    foremost = (next(iter(foremost_of(each)), None) for each in run.baseline_outputs)
    values = [each[1].value for each in foremost if each is not None]
    if not values:
        return None
    return Margin("best baseline", min(found.sign * (found.value - each) for each in values) + 0.0)


def _over_benchmark(run: KnownRun, found: _Measured) -> Margin | None:
    """As the run itself was held against it; else over a number, or a result with a name and a number of examples."""
    if run.benchmark is not None:
        return _held(run.benchmark)
    told = run.asked.get("benchmark")
    values = told if isinstance(told, dict) else {"score": told}
    score = next((values[each] for each in ("score", "accuracy", "value") if each in values), None)
    if isinstance(score, bool) or not isinstance(score, int | float):
        return None
    name, count = str(values.get("name") or "benchmark"), values.get("examples", values.get("n"))
    value = found.sign * (found.value - score) + 0.0
    if isinstance(count, int) and count > 0 and run.score is not None and 0 <= score <= 1:
        other = differ_by_bounds(run.score.accuracy, wilson(round(score * count), count))
        return Margin(name, value, other.low, other.high)
    if found.low is None or found.high is None:
        return Margin(name, value)
    low, high = sorted(found.sign * (each - score) for each in (found.low, found.high))
    return Margin(name, value, low, high)


def _held(found: Benchmark) -> Margin | None:
    if found.value is not None:
        examples = found.score.examples if found.score is not None else None
        return Margin(found.name, found.value, found.low, found.high, examples, found.note)
    return Margin(found.name, found.outputs[0].value, note=found.note) if found.outputs else None


def _marked(row: Standing, rows: Sequence[Standing], told: set[frozenset[str]], sign: int) -> Standing:
    """The same row, saying whether nothing is told to be better."""
    better = (each for each in rows if sign * each.value > sign * row.value)
    is_best = not any(_told_apart(row, each, told) for each in better)
    return replace(row, is_best=is_best)


def _told_apart(row: Standing, better: Standing, told: set[frozenset[str]]) -> bool:
    if row.kind == better.kind == "run":
        return frozenset((row.name, better.name)) in told
    if row.kind == better.kind and row.low is None and better.low is None:
        return True  # two numbers that nothing more is known of
    bounded = [(one, other) for one, other in ((row, better), (better, row)) if one.low is not None]
    outside = [not (one.low or 0.0) <= other.value <= (one.high or 0.0) for one, other in bounded]
    if not outside or not all(outside) or row.low is None or better.low is None:
        return bool(outside) and all(outside)
    counts = [(round(each.value * each.examples), each.examples) for each in (row, better) if each.examples]
    bounds = [Interval(each.value, each.low or 0.0, each.high or 0.0, 0.95) for each in (row, better)]
    tests = (differ_on_others(*counts), differ_by_bounds(*bounds)) if len(counts) == 2 else ()
    return bool(tests) and all(each.p_value < LEVEL for each in tests)  # bounds of groups are wider than the counts'


def _about(run: KnownRun, found: _Measured) -> str:
    data = run.asked.get("data") or {}
    outputs = (data.get("labelling") or {}).get("outputs") or []
    several = f"{len(outputs)} output{'s' * (len(outputs) > 1)}"
    asked = several if outputs else f"{len(data.get('classes') or ())} classes"
    return f"{asked}, {found.examples} test examples, {found.measure}"
