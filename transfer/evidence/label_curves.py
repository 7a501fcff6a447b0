"""Accuracy against the number of labels: whether pretraining paid, and how many labels it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from transfer.errors import Problem
from transfer.evidence.corrected_comparison import FoldDifference
from transfer.evidence.curve_points import COLUMNS, NUMBERS, CurvePoint, CurvePoints, adjusted
from transfer.evidence.enough_labels import LEAST_DIVISIONS, TOO_FEW_DIVISIONS, EnoughLabels, enough_labels
from transfer.html_tables import as_html
from transfer.specs import Json
from transfer.tabulating import Part, Table, counted, format_parts


@dataclass(frozen=True, slots=True)
class LabelCurve(CurvePoints):
    """Accuracy against labels of several ways of learning; printed, it is a table and what it comes to.

    Attributes:
        source, points: as all curves have them.
        without: the ways that know nothing from before.
        reference: the best of these at the most shots, against which the others are held.
        left_out: numbers of shots that could not be tried, and why.
        notes: what else there is to know.
        warnings: what makes the numbers doubtful.
    """

    without: tuple[str, ...]
    reference: str
    left_out: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def table(self) -> Table:
        """Columns, rows and the columns of numbers."""
        return COLUMNS, [each.cells for each in self.points], NUMBERS

    @property
    def paid(self) -> tuple[tuple[str, int, FoldDifference], ...]:
        """How far each way that knows something lies above the reference, by shots; p-values adjusted for many."""
        base = {each.shots: each for each in self.of(self.reference)}
        told = [
            (way, each.shots, each.less(base[each.shots]))
            for way in self.ways
            if way not in self.without
            for each in self.of(way)
        ]
        return adjusted(told)

    @property
    def worth(self) -> tuple[str, ...]:
        """With how many labels the reference is as good, in a sentence for each point that is told apart from it."""
        told = {(way, shots) for way, shots, found in self.paid if found.told_apart}
        points = (each for way in self.ways for each in self.of(way) if (way, each.shots) in told)
        return worth(tuple(points), self.of(self.reference))

    @property
    def enough(self) -> tuple[EnoughLabels, ...]:
        """From how many labels on more bring little, or which are too few, for each way that knows something."""
        ways = [self.of(way) for way in self.ways if way not in self.without]
        return enough_labels([each for each in ways if len(each) > 1])

    @property
    def closing(self) -> tuple[str, ...]:
        """Whether it paid, at each number of shots, how many labels it is worth, and how many are enough."""
        paid = (
            f"paid      {counted(shots, 'shot')}: {found.describe(way, self.reference)}"
            for way, shots, found in self.paid
        )
        left_out = (f"left out  {each.where}: {each.found}" for each in self.left_out)
        remarks = (*(f"note      {each}" for each in self.notes), *(f"warning   {each}" for each in self.warnings))
        return (*paid, *(f"worth     {each}" for each in self.worth), *self._enough_lines, *left_out, *remarks)

    @property
    def _enough_lines(self) -> tuple[str, ...]:
        if self.enough and self.enough[0].gain.folds < LEAST_DIVISIONS:
            return (f"enough    {TOO_FEW_DIVISIONS}",)
        return tuple(f"enough    {each}" for each in self.enough)

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The table and the lines in print."""
        return (self.table, *self.closing)

    def to_json(self) -> Json:
        """As plain values."""
        left_out = [asdict(each) for each in self.left_out]
        paid = [{"way": way, "shots": shots, **asdict(found)} for way, shots, found in self.paid]
        return {
            "schema": 1,
            "source": self.source,
            "without": list(self.without),
            "reference": self.reference,
            "points": self.described,
            "paid": paid,
            "worth": list(self.worth),
            "enough": [{**asdict(each), "is_sure": each.is_sure} for each in self.enough],
            "left_out": left_out,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }


def worth(points: Sequence[CurvePoint], reference: Sequence[CurvePoint]) -> tuple[str, ...]:
    """How many shots the reference needs for the same accuracy, in a sentence for each point.

    Of the points of a way that it reaches with none of its shots the first stands for all. Between its points the
    reference is taken as straight over the logarithm of shots; past them nothing is said but that it needs more. Where
    it is as good at its first point, it is said to need no more than that.

    Args:
        points: of a way, by shots.
        reference: of another, likewise.
    """
    highest = max(each.mean for each in reference)
    beyond: dict[str, CurvePoint] = {}
    told = [each for each in points if each.mean <= highest or beyond.setdefault(each.way, each) is each]
    return tuple(_worth(each, reference) for each in told)


def _worth(point: CurvePoint, reference: Sequence[CurvePoint]) -> str:
    heights = np.maximum.accumulate([each.mean for each in reference])
    shots = np.array([each.shots for each in reference], float)
    name = reference[0].way
    told = f"{point.way} of {counted(point.shots, 'shot')} ({point.mean:.3f}) is reached by {name}"
    if point.mean > heights[-1]:
        return f"{told} with none of the numbers tried (at the most {shots[-1]:.0f}: {heights[-1]:.3f})"
    if point.mean <= heights[0]:
        return f"{told} with {shots[0]:.0f} or fewer"
    place = int(np.searchsorted(heights, point.mean))
    share = (point.mean - heights[place - 1]) / (heights[place] - heights[place - 1])
    found = np.exp(np.log(shots[place - 1]) + share * np.log(shots[place] / shots[place - 1]))
    return f"{told} with about {found:.0f}"


def best_of(points: Sequence[CurvePoint], names: Sequence[str]) -> str:
    """The best of some ways at the most shots; of equals the first.

    Args:
        points: of all ways.
        names: of those that may be chosen.
    """
    means: Mapping[str, tuple[int, float]] = {
        name: max((each.shots, each.mean) for each in points if each.way == name) for name in names
    }
    return max(names, key=lambda name: means[name])
