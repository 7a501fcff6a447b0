"""Batches of one shape for all steps, settled by seed, epoch and step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from transfer.recipes import Stage
from transfer.training.encoding_labels import Encoder
from transfer.training.labels import Labels
from transfer.training.losses import Mixing, draw_mixing


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
        targets: (s, b, columns) as `encoding_labels` makes them, zeros in rows that only fill a batch up.
        counts: (s,), rows that are a batch's own; the others come behind them.
        known: (s, outputs), how many of these are known in each output.
    """

    features: NDArray[np.float32] = field(repr=False)
    targets: NDArray[np.float32] = field(repr=False)
    counts: NDArray[np.int32]
    known: NDArray[np.float32] = field(repr=False)

    def filled_up(self, parts: int) -> Chunk:
        """With a row at least for each of so many parts; those that are added count for nothing."""
        size = self.features.shape[1]
        missing = parts - size
        if missing <= 0:
            return self
        places = np.arange(size + missing) % size
        targets = self.targets[:, places]
        targets[:, size:] = 0
        return Chunk(self.features[:, places], targets, self.counts, self.known)


class Batching:
    """The batches of a run, each made when asked for.

    Attributes:
        examples: n.
        size: b, at most the number of examples.
        steps: of an epoch.
    """

    def __init__(self, features: Features, labels: Labels, stage: Stage, *, seed: int) -> None:
        if not len(labels):
            raise ValueError("there are no examples to train on")
        self.examples = len(labels)
        self.size = min(stage.batch_size, len(labels))
        self.steps = -(-len(labels) // self.size)
        self._features, self._stage, self._seed = features, stage, seed
        self._encoder = Encoder(labels, smoothing=stage.label_smoothing, balanced=stage.class_weights == "balanced")
        self._epoch, self._order = 0, np.arange(0)

    def chunk(self, epoch: int, first: int, count: int = 1) -> Chunk:
        """The examples of so many steps of an epoch, by their place in its order.

        The last batch is filled up with the first examples of the order, which count for nothing there: batch
        statistics see examples that differ.
        """
        steps = range(first, first + count)
        batches = [self._places(epoch, step) for step in steps]
        places, counts = np.concatenate([each for each, _ in batches]), np.array([own for _, own in batches], np.int32)
        whole = read_rows(self._features, places), self._encoder.rows(places), self._encoder.shares(places)
        values, targets, shares = (each.reshape(count, self.size, *each.shape[1:]) for each in whole)
        if self._stage.mixup:
            mixings = [self._mixing(epoch, step, own) for step, own in zip(steps, counts.tolist(), strict=True)]
            values, targets, shares = (_mixed(each, mixings) for each in (values, targets, shares))
        filling = np.arange(self.size) >= counts[:, None]
        targets[filling], shares[filling] = 0, 0
        return Chunk(values, targets, counts, shares.sum(1))

    def _places(self, epoch: int, step: int) -> tuple[NDArray[np.intp], int]:
        """Of the examples of a step, (b,), and how many are its own."""
        order, start = self._order_of(epoch), step * self.size
        places = order[start : start + self.size]
        return np.concatenate([places, order[: self.size - len(places)]]), len(places)

    def _mixing(self, epoch: int, step: int, count: int) -> Mixing:
        return draw_mixing(self._stage.mixup, count, self.size, seed=self._seed, epoch=epoch, step=step)

    def _order_of(self, epoch: int) -> NDArray[np.intp]:
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng((self._seed, epoch)).permutation(self.examples)
        return self._order


def _mixed(batches: NDArray[np.float32], mixings: Sequence[Mixing]) -> NDArray[np.float32]:
    """The rows of (s, b, …), batch by batch."""
    return np.stack([mixing.apply(rows) for rows, mixing in zip(batches, mixings, strict=True)])


def read_rows(features: Features, places: NDArray[np.intp]) -> NDArray[np.float32]:
    """Features at some places, (b, …)."""
    rows = features.read(places) if hasattr(features, "read") else features[places]
    return np.asarray(rows, np.float32)
