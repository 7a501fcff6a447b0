"""What the answers of an output are worth: measures with their bounds, and how a table of them looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from transfer.specs import Json
from transfer.tabulating import format_table

MEASURED = ("output", "measure", "value", "95 % interval", "examples")
MEASURED_NUMBERS = ("value", "examples")
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that says how good answers are.

    Attributes:
        name: `accuracy`, `macro F1`, …
        value: of all examples.
        low: lower bound of its 95 % interval; None where there are too few examples to tell.
        high: upper bound, likewise.
        examples: over how many it was taken; of labels that are counted each for itself, how many of these.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    examples: int

    def __str__(self) -> str:
        bounds = "" if self.low is None or self.high is None else f" [{_show(self.low)}, {_show(self.high)}]"
        return f"{self.name} {_show(self.value)}{bounds}"

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """A row under `MEASURED`, without the output's name."""
        bounds = _NONE if self.low is None or self.high is None else f"{_show(self.low)} to {_show(self.high)}"
        return self.name, _show(self.value), bounds, f"{self.examples}"


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How well one class, label or number of an output is answered.

    Attributes:
        name: of the class.
        wanted: examples that have it; of a number, of which it is known.
        examples: of which it is known whether they have it.
        measures: of this class alone; what is not defined is not among them, as precision where it was never answered.
    """

    name: str
    wanted: int
    examples: int
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class OutputScore:
    """How well an output is answered; printed, it is two tables.

    Attributes:
        name: of the output; of classes and finer ones together, all their names.
        kind: `softmax`, `sigmoid`, `regression`; `hierarchy` for classes and finer ones together.
        examples: of which anything is known. The others count for nothing.
        measures: the foremost first; what is not defined on these examples is not among them.
        per_class: the same for each class, label or number.
        notes: what a reader should know, as that a label has no example in the test.
    """

    name: str
    kind: str
    examples: int
    measures: tuple[Measure, ...]
    per_class: tuple[ClassScore, ...] = ()
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Measure:
        return next(each for each in self.measures if each.name == name)

    def __str__(self) -> str:
        tables = [format_table(MEASURED, self.rows, numbers=MEASURED_NUMBERS)] if self.measures else []
        if self.per_class:
            tables.append(format_table(self.class_columns, self.class_rows, numbers=self.class_columns[1:]))
        return "\n".join([*tables, *(f"note: {self.name}: {each}" for each in self.notes)])

    __repr__ = __str__

    @property
    def foremost(self) -> Measure | None:
        """The one that stands for all: of coarse and fine classes together F1, which weighs the others."""
        return self.measures[-1 if self.kind == "hierarchy" else 0] if self.measures else None

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Under `MEASURED`, one for each measure."""
        return [(self.name, *each.cells) for each in self.measures]

    @property
    def class_columns(self) -> tuple[str, ...]:
        """Above `class_rows`: the name, every measure that some class has, and the examples that have it."""
        names = dict.fromkeys(measure.name for each in self.per_class for measure in each.measures)
        return (f"{_FIRST.get(self.kind, 'class')} of {self.name}", *names, "examples")

    @property
    def class_rows(self) -> list[tuple[str, ...]]:
        """One for each class."""
        names = self.class_columns[1:-1]
        return [(each.name, *_values(each.measures, names), f"{each.wanted}") for each in self.per_class]

    def to_json(self) -> Json:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Json) -> OutputScore:
        """The inverse of `to_json`."""
        classes = (ClassScore(**{**each, "measures": _read_measures(each["measures"])}) for each in values["per_class"])
        return cls(
            **{
                **values,
                "measures": _read_measures(values["measures"]),
                "per_class": tuple(classes),
                "notes": tuple(values["notes"]),
            }
        )


_FIRST = {"sigmoid": "label", "regression": "number"}


def _read_measures(values: Json) -> tuple[Measure, ...]:
    return tuple(Measure(**each) for each in values)


def _values(measures: Sequence[Measure], names: Sequence[str]) -> list[str]:
    found = {each.name: _show(each.value) for each in measures}
    return [found.get(name, _NONE) for name in names]


def _show(value: float) -> str:
    """Three places after the point; four digits of numbers for which these are too few or too many."""
    return f"{value:.3f}" if value == 0 or 0.001 <= abs(value) < 1000 else f"{value:.4g}"


@dataclass(frozen=True, slots=True)
class WayScores:
    """How well one way of answering does on each output.

    Attributes:
        name: `probe`, `tuned`, or the baseline's name.
        outputs: in the order of the labelling; behind them coarse and fine ones together.
    """

    name: str
    outputs: tuple[OutputScore, ...]

    @classmethod
    def from_json(cls, values: Json) -> WayScores:
        """The inverse of `dataclasses.asdict`."""
        return cls(values["name"], tuple(map(OutputScore.from_json, values["outputs"])))


def foremost(ways: Sequence[WayScores], whose: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A table of the foremost measure of each output, by each way of answering: its columns and rows.

    Args:
        ways: of the same outputs.
        whose: what the column of their names is called.
    """
    rows: list[tuple[str, ...]] = [
        (way.outputs[place].name, way.name, *measure.cells)
        for place in range(len(ways[0].outputs) if ways else 0)
        for way in ways
        if (measure := way.outputs[place].foremost) is not None
    ]
    return ("output", whose, *MEASURED[1:]), rows
