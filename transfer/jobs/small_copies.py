"""Small copies of pictures, kept beside their features: a run that finds both decodes no picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.loading import ImageBatch
from transfer.data.spooled_rows import SpooledRows
from transfer.errors import Problem
from transfer.evidence.baselines import PIXELS
from transfer.specs import Json
from transfer.training.arithmetic import describe_arithmetic
from transfer.training.feature_keys import SCHEME
from transfer.training.feature_rows import Batches
from transfer.weights.digests import digest_json


class SmallCopies:
    """What a store keeps them as: a piece of a network that gives bytes.

    Attributes:
        key: what decides how a small copy of a picture looks.
    """

    def __init__(self, feeding: Json) -> None:
        """Describe them.

        Args:
            feeding: how pictures are brought to the network, as plain values.
        """
        described = {"small": PIXELS, "scheme": SCHEME, "feeding": feeding, "arithmetic": describe_arithmetic()}
        self.key = digest_json(described)

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """They are small already."""
        return batch


def copied_batches(pixels: SpooledRows, batches: Batches, failed: Mapping[int, Problem], batch_size: int) -> Batches:
    """What brings small copies to a store: a function from places to batches in that order.

    Args:
        pixels: the copies that are there; the others come there when `batches` has run.
        batches: decodes pictures at some places.
        failed: what is wrong with pictures that cannot be read, by place.
        batch_size: of each batch but the last.
    """

    def copied(places: NDArray[np.int64]) -> Iterator[ImageBatch]:
        for batch in batches(pixels.missing(places)):
            del batch
        for start in range(0, len(places), batch_size):
            chosen = places[start : start + batch_size]
            bad = tuple((start + k, failed[place]) for k, place in enumerate(chosen.tolist()) if place in failed)
            yield ImageBatch(start, pixels.read(chosen), bad)

    return copied
