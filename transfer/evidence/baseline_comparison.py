"""A network beside what it must beat, all of them over the same repeated folds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np

from transfer.evidence.corrected_comparison import FoldDifference, compare_over_folds
from transfer.evidence.tiers import Ordering, order_over_folds
from transfer.html_tables import as_html
from transfer.scores import Interval
from transfer.specs import Json
from transfer.tabulating import Part, Table, format_parts

COLUMNS = ("way", "accuracy", "95 % interval", "difference", "95 % interval of it", "p")
NUMBERS = ("accuracy", "difference", "p")
_NONE = "-"
_ADJUSTED = (
    "p is adjusted for the number of all pairs (Holm), as order and verdict are; each interval stands for itself"
)


@dataclass(frozen=True, slots=True)
class FoldedWay:
    """One way of answering.

    Attributes:
        name: of the way.
        accuracy: over all repeats, each example answered by what has not learnt from it.
        folds: (J,), on each fold, repeat by repeat.
    """

    name: str
    accuracy: Interval
    folds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """What a network is worth on a set beside simple answers; printed, it is a table and what it comes to.

    Attributes:
        source: of the examples.
        classes: of them.
        examples: how many.
        shots: examples a class that were learnt from in each fold; None for all that are not tested on.
        repeats: how often the examples were dealt into folds.
        train_sizes: (J,), examples that are not tested on in each fold; those of a group count as one.
        test_sizes: (J,), those that are, likewise.
        ways: in the order of their accuracy, of equals by name.
        model: the name of the way that is held against the others.
        notes: what else there is to know.
        warnings: what makes the numbers doubtful.
    """

    source: str
    classes: tuple[str, ...]
    examples: int
    shots: int | None
    repeats: int
    train_sizes: tuple[int, ...]
    test_sizes: tuple[int, ...]
    ways: tuple[FoldedWay, ...]
    model: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def of(self, name: str) -> FoldedWay:
        """One of the ways.

        Raises:
            KeyError: if there is none of that name.
        """
        return {each.name: each for each in self.ways}[name]

    @property
    def differences(self) -> dict[str, FoldDifference]:
        """How far the model lies above each other way, by its name.

        P-values are adjusted for the number of all pairs of ways (Holm), as those of the order are; intervals are not.
        Corrected for what folds share as those of whole pools: of few examples drawn from each even less is shared.
        """
        adjusted = self.ordering.p_values
        told = {pair[pair[0] == self.model]: value for pair, value in adjusted.items() if self.model in pair}
        others = [each for each in self.ways if each.name != self.model]
        return {each.name: replace(self._compared(each), p_value=told[each.name]) for each in others}

    def _compared(self, other: FoldedWay) -> FoldDifference:
        own = np.array(self.of(self.model).folds)
        return compare_over_folds(own, np.array(other.folds), np.array(self.train_sizes), np.array(self.test_sizes))

    @property
    def ordering(self) -> Ordering:
        """All ways, in tiers that the folds tell apart."""
        scores = {each.name: np.array(each.folds) for each in self.ways}
        return order_over_folds(scores, np.array(self.train_sizes), np.array(self.test_sizes))

    @property
    def order(self) -> str:
        """The same in one line, `A ≈ B > C`."""
        return str(self.ordering)

    @property
    def verdict(self) -> str:
        """Whether the model is better than all others, in a sentence."""
        open_ones = [name for name, each in self.differences.items() if not each.told_apart]
        better = [name for name, each in self.differences.items() if each.told_apart and each.mean < 0]
        if better:
            return f"{self.model} is worse than {', '.join(better)}"
        if open_ones:
            return f"{self.model} is not told apart from {', '.join(open_ones)}"
        return f"{self.model} is better than all others"

    @property
    def table(self) -> Table:
        """Columns, rows and the columns of numbers."""
        told = self.differences
        return COLUMNS, [_cells(each, told.get(each.name)) for each in self.ways], NUMBERS

    @property
    def heading(self) -> str:
        """What was done, in a line."""
        folds = len(self.test_sizes) // self.repeats
        learnt = "all others" if self.shots is None else f"{self.shots} of each class"
        return (
            f"{self.source}: {self.examples} examples, {len(self.classes)} classes; {self.repeats} x {folds} folds, "
            f"learnt from {learnt}; difference = {self.model} - way"
        )

    @property
    def closing(self) -> Iterator[str]:
        """What it comes to, line by line."""
        yield f"order     {self.order}"
        yield f"verdict   {self.verdict}"
        if self.differences:
            yield f"          {_ADJUSTED}"
        yield from (f"note      {each}" for each in self.notes)
        yield from (f"warning   {each}" for each in self.warnings)

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The lines and the table in print."""
        return (self.heading, self.table, *self.closing)

    def to_json(self) -> Json:
        """As plain values."""
        differences = {name: asdict(each) for name, each in self.differences.items()}
        return {"schema": 1, **asdict(self), "differences": differences, "order": self.order, "verdict": self.verdict}


def _cells(way: FoldedWay, found: FoldDifference | None) -> tuple[str, ...]:
    own = (way.name, f"{way.accuracy.value:.3f}", f"{way.accuracy.low:.3f} to {way.accuracy.high:.3f}")
    if found is None:
        return *own, _NONE, _NONE, _NONE
    bounds = _NONE if found.low is None or found.high is None else f"{found.low:+.3f} to {found.high:+.3f}"
    return *own, f"{found.mean:+.3f}", bounds, f"{found.p_value:.2g}"
