"""A look at every example before a run: which cannot be read, which hold nothing, and how long reading takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.data.loading import ImageBatch
from transfer.errors import Problem
from transfer.evidence.baselines import shrink_images
from transfer.jobs.feeding import Feed
from transfer.specs import Progress, silent
from transfer.training.prefixing import BATCH

MOST = 2000  # examples that are read; of more, so many are drawn
KEPT = 256  # small copies


@dataclass(frozen=True, slots=True)
class SeenExamples:
    """What was seen.

    Attributes:
        seen: how many were read.
        unreadable: (place in the set, what is wrong).
        blank: places of those that are one value throughout.
        images: (b, …) some that can be read, as they go into the network, at most a batch.
        spread: places of some that can be read, from all over the set.
        pixels: (len(spread), …) their small copies, as the baseline on raw input has them.
        seconds: that reading took.
    """

    seen: int
    unreadable: tuple[tuple[int, Problem], ...]
    blank: tuple[int, ...]
    images: NDArray[Any] = field(repr=False)
    spread: tuple[int, ...]
    pixels: NDArray[Any] = field(repr=False)
    seconds: float

    @property
    def each(self) -> float:
        """Seconds to read one."""
        return self.seconds / max(1, self.seen)


def look_at_examples(
    feed: Feed, data: LabelledSet, *, most: int = MOST, seed: int = 0, progress: Progress = silent
) -> SeenExamples:
    """Read the examples of a set as a run does, decoding pictures by as many threads.

    Headers of all pictures were looked at when the set was listed; here each is decoded, or of very many a part.

    Args:
        feed: how examples go into the network.
        data: examples.
        most: of them to read.
        seed: of the choice.
        progress: told how many are done.

    Raises:
        DataError: if the examples are not what the network takes.
    """
    random = np.random.default_rng(seed)
    places = np.sort(random.permutation(len(data))[:most])
    spread = set(np.linspace(0, len(places) - 1, min(KEPT, len(places))).astype(int).tolist())
    failures: list[tuple[int, Problem]] = []
    blank: list[int] = []
    images: list[NDArray[Any]] = []
    kept: list[int] = []
    pixels: list[NDArray[Any]] = []
    start = time.perf_counter()
    for batch in feed.batches(data if len(places) == len(data) else data.subset(places), BATCH, progress):
        failed = {number for number, _ in batch.failures}
        failures += [(int(places[number]), problem) for number, problem in batch.failures]
        blank += [int(places[number]) for number in _blank(batch) if number not in failed]
        small = shrink_images(batch.images) if batch.images.ndim == 4 else batch.images
        wanted = [number for number in range(batch.first, batch.first + len(small)) if number in spread - failed]
        kept += places[wanted].tolist()
        pixels.append(small[[number - batch.first for number in wanted]])
        if sum(map(len, images)) < BATCH:
            images.append(batch.readable)
    seconds = time.perf_counter() - start
    return SeenExamples(
        len(places), tuple(failures), tuple(blank), _joined(images)[:BATCH], tuple(kept), _joined(pixels), seconds
    )


def _blank(batch: ImageBatch) -> Iterator[int]:
    """Places of examples that are one value throughout; a single value says nothing."""
    rows = batch.images.reshape(len(batch.images), -1)
    if rows.shape[1] > 1:
        yield from (batch.first + np.flatnonzero((rows == rows[:, :1]).all(axis=1))).tolist()


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros((0, 0))
