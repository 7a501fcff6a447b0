"""Coordinates of `coordinates` of features that are streamed from the disk: each sweep is a pass over them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from transfer.specs import Progress, silent
from transfer.training.coordinates import BLOCK, Respond, on_features, row_blocks
from transfer.training.head_moments import Moments
from transfer.training.streaming import Stream

Array = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class StreamedCoordinates:
    """Of m examples.

    Attributes:
        stream: their features.
        mean: (d,) of these.
        onto: (d, d), from weights on coordinates to weights on features, rows of zeros for constant features.
        sizes: (d,), the sum of squares along each coordinate over all examples.
        progress: told of each pass.
        passes: so far.
    """

    stream: Stream
    mean: Array
    onto: Array
    sizes: Array
    progress: Progress = silent
    passes: int = field(init=False, default=0)

    @classmethod
    def of(cls, stream: Stream, moments: Moments, progress: Progress = silent) -> StreamedCoordinates:
        """The axes of some moments."""
        spread = moments.spread
        scale = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
        gram = moments.about(moments.mean, moments.targets / moments.count)[0]
        gram *= scale
        gram *= scale[:, None]
        sizes, vectors = eigh(gram.T, driver="evr", overwrite_a=True, check_finite=False)
        vectors *= scale[:, None]
        return cls(stream, moments.mean, vectors, np.maximum(sizes, 0), progress)

    def __len__(self) -> int:
        return len(self.stream)

    def sweep(self, weights: Array, bias: Array, respond: Respond) -> tuple[Array, Array]:
        """See `Coordinates.sweep`; examples are told by their numbers, in the order of the disk.

        Raises:
            DataError: if rows have gone from the disk.
        """
        inner, seen = self.onto @ weights, 0
        slopes, sums = np.zeros_like(inner), np.zeros_like(bias)
        for which, block in self.stream.blocks():
            for part in row_blocks(len(which), max(block.shape[1], inner.shape[1]), BLOCK):
                rows = block[part] - self.mean
                found = respond(which[part], rows @ inner + bias)
                slopes += rows.T @ found
                sums += found.sum(0)
            seen += len(which)
            self.progress(f"reading features, pass {self.passes + 1}", seen, len(self))
        self.passes += 1
        return self.onto.T @ slopes, sums

    def on_features(self, weights: Array, bias: Array) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `Coordinates.on_features`."""
        return on_features(self.onto, self.mean, weights, bias)
