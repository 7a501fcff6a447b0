"""Loss and accuracy on examples that nothing is learnt from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.training.batching import Features, read_rows
from transfer.training.features import Runner, make_runner
from transfer.training.labels import Labels
from transfer.training.scoring_logits import add_scores, score_outputs


@dataclass(frozen=True, slots=True)
class Validated:
    """What a model came to.

    Attributes:
        loss: cross-entropy in nats an example; of several outputs the weighed sum of their losses.
        accuracy: of several outputs the mean of those that have classes; None where none has.
        losses: of each output.
        accuracies: likewise; None for numbers.
    """

    loss: float
    accuracy: float | None
    losses: tuple[float, ...] = field(default=(), repr=False)
    accuracies: tuple[float | None, ...] = field(default=(), repr=False)


Validator = Callable[[], Validated]


def make_validator(
    model: keras.Model,
    features: Features,
    labels: Labels,
    batch_size: int,
    runner: Runner | None = None,
) -> Validator:
    """A function that validates the weights that a model has by then.

    Args:
        model: features to logits (b, K).
        features: (n, …).
        labels: of n examples.
        batch_size: examples that are in memory at once; no more than there are.
        runner: of the model, for batches of that size; by default one is made.

    Raises:
        ValueError: if there are no examples.
    """
    if not len(labels):
        raise ValueError("there are no examples to validate on")
    size = min(batch_size, len(labels))
    run = runner or make_runner(model, size)

    def validate() -> Validated:
        found = []
        for start in range(0, len(labels), size):
            places: NDArray[np.intp] = np.arange(start, min(start + size, len(labels)))
            found.append(score_outputs(run(read_rows(features, places)), labels[places]))
        scores = add_scores(found)
        accuracies = tuple(each.accuracy for each in scores)
        shares = [each for each in accuracies if each is not None]
        losses = tuple(each.loss for each in scores)
        whole = sum(output.weight * loss for output, loss in zip(labels.labelling, losses, strict=True))
        return Validated(float(whole), sum(shares) / len(shares) if shares else None, losses, accuracies)

    return validate
