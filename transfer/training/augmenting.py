"""Pictures changed at random by Keras's own layers: the same example and view give the same bits wherever they stand.

What is drawn for an example comes from the seed, its own digest and the number of the view alone, and every example is
changed by itself, by one function of TensorFlow. Several copies of each example are kept by

    augmentation = Augmentation(stage.augment, seed=recipe.seed, background=255)
    for view in range(stage.views):
        keys = example_keys(piece.key, digests, augmentation=augmentation.to_json(), view=view)
        rows = store.compute(piece, keys, augmented_batches(batches, augmentation, digests, view))

and `viewed_rows` makes one set of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import pi
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.data.loading import ImageBatch
from transfer.errors import DataError, Problem
from transfer.recipe_rules import AUGMENTATIONS
from transfer.specs import Json
from transfer.training.feature_rows import Batches

# The largest change to either side; shift and zoom as a share of the picture, rotation of a whole turn, brightness of
# the range 0 … 255, contrast of 1. A flip swaps left and right of every other example.
STRENGTHS = {"flip": 0.5, "shift": 0.1, "zoom": 0.1, "rotate": 1 / 24, "brightness": 0.1, "contrast": 0.2}
SCHEME = 1  # raised when the same digest gives another picture than before
_RANGE = (0, 255)

_Layers = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ways in which pictures are changed, one after the other in the order of `recipe_rules.AUGMENTATIONS`.

    Attributes:
        ways: `flip` swaps left and right of every other picture; `shift` moves it by up to a tenth of its height and of
            its width; `zoom` shrinks or enlarges it by up to a tenth; `rotate` turns it by up to 15 degrees;
            `brightness` adds up to a tenth of the range to all values; `contrast` multiplies their distance from their
            channel's mean by 0.8 to 1.2.
        seed: of what is drawn.
        background: 0 to 255, where a picture leaves its frame empty.
    """

    ways: tuple[str, ...]
    seed: int
    background: int = 255
    _change: Callable[..., Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        unknown = [way for way in self.ways if way not in AUGMENTATIONS]
        if unknown or not self.ways or not 0 <= self.background <= 255 or self.seed < 0:
            raise ValueError(f"ways are of {', '.join(AUGMENTATIONS)}, the background is 0 to 255: {self}")
        object.__setattr__(self, "ways", tuple(way for way in AUGMENTATIONS if way in self.ways))
        object.__setattr__(self, "_change", _compiled(self.ways, _layers(self.background)))

    def apply(self, images: NDArray[Any], digests: Sequence[str], view: int) -> NDArray[Any]:
        """Some pictures, changed.

        Args:
            images: (b, h, w, c), from 0 to 255.
            digests: (b,) of the examples' own bytes.
            view: which of the changed copies of each.

        Returns:
            (b, h, w, c) in the type of `images`, from 0 to 255; integers are rounded to the nearest, halves to even.

        Raises:
            DataError: if these are no pictures.
        """
        _check(images)
        changed = np.empty_like(images)
        for place, (image, digest) in enumerate(zip(images, digests, strict=True)):
            found = self._change(tf.cast(image, tf.float32), tf.convert_to_tensor(self._draw(digest, view))).numpy()
            changed[place] = np.rint(found) if np.issubdtype(images.dtype, np.integer) else found
        return changed

    def to_json(self) -> Json:
        """All that decides what becomes of a picture, as plain values."""
        return {
            "scheme": SCHEME,
            "strengths": {way: STRENGTHS[way] for way in self.ways},
            "seed": self.seed,
            "background": self.background,
        }

    def _draw(self, digest: str, view: int) -> NDArray[np.float32]:
        """(7,) from -1 to 1, two for a shift: those of one way are the same whatever other ways there are."""
        number = int.from_bytes(hashlib.sha256(digest.encode()).digest()[:16], "big")
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, view, number])))
        return generator.uniform(-1, 1, 7).astype(np.float32)


def augmented_batches(
    batches: Batches, augmentation: Augmentation, digests: Sequence[str], view: int
) -> Callable[[NDArray[np.int64]], Iterator[ImageBatch]]:
    """What brings one view of the examples: as `batches`, with each picture changed.

    Args:
        batches: brings the examples at some places, in that order.
        augmentation: how they are changed.
        digests: of all examples, by their place.
        view: which of the changed copies of each.
    """

    def changed(places: NDArray[np.int64]) -> Iterator[ImageBatch]:
        for batch in batches(places):
            own = places[batch.first : batch.first + len(batch.images)]
            yield replace(batch, images=augmentation.apply(batch.images, [digests[each] for each in own], view))

    return changed


