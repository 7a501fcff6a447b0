"""A run held against its benchmark: paired on the examples that both answered, each output by its own score."""

from __future__ import annotations

from collections.abc import Iterator

from transfer.benchmarks import Benchmark, OutputMargin
from transfer.evidence.intervals import wilson, wilson_of_groups
from transfer.evidence.known_runs import Answer, KnownRun
from transfer.evidence.run_pairs import common_rows, comparable, differ_on_common, groups_on_common
from transfer.scores import Score

_OTHER_LABELS = "its examples or labels were others as a whole: its answers were held against the labels that it had"


def hold_against(own: KnownRun, other: KnownRun) -> Benchmark:
    """Say how far a run stands from its benchmark.

    What both were tested on neither has learnt from: a run leaves out of its test whatever has the same content as what
    it learnt from.

    Args:
        own: the run; its name is what is held against the benchmark.
        other: the benchmark, with the same outputs.
    """
    outputs = tuple(_margins(own, other)) if tests_alike(own, other) else ()
    found = Benchmark(other.name, own.name, outputs=outputs, note=_note(own, other))
    difference = differ_on_common(own, other, [own, other])
    rows = common_rows([own, other]) if comparable(own, other) else None
    if difference is None or rows is None or own.own is None or other.own is None:
        if own.own is None or not len(own.own):
            return found
        return Benchmark(
            other.name, own.name, note="no example that this run was tested on is one of its test examples"
        )
    groups = groups_on_common(own, other, [own, other])

    def score(run: KnownRun, answers: Answer) -> Score:
        right = answers[rows[run.name]]
        count, correct = len(right), int(right.sum())
        bounds = wilson(correct, count) if groups is None else wilson_of_groups(right, groups)
        return Score(run.name, correct, count, bounds)

    return Benchmark(
        other.name,
        own.name,
        score(other, other.own),
        score(own, own.own),
        difference.value,
        difference.low,
        difference.high,
        difference.p_value,
        difference.told_apart,
        outputs,
        bool(own.outputs),
        found.note,
    )


def tests_alike(own: KnownRun, other: KnownRun) -> bool:
    """Whether both were tested on the same examples of one set."""
    first, second = ((each.asked.get("split") or {}).get("test") for each in (own, other))
    return first == second and own.test_set.get("digest") == other.test_set.get("digest")


def _margins(own: KnownRun, other: KnownRun) -> Iterator[OutputMargin]:
    there = {each.name: each for each in other.outputs}
    for output in own.outputs:
        measure = output.foremost
        if measure is None or output.name not in there:
            continue
        alike = next((each for each in there[output.name].measures if each.name == measure.name), None)
        if alike is not None:
            sign = -1 if output.kind == "regression" else 1
            yield OutputMargin(output.name, measure, alike, sign * (measure.value - alike.value) + 0.0)


def _note(own: KnownRun, other: KnownRun) -> str:
    """What to mind of a run on another version of the data, or of other test examples."""
    is_same = own.test_set.get("digest") == other.test_set.get("digest")
    notes = [] if is_same or own.own is None else [_OTHER_LABELS]
    if own.outputs and not tests_alike(own, other):
        what = "of numbers there is no margin" if own.own is None else "single outputs have no margin"
        notes.append(f"the two were not all tested on the same examples: {what}")
    return "; ".join(notes)
