"""The network that pretraining is about: raw rows in, features out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.training.batching import Readable, read_rows

SAMPLE = 2000  # rows that scales are measured on
_LEAST, _RESOLVED = 1e-30, 1e-7  # a spread below this, or this share of the mean in single precision, is none
_BLOCK_BYTES = 2**23  # of the rows of the sample that are in memory at a time


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Brings raw rows to a mean of 0 and a variance of 1: of each channel of images, of each entry of other rows.

    Attributes:
        mean: that broadcasts to a row.
        spread: standard deviations, likewise; 1 where there is none.
        worst: mean squared difference of scaled rows from their mean row: the error of who ignores what he is given.
        lowest: raw value.
        highest: raw value.
    """

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    worst: float
    lowest: float = 0.0
    highest: float = 1.0

    @classmethod
    def measure(cls, rows: Readable, *, is_image: bool, seed: int) -> Scale:
        """Of some of the rows, drawn at random; a few megabytes of them are in memory at a time.

        Args:
            rows: all of them.
            is_image: whether the entries of a channel are scaled alike.
            seed: of the draw.
        """
        places = np.sort(np.random.default_rng(seed).permutation(len(rows))[:SAMPLE])
        ends = [(each.min(), each.max()) for each in _blocks(rows, places)]
        mean_row = sum(each.sum(0) for each in _blocks(rows, places)) / len(places)
        squares = sum(np.square(each - mean_row).sum(0) for each in _blocks(rows, places)) / len(places)
        axes = tuple(range(np.ndim(mean_row) - 1)) if is_image else ()
        mean = np.mean(mean_row, axes)
        spread = np.sqrt(np.mean(squares + np.square(mean_row - mean), axes))
        spread = np.where(spread > np.maximum(_LEAST, _RESOLVED * np.abs(mean)), spread, 1.0)
        worst = float(np.mean(squares / np.square(spread)))
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        return cls(np.asarray(mean, np.float32), np.asarray(spread, np.float32), worst, float(low), float(high))

    def apply(self, rows: Any) -> Any:
        """Raw to scaled."""
        return (rows - self.mean) / self.spread

    def undo(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Scaled to raw."""
        return np.asarray(rows * self.spread + self.mean, np.float32)


def _blocks(rows: Readable, places: NDArray[np.intp]) -> Iterator[NDArray[np.float64]]:
    """Rows at some places, in double precision, a few at a time."""
    step = max(1, _BLOCK_BYTES // max(1, 8 * read_rows(rows, places[:1]).size))
    for start in range(0, len(places), step):
        yield read_rows(rows, places[start : start + step]).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """A network to pretrain.

    Attributes:
        model: raw rows (b, …) to features, which are a vector, a map or a sequence; all of it is trained.
        scale: of its raw rows.
        is_image: whether rows are images (h, w, c).
        white: the largest raw value of an image; 1 of other rows.
        black: the smallest one; 0 of other rows.
    """

    model: keras.Model
    scale: Scale
    is_image: bool
    white: float = 1.0
    black: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a raw row."""
        return tuple(int(size) for size in self.model.input_shape[1:])

    @property
    def entries(self) -> int:
        """Numbers of a raw row."""
        return prod(self.shape)

    @property
    def features(self) -> int:
        """Numbers that it gives."""
        return prod(int(size) for size in self.model.output_shape[1:])

    @property
    def pooled_features(self) -> int:
        """Numbers that it gives, positions averaged."""
        return int(self.model.output_shape[-1])

    def clip(self, rows: Any) -> Any:
        """Images with nothing darker than black and lighter than white."""
        return tf.clip_by_value(rows, self.black, self.white)

    def flat(self, rows: Any) -> Any:
        """(b, features) of raw rows, as they are in training."""
        found = tf.cast(self.model(rows, training=True), tf.float32)
        return tf.reshape(found, (-1, self.features))

    def pooled(self, rows: Any, *, training: bool = True) -> Any:
        """(b, d) of raw rows, positions averaged, as a head gets them."""
        found = tf.cast(self.model(rows, training=training), tf.float32)
        return tf.reduce_mean(found, axis=list(range(1, len(found.shape) - 1))) if len(found.shape) > 2 else found
