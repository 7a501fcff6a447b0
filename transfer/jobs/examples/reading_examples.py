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
from transfer.evidence.baselines import PIXELS, shrink_images
from transfer.jobs.examples.feeding import Feed
from transfer.jobs.examples.kept_pictures import KeptPictures, checked_batches, copied_batches
from transfer.training.batching import Readable
from transfer.training.feature_keys import example_keys
from transfer.training.labels import Labels
from transfer.training.learner import Learner
from transfer.training.stage_features import Examples


@dataclass(frozen=True, slots=True)
class ReadExamples:
    """What was read.

    Attributes:
        places: of the examples that could be read, in the set.
        labels: of the whole set.
        pixels: (n, …) of the whole set, the raw input, shrunk; on the disk. Those of failures mean nothing. None where
            no input was read, as features are there.
        failures: what is wrong with the others.
    """

    places: NDArray[np.int64]
    labels: Labels = field(repr=False)
    pixels: Readable | None = field(repr=False)
    failures: tuple[Problem, ...]


def read_examples(learner: Learner, feed: Feed, data: LabelledSet) -> ReadExamples:
    """Let a learner run what it does not train over a set.

    Raises:
        DataError: if there is no example, or a picture is changed while it is read.
    """
    if not len(data):
        raise DataError(f"{data.source} holds no example that can be used.")
    labels = Labels(data.labelling, data.targets)
    pixels, digests, feeding = SpooledRows(len(data)), data.digests(), feed.to_json()

    decoded = checked_batches(feed, data, digests, learner.progress)

    def batches(places: NDArray[np.int64]) -> Iterator[ImageBatch]:
        for batch in decoded(places):
            shrunk = shrink_images(batch.images) if batch.images.ndim == 4 else batch.images
            pixels.write(places[batch.first : batch.first + len(shrunk)], shrunk)
            yield batch

    rows = learner.read(Examples(digests, batches, feed.example_shape(data), feeding))
    failed = dict(rows.failures)
    places = np.array([place for place in range(len(data)) if place not in failed], np.int64)
    problems = tuple(failed.values())
    if feed.image is not None and learner.store.is_lasting:
        small = KeptPictures(feeding, pixels=PIXELS)
        copied = copied_batches(pixels, batches, failed)
        kept = learner.store.compute(small, example_keys(small.key, digests), copied, in_memory=False)
        return ReadExamples(places, labels, kept, problems)
    for batch in batches(pixels.missing(places)):
        del batch  # of examples with the same bytes one had been read
    return ReadExamples(places, labels, pixels, problems)
