"""How long a curve of accuracy against labels trains, by a forecast of its largest run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from transfer.data.labelled import LabelledSet
from transfer.jobs.finetuning.forecasting import forecast_file
from transfer.jobs.finetuning.learning import Learning
from transfer.specs import Progress, silent
from transfer.training.named_recipes import named_recipe
from transfer.weights.checkpoint import Checkpoint


def forecast_training(
    file: Checkpoint | str,
    data: LabelledSet,
    how: Learning,
    recipe: str,
    *,
    shots: Sequence[int],
    divisions: int,
    test_share: float = 0.25,
    progress: Progress = silent,
) -> float:
    """Seconds of training for all points of a recipe: as many steps of it as its examples ask for.

    A batch of the largest run goes through each part of it with the clock running; the others are taken to be shorter
    as they have fewer examples.

    Args:
        file: a checkpoint, its path, or the name of a shipped one.
        data: labelled examples, one class each.
        how: what is taken from the file, and how images are prepared.
        recipe: its name.
        shots: labels a class.
        divisions: of the set.
        test_share: to test on in each.
        progress: told of the examples that are read.

    Raises:
        TransferError: where a run would be refused.
    """
    least = int(np.bincount(data.labels, minlength=len(data.classes)).min() * (1 - test_share))
    tried = sorted({each for each in shots if each <= least})
    if not tried:
        return 0.0
    most = tried[-1]
    named = named_recipe(recipe, examples=most * len(data.classes))
    forecast = forecast_file(file, data, replace(how, shots=most, recipe=named), progress=progress)
    return divisions * forecast.estimate.seconds.get("tuning", 0.0) * sum(tried) / most
