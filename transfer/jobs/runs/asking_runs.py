"""What the network of a finished run gives for some examples, output by output."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.data.inputs import Examples
from transfer.errors import DataError, Problem
from transfer.jobs.examples.feeding import Feed, feed_of_run
from transfer.jobs.runs.kept_predictions import limits_of
from transfer.labellings import Labelling
from transfer.models.taking_rows import inputs_of, take_rows
from transfer.results import Run
from transfer.specs import Progress
from transfer.training.decoding import decode
from transfer.training.features import Runner, make_runner
from transfer.training.labels import logit_places

BATCH = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """Answers for n examples.

    Attributes:
        labelling: of the outputs.
        probabilities: (n, k) of each; of a regression its numbers.
        answers: as labels; see `decode`.
        failures: (place, what is wrong) of examples that could not be read; what stands there means nothing.
    """

    labelling: Labelling
    probabilities: tuple[NDArray[np.float32], ...] = field(repr=False)
    answers: tuple[NDArray[Any], ...] = field(repr=False)
    failures: tuple[tuple[int, Problem], ...] = ()


def labelling_of(run: Run) -> Labelling:
    """What the outputs of a run are."""
    return run.result.labelling or Labelling.of_classes(run.result.classes)


def ask(run: Run, examples: Examples, progress: Progress) -> Asked:
    """Run the network of a run over examples.

    Raises:
        DataError: if they do not fit it.
    """
    labelling = labelling_of(run)
    feed = feed_of_run(run.model, run.asked["input"])
    model = _joined(run.model, labelling)
    if feed.inputs:
        model = take_rows(model, feed.input_shapes(examples))
    runner = make_runner(model, BATCH)
    values, failures = _run(runner, feed, examples, progress)
    probabilities = tuple(values[:, places] for places in logit_places(labelling))
    limits = limits_of(run.result.decisions)
    return Asked(labelling, probabilities, decode(labelling, probabilities, limits), failures)


def _run(
    runner: Runner, feed: Feed, examples: Examples, progress: Progress
) -> tuple[NDArray[np.float32], tuple[tuple[int, Problem], ...]]:
    """What a network gives for each example, (n, K), and which could not be read: their rows mean nothing."""
    if not len(examples):
        raise DataError(
            f"{examples.source} holds no example that can be used.", next_step="give pictures, or an array with rows"
        )
    values: list[NDArray[np.float32]] = []
    failures: list[tuple[int, Problem]] = []
    for batch in feed.batches(examples, BATCH, progress):
        values.append(runner(batch.images))
        failures += batch.failures
    return np.concatenate(values), tuple(failures)


def _joined(model: keras.Model, labelling: Labelling) -> keras.Model:
    """The outputs side by side, in the order of the labelling."""
    if labelling.is_single:
        return model
    parts = [model.output[name] for name in labelling.names]
    return keras.Model(inputs_of(model), keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0])
