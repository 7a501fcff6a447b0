"""Rows that are the same to us: an image cropped, mirrored and in other light, or another row with parts exchanged.

All that is drawn is drawn for each row by itself.

Sources: Chen et al. (2020), "A simple framework for contrastive learning of visual representations", ICML, appendix A,
for images; Bahri et al. (2022), "SCARF: self-supervised contrastive learning using random feature corruption", ICLR,
section 3, for other rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from transfer.training.pretraining.bounds import Bounds, check
from transfer.training.pretraining.encoders import Encoder

_RATIO = 4 / 3  # of a crop's sides at most
_GREY = (0.299, 0.587, 0.114)  # luminance of red, green and blue: ITU-R BT.601


@dataclass(frozen=True, slots=True)
class Views:
    """How strongly views differ.

    Attributes:
        least_crop: share of an image's area that is kept at least.
        mirror: whether images are mirrored in half of the views.
        light: by how much of itself brightness and contrast change at most, and saturation of coloured images.
        exchanged: share of the entries of another row that come from other rows of the batch.
    """

    least_crop: float = 0.3
    mirror: bool = True
    light: float = 0.4
    exchanged: float = 0.4

    BOUNDS: ClassVar[Mapping[str, Bounds]] = {
        "least_crop": Bounds(0, 1, above=True),
        "light": Bounds(0, 1),
        "exchanged": Bounds(0, 1, above=True),
    }

    def __post_init__(self) -> None:
        check(self, self.BOUNDS)

    def draw(self, encoder: Encoder, rows: Any, seed: Any) -> Any:
        """One view of each raw row (b, …)."""
        if not encoder.is_image:
            return exchange(rows, self.exchanged, seed)
        seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
        found = crop(rows, self.least_crop, seeds[0])
        found = mirror(found, seeds[1]) if self.mirror else found
        return encoder.clip(relight(found, self.light, encoder.white - encoder.black, seeds[2]))


def crop(rows: Any, least: float, seed: Any) -> Any:
    """Images (b, h, w, c) of which a part of at least so much of the area is stretched to the whole."""
    shape = tf.shape(rows)
    drawn = tf.random.stateless_uniform((4, shape[0]), seed)
    area, ratio = least + (1 - least) * drawn[0], _RATIO ** (2 * drawn[1] - 1)
    high, wide = (tf.minimum(1.0, tf.sqrt(area * each)) for each in (ratio, 1 / ratio))
    top, left = (1 - high) * drawn[2], (1 - wide) * drawn[3]
    boxes = tf.stack([top, left, top + high, left + wide], axis=1)
    return tf.image.crop_and_resize(rows, boxes, tf.range(shape[0]), shape[1:3])


def mirror(rows: Any, seed: Any) -> Any:
    """Images (b, h, w, c), half of them with left and right exchanged."""
    drawn = tf.random.stateless_uniform((tf.shape(rows)[0], 1, 1, 1), seed)
    return tf.where(drawn < 0.5, rows, tf.reverse(rows, [2]))


def relight(rows: Any, most: float, span: float, seed: Any) -> Any:
    """Images (b, h, w, c) with other contrast and brightness, coloured ones with other saturation.

    Args:
        rows: raw.
        most: of the change, as a share.
        span: from black to white.
        seed: of what is drawn.
    """
    drawn = tf.random.stateless_uniform((3, tf.shape(rows)[0], 1, 1, 1), seed, -most, most)
    middle = tf.reduce_mean(rows, axis=(1, 2), keepdims=True)
    found = middle + (rows - middle) * (1 + drawn[0]) + span * drawn[1] / 2
    if rows.shape[-1] != len(_GREY):
        return found
    grey = tf.reduce_sum(found * tf.constant(_GREY), axis=-1, keepdims=True)
    return grey + (found - grey) * (1 + 2 * drawn[2])


def exchange(rows: Any, share: float, seed: Any) -> Any:
    """Rows (b, …) of which a share of the entries is another row's."""
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    shape = tf.shape(rows)
    places = tf.random.stateless_uniform(shape, seeds[0], 0, shape[0], tf.int32)
    flat = tf.reshape(rows, (shape[0], -1))
    columns = tf.broadcast_to(tf.range(tf.shape(flat)[1]), tf.shape(flat))
    others = tf.gather_nd(flat, tf.stack([tf.reshape(places, tf.shape(flat)), columns], axis=-1))
    drawn = tf.random.stateless_uniform(shape, seeds[1])
    return tf.where(drawn < share, tf.reshape(others, shape), rows)
