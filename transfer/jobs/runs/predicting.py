"""Asking a finished run about unlabelled inputs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.answers import OutputAnswer, Prediction
from transfer.data.forms import ExamplesData, as_examples
from transfer.errors import DataError, Problem
from transfer.html_tables import as_html
from transfer.jobs.runs.asking_runs import Asked, ask
from transfer.jobs.runs.running import load_run
from transfer.labellings import Labelling, Output
from transfer.results import Run
from transfer.specs import Json, Progress, silent
from transfer.tabulating import Table, format_parts
from transfer.training.decoding import DENIED


@dataclass(frozen=True, slots=True)
class Predictions:
    """Answers for some inputs.

    Attributes:
        labelling: of the run.
        answers: in the order of the inputs.
        left_out: inputs that could not be read, and why.
    """

    labelling: Labelling
    answers: tuple[Prediction, ...]
    left_out: tuple[Problem, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of the probabilities; empty of several outputs."""
        return self.labelling.outputs[0].classes if self.labelling.is_single else ()

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.answers)

    def __len__(self) -> int:
        return len(self.answers)

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> tuple[Table, ...]:
        """The table in print."""
        return ((self.columns, self.rows, ("probability",)),)

    @property
    def columns(self) -> tuple[str, ...]:
        """Above `rows`."""
        if self.labelling.is_single:
            return ("input", "class", "probability")
        return ("input", *self.labelling.names)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """A row for each input."""
        if self.labelling.is_single:
            return [(each.name, each.label, f"{each.probability:.3f}") for each in self.answers]
        outputs = self.labelling.outputs
        return [
            (
                each.name,
                *(answer.describe(output.classes) for answer, output in zip(each.outputs, outputs, strict=True)),
            )
            for each in self.answers
        ]

    def to_json(self) -> Json:
        """As plain values, with a probability for each class."""
        return {
            "answers": [each.to_json(self.labelling) for each in self.answers],
            "left_out": [asdict(problem) for problem in self.left_out],
        }


def predict(
    run: Run | str | os.PathLike[str],
    inputs: ExamplesData,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    strict: bool = False,
    progress: Progress = silent,
) -> Predictions:
    """Give each input its classes and probabilities.

    Args:
        run: a run, or its folder.
        inputs: paths of pictures, folders of pictures, one table of them (CSV, TSV, Parquet), or one `.npz` with an
            array `x`, or `x_left`, … for inputs of these names; or a set, an array (n, …), arrays by the names of the
            inputs, a table of pandas with numbers alone, or a `tf.data.Dataset`, with labels or without.
        custom_objects: classes of the caller's that the run holds, by name.
        strict: whether an input that cannot be read is an error.
        progress: told of what is going on.

    Raises:
        DataError: if no input can be read, or one cannot under `strict`.
    """
    examples = as_examples(inputs)
    loaded = run if isinstance(run, Run) else load_run(run, custom_objects=custom_objects)
    asked = ask(loaded, examples, progress)
    problems: tuple[Problem, ...] = getattr(examples, "problems", ())
    left_out = (*problems, *(problem for _, problem in asked.failures))
    bad = {place for place, _ in asked.failures}
    if left_out and (strict or len(bad) == len(examples)):
        raise DataError(
            f"{len(left_out)} of {len(examples) + len(problems)} inputs cannot be read.",
            left_out,
            next_step="remove them, or leave out --strict (strict=False)"
            if strict and len(bad) < len(examples)
            else "give pictures (PNG, JPEG, …), folders of pictures, a table of them, or one .npz with an array x",
        )
    answers = tuple(
        Prediction(name, _answers(asked, place)) for place, name in enumerate(examples.names) if place not in bad
    )
    return Predictions(asked.labelling, answers, left_out)


def _answers(asked: Asked, place: int) -> tuple[OutputAnswer, ...]:
    """Of each output, for one input."""
    return tuple(
        OutputAnswer(output.name, output.kind, _names(output, values[place]), tuple(map(float, shares[place])))
        for output, values, shares in zip(asked.labelling, asked.answers, asked.probabilities, strict=True)
    )


def _names(output: Output, answer: NDArray[Any]) -> tuple[str, ...] | None:
    """The classes of an answer; None where the parent denies it."""
    if output.kind == "softmax":
        return None if answer == DENIED else (output.classes[int(answer)],)
    if output.kind == "regression":
        return None if np.isnan(answer).all() else ()
    return (
        None
        if (answer == DENIED).all()
        else tuple(n for n, yes in zip(output.classes, answer, strict=True) if yes == 1)
    )
