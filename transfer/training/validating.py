"""Loss and accuracy on examples that nothing is learnt from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.training.batching import Features, read_rows
from transfer.training.features import Runner, make_runner

Validator = Callable[[], tuple[float, float]]


def make_validator(
    model: keras.Model,
    features: Features,
    labels: NDArray[np.integer[Any]],
    batch_size: int,
    runner: Runner | None = None,
) -> Validator:
    """A function that gives (mean cross-entropy in nats, accuracy) of the weights that the model has by then.

    Args:
        model: features to logits (b, k).
        features: (n, …).
        labels: (n,), each in 0 … k - 1.
        batch_size: examples that are in memory at once; no more than there are.
        runner: of the model, for batches of that size; by default one is made.

    Raises:
        ValueError: if there are no examples.
    """
    if not len(labels):
        raise ValueError("there are no examples to validate on")
    size = min(batch_size, len(labels))
    run = runner or make_runner(model, size)

    def validate() -> tuple[float, float]:
        loss, hits = 0.0, 0
        for start in range(0, len(labels), size):
            places = np.arange(start, min(start + size, len(labels)))
            losses, right = score_logits(run(read_rows(features, places)), labels[places])
            loss, hits = loss + float(losses.sum()), hits + int(right.sum())
        return loss / len(labels), hits / len(labels)

    return validate


def score_logits(
    logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cross-entropy of each example, in nats, and whether its class has the largest logit: (b, k) to (b,) and (b,)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
    return losses, logits.argmax(axis=1) == labels
