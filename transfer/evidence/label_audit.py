"""What an audit of a labelled set found; printed, it is a table of the labels most in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from transfer.errors import Problem
from transfer.html_tables import as_html
from transfer.output_scores import Measure
from transfer.specs import Json
from transfer.tabulating import Part, format_parts

TOP = 20  # rows of a table
_NUMBERS = ("probability", "score")


@dataclass(frozen=True, slots=True)
class DoubtedLabel:
    """One label beside what the probe says.

    Attributes:
        name: of the example.
        question: what is asked of it; empty where a set has one output of classes.
        label: that is given.
        suggested: the most probable other answer.
        probability: that the probe gives it.
        score: how probable the given label is beside that, 0 to 1; low is doubtful.
        is_suspect: whether the label is likely wrong.
    """

    name: str
    question: str
    label: str
    suggested: str
    probability: float
    score: float
    is_suspect: bool

    @property
    def cells(self) -> tuple[str, ...]:
        """A row of a table, the question first."""
        return self.question, self.name, self.label, self.suggested, f"{self.probability:.3f}", f"{self.score:.2g}"


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two examples that are almost the same.

    Attributes:
        names: of both; one of a set to test on begins with `test/`.
        labels: of both, as words.
        distance: in feature space, 0 to 2.
        differ: whether their labels do, where both are known.
        is_across: whether one is learnt from and the other is to be tested on.
    """

    names: tuple[str, str]
    labels: tuple[str, str]
    distance: float
    differ: bool
    is_across: bool

    @property
    def cells(self) -> tuple[str, ...]:
        """A row of a table."""
        marks = (("other labels", self.differ), ("across sets", self.is_across))
        one, other = (f"{name} ({label})" for name, label in zip(self.names, self.labels, strict=True))
        return one, other, f"{self.distance:.3f}", ", ".join(mark for mark, holds in marks if holds)


@dataclass(frozen=True, slots=True, repr=False)
class LabelAudit:
    """What is doubtful about the labels of a set.

    Attributes:
        data: where the examples come from.
        labels: all that were held against the probe, the most doubtful first.
        others: of one output of classes, name and label of each example that was not.
        shares: of wrong labels, an estimate for each question.
        accuracies: how often the probe says what is given, for each question.
        weak: questions of which the probe knows too little for its share to mean anything.
        near: pairs of examples that are almost the same, the nearest first.
        left_out: examples that could not be used, and why.
        notes: what a reader should know.
    """

    data: str
    labels: tuple[DoubtedLabel, ...]
    others: tuple[tuple[str, str], ...]
    shares: dict[str, Measure]
    accuracies: dict[str, float]
    weak: tuple[str, ...] = ()
    near: tuple[NearPair, ...] = ()
    left_out: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def suspects(self) -> tuple[DoubtedLabel, ...]:
        """Labels that are likely wrong, the most doubtful first."""
        return tuple(each for each in self.labels if each.is_suspect)

    def __str__(self) -> str:
        return self.describe()

    __repr__ = __str__

    def describe(self, top: int = TOP) -> str:
        """As text.

        Args:
            top: rows of each table; the rest is counted.
        """
        return format_parts(self._parts(top))

    def _repr_html_(self) -> str:
        return as_html(self._parts(TOP))

    def _parts(self, top: int) -> tuple[Part, ...]:
        what = "contradict a weak probe: the first are the likeliest to be wrong" if self.weak else "are likely wrong"
        lines: list[Part] = [f"labels of {self.data}: {len(self.suspects)} of {len(self.labels)} {what}"]
        lines += [self._share(question) for question in self.shares]
        if self.suspects:
            lines += ["", *_table(self.suspects, top, is_single=not any(self.shares))]
        if self.near:
            lines += ["", f"{self._pairs} of examples that are almost the same:", *_near_table(self.near, top)]
        return (*lines, *([""] if self.notes else []), *(f"note: {each}" for each in self.notes))

    @property
    def _pairs(self) -> str:
        across, differ = sum(each.is_across for each in self.near), sum(each.differ for each in self.near)
        told = [f"{across} across sets"] * (across > 0) + [f"{differ} with other labels"] * (differ > 0)
        counted = "1 pair" if len(self.near) == 1 else f"{len(self.near)} pairs"
        return f"{counted} ({', '.join(told)})" if told else counted

    def _share(self, question: str) -> str:
        named = f"{question}: " if question else ""
        agrees = f"the probe agrees with {self.accuracies[question]:.1%} of the labels"
        if question in self.weak:
            return f"{named}{agrees}, too few to tell its errors from those of the labels: no share is estimated"
        return f"{named}{self.shares[question]}; {agrees}"

    def to_json(self, top: int | None = None) -> Json:
        """As plain values.

        Args:
            top: so many of the suspects; None for all.
        """
        return {
            "schema": 1,
            "data": self.data,
            "labels": len(self.labels),
            "likely_wrong": len(self.suspects),
            "shares": {name: asdict(each) for name, each in self.shares.items()},
            "probe_accuracy": dict(self.accuracies),
            "weak_probes": list(self.weak),
            "suspects": [asdict(each) for each in self.suspects[:top]],
            "near_duplicates": [asdict(each) for each in self.near],
            "left_out": [asdict(each) for each in self.left_out],
            "notes": list(self.notes),
        }


def _table(suspects: Sequence[DoubtedLabel], top: int, *, is_single: bool) -> list[Part]:
    columns = ("question", "example", "label", "suggested", *_NUMBERS)[is_single:]
    rows = [each.cells[is_single:] for each in suspects[:top]]
    return [(columns, rows, _NUMBERS), *_rest(len(suspects), top)]


def _near_table(pairs: Sequence[NearPair], top: int) -> list[Part]:
    columns = ("example", "almost the same", "distance", "")
    return [(columns, [each.cells for each in pairs[:top]], ()), *_rest(len(pairs), top)]


def _rest(count: int, top: int) -> list[str]:
    return [f"and {count - top} more"] if count > top else []
