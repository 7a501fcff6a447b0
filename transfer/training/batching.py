"""Batches of one shape for all steps, settled by seed, epoch and step alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from transfer.recipes import Stage
from transfer.training.losses import balanced_weights, draw_mixing, soft_targets


class Readable(Protocol):
    """Features of n examples that need not be in memory."""

    def __len__(self) -> int:
        """How many examples there are."""
        ...

    def read(self, places: NDArray[np.intp]) -> NDArray[Any]:
        """Those of the examples at some places, (b, …)."""
        ...


Features: TypeAlias = NDArray[Any] | Readable


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from.

    Attributes:
        features: (b, …).
        targets: (b, k), zeros in rows that only fill the batch up.
        count: rows that are its own; the others come behind them.
    """

    features: NDArray[np.float32] = field(repr=False)
    targets: NDArray[np.float32] = field(repr=False)
    count: int


class Batching:
    """The batches of a run, each made when asked for.

    Attributes:
        examples: n.
        size: b, at most the number of examples.
        steps: of an epoch.
    """

    def __init__(
        self, features: Features, labels: NDArray[np.integer[Any]], classes: int, stage: Stage, *, seed: int
    ) -> None:
        if not len(labels):
            raise ValueError("there are no examples to train on")
        self.examples = len(labels)
        self.size = min(stage.batch_size, len(labels))
        self.steps = -(-len(labels) // self.size)
        self._features, self._labels, self._classes = features, labels, classes
        self._stage, self._seed = stage, seed
        self._weights = balanced_weights(labels, classes) if stage.class_weights == "balanced" else None
        self._epoch, self._order = 0, np.arange(0)

    def batch(self, epoch: int, step: int) -> Batch:
        """The examples of a step, by their place in the epoch's order.

        The last batch is filled up with the first examples of the order, which count for nothing there: batch
        statistics see examples that differ.
        """
        order, start = self._order_of(epoch), step * self.size
        places = order[start : start + self.size]
        count = len(places)
        places = np.concatenate([places, order[: self.size - count]])
        values = read_rows(self._features, places)
        targets = soft_targets(
            self._labels[places], self._classes, smoothing=self._stage.label_smoothing, weights=self._weights
        )
        if self._stage.mixup:
            mixing = draw_mixing(self._stage.mixup, count, self.size, seed=self._seed, epoch=epoch, step=step)
            values, targets = mixing.apply(values), mixing.apply(targets)
        targets[count:] = 0
        return Batch(values, targets, count)

    def _order_of(self, epoch: int) -> NDArray[np.intp]:
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng((self._seed, epoch)).permutation(len(self._labels))
        return self._order


def read_rows(features: Features, places: NDArray[np.intp]) -> NDArray[np.float32]:
    """Features at some places, (b, …)."""
    rows = features.read(places) if hasattr(features, "read") else features[places]
    return np.asarray(rows, np.float32)
