"""Denoising autoencoder: rows are given with noise, and must be given back without.

With noise e of standard deviation a in units of each entry's own, and the parts of an autoencoder,

    L = mean over entries of (g(c(x + a spread e)) - s(x))²        e ~ N(0, 1)

Copying is of no use then, so that the code may be larger. Images stay between black and white.

Source: Vincent et al. (2010), "Stacked denoising autoencoders", JMLR 11, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from transfer.training.pretraining.bounds import CODE, Bounds, check
from transfer.training.pretraining.encoders import Encoder
from transfer.training.pretraining.objectives import Batch, DecoderMaker, Measures, Objective, Player
from transfer.training.pretraining.reconstruction import ERROR, squeezed

_SHOWN = (0, 0)  # the seed of the noise in pictures


@dataclass(frozen=True, slots=True)
class Denoising:
    """Its options.

    Attributes:
        noise: a, in standard deviations of an entry (of images, of a channel).
        code: as of an autoencoder.
    """

    noise: float = 1.0
    code: int | None = None

    BOUNDS: ClassVar[Mapping[str, Bounds]] = {"noise": Bounds(0), "code": CODE}

    def __post_init__(self) -> None:
        check(self, self.BOUNDS)

    def build(self, encoder: Encoder, make_decoder: DecoderMaker, seed: int) -> Objective:
        """The objective; see `objectives.Method`."""
        whole = squeezed(encoder, make_decoder, self.code, seed)

        def loss(batch: Batch) -> Measures:
            return {ERROR: whole.error(whole(self.disturb(encoder, batch.rows, batch.seed)), batch.rows)}

        player = Player("denoising", tuple(whole.models.values()), loss)
        pictures = whole.pictures(lambda rows: self.disturb(encoder, rows, tf.constant(_SHOWN)))
        return whole.objective(player, pictures)

    def disturb(self, encoder: Encoder, rows: Any, seed: Any) -> Any:
        """Raw rows (b, …) with noise."""
        noise = tf.random.stateless_normal(tf.shape(rows), seed)
        noisy = rows + self.noise * encoder.scale.spread * noise
        return encoder.clip(noisy) if encoder.is_image else noisy
