"""One pass over a set: features for the learner, and small copies of the raw input for a baseline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.data.loading import ImageBatch
from transfer.data.spooled_rows import SpooledRows
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
        pixels: (n, …) of the whole set, the raw input, shrunk; on the disk.
        failures: what is wrong with the others.
    """

    places: NDArray[np.int64]
    labels: NDArray[np.int64] = field(repr=False)
    pixels: SpooledRows = field(repr=False)
    failures: tuple[Problem, ...]


def read_examples(learner: Learner, feed: Feed, data: LabelledSet) -> ReadExamples:
    """Let a learner run what it does not train over a set.

    Raises:
        DataError: if there is no example.
    """
    if not len(data):
        raise DataError(f"{data.source} holds no example that can be used.")
    pixels = SpooledRows(len(data))

    def batches(places: NDArray[np.int64]) -> Iterator[ImageBatch]:
        for batch in feed.batches(data.subset(places), BATCH, learner.progress):
            shrunk = shrink_images(batch.images) if batch.images.ndim == 4 else batch.images
            pixels.write(places[batch.first : batch.first + len(shrunk)], shrunk)
            yield batch

    feeding = feed.to_json()
    rows = learner.read(Examples(data.digests(), batches, feed.example_shape(data), feeding))
    failed = dict(rows.failures)
    places = np.array([place for place in range(len(data)) if place not in failed], np.int64)
    for batch in batches(pixels.missing(places)):
        del batch  # features were kept by an earlier run; the small copies were not
    return ReadExamples(places, data.labels, pixels, tuple(failed.values()))
