"""What a finished run answers: predictions for single inputs, and an evaluation of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from transfer.errors import Problem
from transfer.html_tables import as_html
from transfer.labellings import Kind, Labelling
from transfer.output_scores import MEASURED, MEASURED_NUMBERS, WayScores
from transfer.scores import ANSWERED, BY_CLASS, NUMBERS, Score
from transfer.specs import Json
from transfer.tabulating import Part, Table, format_parts, spaced


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a finished run answers other examples; printed, it is two tables.

    Attributes:
        score: on the examples that the run did not learn from; of several outputs how often everything is right that
            is known of an example, and None where only numbers are.
        seen: number of examples left out because the run learnt from them.
        per_class: for each class that occurs, right answers and examples.
        left_out: files that could not be used, and why.
        outputs: of several outputs the measures of each; None of one.
    """

    score: Score | None
    seen: int
    per_class: tuple[tuple[str, int, int], ...]
    left_out: tuple[Problem, ...] = ()
    outputs: WayScores | None = None

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The lines and tables in print."""
        if self.outputs is None:
            return (*self.opening, *self.tables)
        return (*(part for line in self.opening for part in (line, "")), *spaced(self.tables))

    @property
    def opening(self) -> tuple[str, ...]:
        """What stands above the scores in print."""
        return (f"{self.seen} examples left out: the run learnt from them",) if self.seen else ()

    @property
    def tables(self) -> tuple[Table, ...]:
        """Columns, rows and the columns of numbers of each table in print."""
        whole = [self.score.cells] if self.score else []
        if self.outputs is None:
            return (ANSWERED, whole, NUMBERS), (BY_CLASS, self.class_cells, NUMBERS)
        measured = [row for each in self.outputs.outputs for row in each.rows]
        by_class = ((each.class_columns, each.class_rows, each.class_columns[1:]) for each in self.outputs.outputs)
        exact = (((ANSWERED[0], "all right", *ANSWERED[2:]), whole, ("all right", "right")),) if whole else ()
        return (*exact, (MEASURED, measured, MEASURED_NUMBERS), *(each for each in by_class if each[1]))

    @property
    def class_cells(self) -> list[tuple[str, str, str]]:
        """Rows under `BY_CLASS`."""
        return [(name, f"{right / count:.3f}", f"{right}/{count}") for name, right, count in self.per_class]

    def to_json(self) -> Json:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class OutputAnswer:
    """A network's answer for one output of one input.

    Attributes:
        output: its name.
        kind: `softmax`, `sigmoid` or `regression`.
        labels: the most probable class; of sigmoid all labels that are answered with yes; of numbers none. None where
            the answer to the parent denies the output.
        values: (k,), probabilities in the order of the classes; of a regression its numbers.
    """

    output: str
    kind: Kind
    labels: tuple[str, ...] | None
    values: tuple[float, ...] = field(repr=False)

    def describe(self, classes: Sequence[str]) -> str:
        """In a cell of a table: `loud 0.91, old 0.72`; where nothing is answered with yes, `none (loud 0.31)`."""
        if self.labels is None:
            return "-"
        known = dict(zip(classes, self.values, strict=True))
        if self.kind == "regression":
            several = len(known) > 1
            return ", ".join(f"{name} {value:.4g}" if several else f"{value:.4g}" for name, value in known.items())
        if not self.labels and known:
            most = max(known, key=lambda name: known[name])
            return f"none ({most} {known[most]:.3f})"
        return ", ".join(f"{name} {known[name]:.3f}" for name in self.labels)

    def to_json(self, classes: Sequence[str]) -> Json:
        """As plain values."""
        known = dict(zip(classes, self.values, strict=True))
        if self.kind == "regression":
            return {"numbers": None if self.labels is None else known}
        if self.kind == "sigmoid":
            return {"labels": None if self.labels is None else list(self.labels), "probabilities": known}
        label = self.labels[0] if self.labels else None
        return {"label": label, "probability": known[label] if label is not None else None, "probabilities": known}


@dataclass(frozen=True, slots=True)
class Prediction:
    """A network's answers for one input.

    Attributes:
        name: the input's name.
        outputs: in the order of the run's outputs.
    """

    name: str
    outputs: tuple[OutputAnswer, ...]

    def __getitem__(self, output: str) -> OutputAnswer:
        return next(each for each in self.outputs if each.output == output)

    @property
    def label(self) -> str:
        """The most probable class, of a run with one output of classes."""
        (answer,) = self.outputs
        return answer.labels[0] if answer.labels else ""

    @property
    def probabilities(self) -> tuple[float, ...]:
        """(k,), in the order of the run's classes, likewise."""
        (answer,) = self.outputs
        return answer.values

    @property
    def probability(self) -> float:
        """What the network gives `label`."""
        return max(self.probabilities)

    def to_json(self, labelling: Labelling) -> Json:
        """As plain values; of several outputs by their names."""
        found = {
            each.output: each.to_json(output.classes) for each, output in zip(self.outputs, labelling, strict=True)
        }
        if labelling.is_single:
            return {"name": self.name, **next(iter(found.values()))}
        return {"name": self.name, "outputs": found}
