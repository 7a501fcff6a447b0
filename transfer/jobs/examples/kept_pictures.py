"""Decoded pictures that are kept beside features: a run that finds all of them decodes none.

Small copies of all serve the baseline, some in full the look at the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.inputs import Examples
from transfer.data.labelled import LabelledSet
from transfer.data.loading import ImageBatch
from transfer.data.spooled_rows import SpooledRows
from transfer.errors import DataError, Problem
from transfer.jobs.examples.feeding import Feed
from transfer.specs import Json, Progress, silent
from transfer.tabulating import counted
from transfer.training.arithmetic import describe_arithmetic
from transfer.training.feature_keys import SCHEME, example_keys
from transfer.training.feature_rows import Batches
from transfer.training.feature_store import FeatureStore
from transfer.training.prefixing import BATCH
from transfer.weights.digests import digest_json


class KeptPictures:
    """What a store keeps them as: a piece of a network that gives bytes.

    Attributes:
        key: what decides how they look.
    """

    def __init__(self, feeding: Json, *, pixels: int | None = None) -> None:
        """Describe them.

        Args:
            feeding: how pictures are brought to the network, as plain values.
            pixels: to which they are shrunk; None for as large as they are fitted.
        """
        described = {"pixels": pixels, "scheme": SCHEME, "feeding": feeding, "arithmetic": describe_arithmetic()}
        self.key = digest_json(described)

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """They are what they shall be."""
        return batch


def checked_batches(feed: Feed, data: LabelledSet, digests: Sequence[str], progress: Progress = silent) -> Batches:
    """What brings examples to a store: a function from places to batches in that order.

    It refuses pictures that are no longer those that were digested: what is made of them would be kept under the bytes
    of others.

    Args:
        feed: how examples go in.
        data: examples.
        digests: of them, as they are to be kept.
        progress: told how many pictures are decoded.
    """

    def batches(places: NDArray[np.int64]) -> Iterator[ImageBatch]:
        for batch in feed.batches(data.subset(places), BATCH, progress):
            own = places[batch.first : batch.first + len(batch.images)]
            if data.kind == "images":
                _refuse_changed(data.subset(own), [digests[place] for place in own])
            yield batch

    return batches


def copied_batches(pixels: SpooledRows, batches: Batches, failed: Mapping[int, Problem]) -> Batches:
    """What brings small copies to a store: a function from places to batches in that order.

    Args:
        pixels: the copies that are there; the others come there when `batches` has run.
        batches: decodes pictures at some places.
        failed: what is wrong with pictures that cannot be read, by place.
    """

    def copied(places: NDArray[np.int64]) -> Iterator[ImageBatch]:
        for batch in batches(pixels.missing(places)):
            del batch
        for start in range(0, len(places), BATCH):
            chosen = places[start : start + BATCH]
            bad = tuple((start + k, failed[place]) for k, place in enumerate(chosen.tolist()) if place in failed)
            yield ImageBatch(start, pixels.read(chosen), bad)

    return copied


def fitted_batches(feed: Feed, store: FeatureStore) -> Callable[[Examples], Iterator[ImageBatch]]:
    """What gives examples as they go into a network, in batches: pictures from a store where runs share it."""

    def batches(examples: Examples) -> Iterator[ImageBatch]:
        is_shared = store.is_lasting and feed.image is not None and len(examples)
        if not isinstance(examples, LabelledSet) or examples.kind != "images" or not is_shared:
            return feed.batches(examples, BATCH)
        piece, digests = KeptPictures(feed.to_json()), examples.digests()
        decoded = checked_batches(feed, examples, digests)
        rows = store.compute(piece, example_keys(piece.key, digests), decoded, in_memory=False)
        return rows.batches(BATCH)(np.arange(len(rows)))

    return batches


def _refuse_changed(data: LabelledSet, digests: Sequence[str]) -> None:
    changed = [name for name, old, new in zip(data.names, digests, data.digests(), strict=True) if old != new]
    if changed:
        raise DataError(
            f"{counted(len(changed), 'picture')} of {data.source} changed while being read.",
            [Problem(name, found="other bytes than at the start") for name in changed],
            next_step="leave the files in place while they are used, and run the same again",
        )
