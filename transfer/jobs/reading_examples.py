"""One pass over a set: features for the learner, and small copies of the raw input for a baseline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.data.loading import ImageBatch
from transfer.errors import DataError, Problem
from transfer.evidence.baselines import shrink_images
from transfer.jobs.feeding import Feed
from transfer.training.learner import Learner
from transfer.training.prefixing import BATCH
from transfer.training.stage_features import Examples


@dataclass(frozen=True, slots=True)
class ReadExamples:
    """What was read.

    Attributes:
        places: of the examples that could be read, in the set.
        labels: (n,) of the whole set.
        pixels: (len(places), …), the raw input, shrunk.
        failures: what is wrong with the others.
    """

    places: NDArray[np.int64]
    labels: NDArray[np.int64] = field(repr=False)
    pixels: NDArray[Any] = field(repr=False)
    failures: tuple[Problem, ...]


def read_examples(learner: Learner, feed: Feed, data: LabelledSet) -> ReadExamples:
    """Let a learner run what it does not train over a set.

    Raises:
        DataError: if there is no example.
    """
    if not len(data):
        raise DataError(f"{data.source} holds no example that can be used.")
    small: dict[int, NDArray[Any]] = {}

    def batches(places: NDArray[np.int64]) -> Iterator[ImageBatch]:
        for batch in feed.batches(data.subset(places), BATCH, learner.progress):
            shrunk = shrink_images(batch.images) if batch.images.ndim == 4 else batch.images
            small.update(zip(places[batch.first :].tolist(), shrunk, strict=False))
            yield batch

    feeding = feed.to_json()
    rows = learner.read(Examples(data.digests(), batches, feed.example_shape(data), feeding))
    failed = dict(rows.failures)
    places = np.array([place for place in range(len(data)) if place not in failed], np.int64)
    for batch in batches(np.array([place for place in places.tolist() if place not in small], np.int64)):
        del batch  # features were kept by an earlier run; the small copies were not
    pixels = np.stack([small[place] for place in places.tolist()]) if len(places) else np.zeros((0, 0))
    return ReadExamples(places, data.labels, pixels, tuple(failed.values()))
