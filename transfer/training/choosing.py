"""What is kept of a stage: the weights before it, those after it, or some on the line between them."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.training.feature_rows import Rows
from transfer.training.features import Answering
from transfer.training.interpolating import Weights, keep_best
from transfer.training.temperatures import find_temperature


@dataclass(frozen=True, slots=True)
class Choice:
    """What was kept of a stage.

    Attributes:
        alpha: how far from the weights before it (0) to those after it (1).
        temperature: by which the logits at alpha are divided, so that they are as sure as they should be; 1 where
            the weights before are kept, which stay what they were.
        before: validation loss at 0, in nats an example, at the temperature that suits it best; so are the others.
        after: at 1.
        kept: at alpha.
        examples: that were validated on.
    """

    alpha: float
    temperature: float
    before: float
    after: float
    kept: float
    examples: int

    def __str__(self) -> str:
        between = f"{self.alpha:.0%} of the way from the weights before it to those after it was kept"
        what = {0.0: "the weights before it were kept", 1.0: "all of it was kept"}.get(self.alpha, between)
        return (
            f"of tuning, {what}: validation loss {self.kept:.3f} on {self.examples} examples "
            f"({self.before:.3f} before, {self.after:.3f} after, each at its best temperature)"
        )


def choose(
    model: keras.Model, answer: Answering, before: Weights, after: Weights, rows: Rows, labels: NDArray[np.int64]
) -> Choice:
    """Give a model the weights on the line that validate best.

    Args:
        model: features to logits; its variables have these names.
        answer: its logits for features.
        before: the weights before a stage.
        after: those after it.
        rows: (m, …) features of examples that neither side has learnt from.
        labels: (m,) of them.
    """
    chosen = keep_best(model, before, after, lambda: find_temperature(answer(rows), labels))
    kept = chosen.tried[chosen.alpha]
    return Choice(
        alpha=chosen.alpha,
        temperature=kept.temperature if chosen.alpha else 1.0,
        before=chosen.tried[0.0].loss,
        after=chosen.tried[1.0].loss,
        kept=kept.loss,
        examples=len(labels),
    )
