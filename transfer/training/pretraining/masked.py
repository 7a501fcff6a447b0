"""Masked autoencoder: parts of a row are hidden, and must be told from the rest.

With a mask m that is 1 on a share of the patches of an image, or of the entries of another row, and the mean in place
of what is hidden,

    L = sum of m (g(c((1 - m) x + m mean)) - s(x))² / sum of m

Patches are squares, so that what is hidden cannot be told from the pixel beside it. Convolutions see the holes; a
network that leaves them out, as the paper's, is not needed for them.

Source: He et al. (2022), "Masked autoencoders are scalable vision learners", CVPR, section 3; Pathak et al. (2016),
"Context encoders", CVPR, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from transfer.errors import LayerError, Problem
from transfer.training.pretraining.bounds import CODE, Bounds, check
from transfer.training.pretraining.encoders import Encoder
from transfer.training.pretraining.objectives import Batch, DecoderMaker, Measures, Objective, Player
from transfer.training.pretraining.reconstruction import ERROR, squeezed

_ACROSS = 7  # patches of the shorter side, where nothing is said
_SHOWN = (0, 0)  # the seed of the masks in pictures


@dataclass(frozen=True, slots=True)
class Masked:
    """Its options.

    Attributes:
        share: of patches or entries that are hidden.
        patch: pixels of a patch's side; None for a seventh of the shorter side.
        code: as of an autoencoder.
    """

    share: float = 0.5
    patch: int | None = None
    code: int | None = None

    BOUNDS: ClassVar[Mapping[str, Bounds]] = {
        "share": Bounds(0, 1, above=True, below=True),
        "patch": Bounds(1, whole=True, may_lack=True),
        "code": CODE,
    }

    def __post_init__(self) -> None:
        check(self, self.BOUNDS)

    def build(self, encoder: Encoder, make_decoder: DecoderMaker, seed: int) -> Objective:
        """The objective; see `objectives.Method`.

        Raises:
            LayerError: if a patch hides an image altogether.
        """
        self._refuse_whole(encoder)
        whole = squeezed(encoder, make_decoder, self.code, seed)

        def loss(batch: Batch) -> Measures:
            mask = self.mask(encoder, tf.shape(batch.rows)[0], batch.seed)
            return {ERROR: whole.error(whole(hide(encoder, batch.rows, mask)), batch.rows, mask)}

        def shown(rows: Any) -> Any:
            return hide(encoder, rows, self.mask(encoder, len(rows), tf.constant(_SHOWN)))

        player = Player("masked", tuple(whole.models.values()), loss)
        return whole.objective(player, whole.pictures(shown))

    def _refuse_whole(self, encoder: Encoder) -> None:
        if encoder.is_image and self.patch is not None and self.patch >= max(encoder.shape[:2]):
            raise LayerError(
                "A patch is as large as an image, so that all of it would be hidden, or nothing.",
                [Problem("patch", f"at most {max(encoder.shape[:2]) - 1}", str(self.patch))],
                "give a smaller patch",
            )

    def mask(self, encoder: Encoder, count: Any, seed: Any) -> Any:
        """1 where something is hidden, 0 elsewhere: (count, h, w, 1) of images, (count, …) of other rows."""
        if not encoder.is_image:
            drawn = tf.random.stateless_uniform((count, *encoder.shape), seed)
            return tf.cast(drawn < self.share, tf.float32)
        height, width, _ = encoder.shape
        patch = self.patch or max(1, min(height, width) // _ACROSS)
        cells = -(-height // patch), -(-width // patch)
        drawn = tf.random.stateless_uniform((count, *cells, 1), seed)
        hidden = tf.cast(drawn < self.share, tf.float32)
        return tf.repeat(tf.repeat(hidden, patch, axis=1), patch, axis=2)[:, :height, :width]


def hide(encoder: Encoder, rows: Any, mask: Any) -> Any:
    """Raw rows (b, …) with the mean where the mask is 1."""
    return rows * (1 - mask) + np.float32(encoder.scale.mean) * mask
