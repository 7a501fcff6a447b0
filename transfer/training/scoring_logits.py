"""What logits are worth on examples whose labels are known: losses in nats and right answers, output by output.

The losses are those of `output_losses`, in double precision and without focus, smoothing or weights of classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import UNKNOWN, known
from transfer.labellings import Output
from transfer.training.labels import Labels, logit_places

Logits = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class OutputSum:
    """Of some examples.

    Attributes:
        total: sum of the losses of an output.
        known: examples of which its label is known; of several labels their mean share.
        right: known answers that are right; 0 for numbers.
        answers: known answers with a class, or with a yes or no.
    """

    total: float
    known: float
    right: int
    answers: int

    @property
    def loss(self) -> float:
        """In nats an example of which the label is known; 0 where there is none."""
        return self.total / self.known if self.known else 0.0

    @property
    def accuracy(self) -> float | None:
        """Share of the known answers that are right; None where there is none."""
        return self.right / self.answers if self.answers else None


def score_outputs(logits: Logits, labels: Labels) -> tuple[OutputSum, ...]:
    """Score logits (b, K), output by output."""
    return tuple(
        score_output(output, logits[:, places], values)
        for output, places, values in zip(labels.labelling, logit_places(labels.labelling), labels.targets, strict=True)
    )


def add_scores(several: Sequence[tuple[OutputSum, ...]]) -> tuple[OutputSum, ...]:
    """The scores of all examples from those of parts."""
    return tuple(
        OutputSum(
            sum(each.total for each in parts),
            sum(each.known for each in parts),
            sum(each.right for each in parts),
            sum(each.answers for each in parts),
        )
        for parts in zip(*several, strict=True)
    )


def score_output(output: Output, logits: Logits, values: NDArray[Any]) -> OutputSum:
    """Score logits (b, k) of one output whose labels are `values`."""
    there = known(values)
    if output.kind == "softmax":
        losses, right = score_classes(output, logits[there], values[there])
        return OutputSum(float(losses.sum()), float(there.sum()), int(right.sum()), len(losses))
    precise = logits.astype(np.float64)
    count = float(there.sum()) / values.shape[1]
    if output.kind == "sigmoid":
        against = np.where(values == 1, -precise, precise)
        losses = np.where(there, np.logaddexp(0, against), 0)
        return OutputSum(float(losses.sum()), count, int((there & (against < 0)).sum()), int(there.sum()))
    errors = np.where(there, precise - np.where(there, values, 0), 0)
    return OutputSum(float((errors**2).sum()) / 2, count, 0, 0)


def score_classes(
    output: Output, logits: Logits, values: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(b,) losses and whether the class has the largest logit, both among the classes under its parent's class."""
    losses, right = np.zeros(len(values)), np.zeros(len(values), np.bool_)
    for _, places in output.groups:
        inside = np.flatnonzero((values >= places.start) & (values < places.stop))
        losses[inside], right[inside] = score_logits(logits[inside, places], values[inside] - places.start)
    return losses, right


def score_logits(logits: Logits, labels: NDArray[np.integer[Any]]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cross-entropy of each example, in nats, and whether its class has the largest logit: (b, k) to (b,) and (b,)."""
    if labels.size and labels.min() <= UNKNOWN:
        raise ValueError("labels are known classes")
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
    return losses, logits.argmax(axis=1) == labels