def _layers(background: int) -> _Layers:
    """The layer of each way. They draw nothing; without a seed they would take one from Python's global generator."""
    plain: dict[str, Any] = {"seed": 0, "dtype": "float32", "data_format": "channels_last"}
    filling = {**plain, "fill_mode": "constant", "fill_value": float(background)}
    return {
        "flip": keras.layers.RandomFlip("horizontal", **plain),
        "shift": keras.layers.RandomTranslation(STRENGTHS["shift"], STRENGTHS["shift"], **filling),
        "zoom": keras.layers.RandomZoom(STRENGTHS["zoom"], **filling),
        "rotate": keras.layers.RandomRotation(STRENGTHS["rotate"], **filling),
        "brightness": keras.layers.RandomBrightness(STRENGTHS["brightness"], _RANGE, **plain),
        "contrast": keras.layers.RandomContrast(STRENGTHS["contrast"], _RANGE, **plain),
    }


def _compiled(ways: Sequence[str], layers: _Layers) -> Callable[..., Any]:
    """A function of one picture (h, w, c) and what is drawn for it (7,), so that no other example bears on it."""

    def change(image: Any, drawn: Any) -> Any:
        images = image[None]
        for way in ways:
            transformation = _TRANSFORMATIONS[way](drawn, image.shape)
            images = layers[way].transform_images(images, transformation, training=True)
        return tf.clip_by_value(images[0], *map(float, _RANGE))

    compiled: Callable[..., Any] = tf.function(change, reduce_retracing=False, autograph=False)
    return compiled


# What is drawn, as each layer's `get_random_transformation` would give it for a batch of one picture.


def _flip(drawn: Any, _: Any) -> dict[str, Any]:
    return {"flips": tf.reshape((drawn[0] + 1) / 2 <= STRENGTHS["flip"], (1, 1, 1, 1))}


def _shift(drawn: Any, shape: Any) -> dict[str, Any]:
    down, right = (STRENGTHS["shift"] * drawn[1 + axis] * shape[axis] for axis in (0, 1))
    return {"translations": tf.reshape(tf.stack([right, down]), (1, 2))}


def _zoom(drawn: Any, _: Any) -> dict[str, Any]:
    factor = tf.reshape(1 + STRENGTHS["zoom"] * drawn[3], (1, 1))
    return {"height_zoom": factor, "width_zoom": factor}


def _rotate(drawn: Any, shape: Any) -> dict[str, Any]:
    """The two rows of x' = R (x - m) + m about the middle m, where R turns by the angle, and what Keras appends."""
    angle = 2 * pi * STRENGTHS["rotate"] * drawn[4]
    cos, sin, zero = tf.cos(angle), tf.sin(angle), tf.zeros(())
    y, x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    rows = [cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos, zero, zero]
    return {"rotation_matrix": tf.stack(rows)[None]}


def _brighten(drawn: Any, _: Any) -> dict[str, Any]:
    return {"rgb_delta": tf.reshape(STRENGTHS["brightness"] * drawn[5] * (_RANGE[1] - _RANGE[0]), (1, 1, 1, 1))}


def _contrast(drawn: Any, _: Any) -> dict[str, Any]:
    return {"contrast_factor": tf.reshape(1 + STRENGTHS["contrast"] * drawn[6], (1, 1, 1, 1))}


_TRANSFORMATIONS: dict[str, Callable[[Any, Any], dict[str, Any]]] = {
    "flip": _flip,
    "shift": _shift,
    "zoom": _zoom,
    "rotate": _rotate,
    "brightness": _brighten,
    "contrast": _contrast,
}


def _check(images: NDArray[Any]) -> None:
    """Refuse arrays that are no pictures.

    Raises:
        DataError: that says why.
    """
    expected = f"pictures (b, h, w, c) of values from {_RANGE[0]} to {_RANGE[1]}"
    is_numeric = np.issubdtype(images.dtype, np.integer) or np.issubdtype(images.dtype, np.floating)
    found = "" if images.ndim == 4 and is_numeric else f"{images.dtype} of shape {images.shape}"
    if not found and images.size:
        low, high = images.min(), images.max()
        is_outside = not (low >= _RANGE[0] and high <= _RANGE[1])  # not a number is nowhere inside
        is_scaled = high <= 1 and bool((images % 1).any())
        found = f"values from {low:.4g} to {high:.4g}" if is_outside or is_scaled else ""
    if found:
        raise DataError(
            "Only pictures can be changed at random.",
            [Problem("augment", expected, found)],
            "leave augment out, or give pictures with a preprocessing",
        )
