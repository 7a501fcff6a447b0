"""Autoencoder: rows are squeezed through a code that is too small to copy them, from which a decoder gives them back.

With features f(x), a code c(x) = W f(x) + b, a decoder g, and rows s(x) scaled to a variance of 1,

    L = mean over entries of (g(c(x)) - s(x))²

Source: Hinton & Salakhutdinov (2006), "Reducing the dimensionality of data with neural networks", Science 313.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from transfer.training.pretraining.bounds import CODE, Bounds, check
from transfer.training.pretraining.encoders import Encoder
from transfer.training.pretraining.objectives import Batch, DecoderMaker, Measures, Objective, Player
from transfer.training.pretraining.reconstruction import ERROR, squeezed


@dataclass(frozen=True, slots=True)
class Autoencoder:
    """Its options.

    Attributes:
        code: numbers of the code; None for an eighth of a row's entries, at most 128 and no more than the features.
    """

    code: int | None = None

    BOUNDS: ClassVar[Mapping[str, Bounds]] = {"code": CODE}

    def __post_init__(self) -> None:
        check(self, self.BOUNDS)

    def build(self, encoder: Encoder, make_decoder: DecoderMaker, seed: int) -> Objective:
        """The objective; see `objectives.Method`."""
        whole = squeezed(encoder, make_decoder, self.code, seed)

        def loss(batch: Batch) -> Measures:
            return {ERROR: whole.error(whole(batch.rows), batch.rows)}

        player = Player("autoencoder", tuple(whole.models.values()), loss)
        return whole.objective(player, whole.pictures())
