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
class Chunk:
    """What some steps in a row learn from: a batch each.

    Attributes:
        features: (s, b, …).
        targets: (s, b, k), zeros in rows that only fill a batch up.
        counts: (s,), rows that are a batch's own; the others come behind them.
    """

    features: NDArray[np.float32] = field(repr=False)
    targets: NDArray[np.float32] = field(repr=False)
    counts: NDArray[np.int32]

    def filled_up(self, parts: int) -> Chunk:
        """With as many rows a batch as give so many equal parts; those that are added count for nothing."""
        size = self.features.shape[1]
        missing = -size % parts
        if not missing:
            return self
        places = np.arange(size + missing) % size
        targets = self.targets[:, places]
        targets[:, size:] = 0
        return Chunk(self.features[:, places], targets, self.counts)


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

    def chunk(self, epoch: int, first: int, count: int = 1) -> Chunk:
        """The examples of so many steps of an epoch, by their place in its order.

        The last batch is filled up with the first examples of the order, which count for nothing there: batch
        statistics see examples that differ.
        """
        batches = [self._batch(epoch, step) for step in range(first, first + count)]
        features, targets, counts = zip(*batches, strict=True)
        if count == 1:
            return Chunk(features[0][None], targets[0][None], np.array(counts, np.int32))
        return Chunk(np.stack(features), np.stack(targets), np.array(counts, np.int32))

    def _batch(self, epoch: int, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
        """Features, targets and the count of one step."""
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
        return values, targets, count

    def _order_of(self, epoch: int) -> NDArray[np.intp]:
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng((self._seed, epoch)).permutation(len(self._labels))
        return self._order


def read_rows(features: Features, places: NDArray[np.intp]) -> NDArray[np.float32]:
    """Features at some places, (b, …)."""
    rows = features.read(places) if hasattr(features, "read") else features[places]
    return np.asarray(rows, np.float32)
