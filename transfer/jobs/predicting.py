"""Asking a finished run about unlabelled inputs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from transfer.data.inputs import read_inputs
from transfer.errors import DataError, Problem
from transfer.jobs.feeding import feed_of_run, read_features
from transfer.jobs.running import load_run
from transfer.results import Prediction
from transfer.specs import Json, Progress, silent
from transfer.training.features import make_runner

BATCH = 16


@dataclass(frozen=True, slots=True)
class Predictions:
    """Answers for some inputs.

    Attributes:
        classes: of the run, in the order of its outputs.
        answers: in the order of the inputs.
        left_out: inputs that could not be read, and why.
    """

    classes: tuple[str, ...]
    answers: tuple[Prediction, ...]
    left_out: tuple[Problem, ...]

    def to_json(self) -> Json:
        """As plain values, with a probability for each class."""
        answers = [
            {
                "name": each.name,
                "label": each.label,
                "probability": each.probability,
                "probabilities": dict(zip(self.classes, each.probabilities, strict=True)),
            }
            for each in self.answers
        ]
        return {"answers": answers, "left_out": [asdict(problem) for problem in self.left_out]}


def predict(
    run: str | os.PathLike[str],
    inputs: Sequence[str | os.PathLike[str]],
    *,
    custom_objects: Mapping[str, Any] | None = None,
    strict: bool = False,
    progress: Progress = silent,
) -> Predictions:
    """Give each input its class and probability.

    Args:
        run: its folder.
        inputs: pictures, folders of pictures, or one `.npz` with an array `x`.
        custom_objects: classes of the caller's that the run holds, by name.
        strict: whether an input that cannot be read is an error.
        progress: told of what is going on.

    Raises:
        DataError: if no input can be read, or one cannot under `strict`.
    """
    examples = read_inputs(inputs)
    loaded = load_run(run, custom_objects=custom_objects)
    feed = feed_of_run(loaded.model, loaded.asked["input"])
    found = read_features(make_runner(loaded.model, BATCH), feed, examples, BATCH, None, progress)
    left_out = (*examples.problems, *(problem for _, problem in found.failures))
    bad = {place for place, _ in found.failures}
    if left_out and (strict or len(bad) == len(examples)):
        raise DataError(
            f"{len(left_out)} of {len(examples) + len(examples.problems)} inputs cannot be read.",
            left_out,
            next_step="remove them, or leave out --strict (strict=False)"
            if strict and len(bad) < len(examples)
            else "give pictures (PNG, JPEG, …), folders of pictures, or one .npz with an array x",
        )
    classes = loaded.result.classes
    answers = tuple(
        Prediction(name, classes[int(np.argmax(row))], float(row.max()), tuple(map(float, row)))
        for place, (name, row) in enumerate(zip(examples.names, found.values, strict=True))
        if place not in bad
    )
    return Predictions(classes, answers, left_out)
