"""What methods that reconstruct have in common: a small code, a decoder, and an error in units of the data's variance.

The code is a linear map of the encoder's features to fewer numbers than could copy the input; with its decoder it is
thrown away. The error of an answer that is always the mean row is what an objective calls its worst.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.training.pretraining.encoders import Encoder
from transfer.training.pretraining.objectives import DecoderMaker, Objective, Pictures, Player

ERROR = "error"
_SHARE, _LEAST, _MOST = 8, 2, 128  # entries of a row for one number of the code; and its bounds


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """An encoder with a code and a decoder behind it.

    Attributes:
        encoder: to train.
        squeeze: features (b, …) to the code (b, code).
        decoder: code to scaled rows (b, …).
    """

    encoder: Encoder
    squeeze: keras.Model
    decoder: keras.Model

    def __call__(self, rows: Any) -> Any:
        """Scaled rows that raw rows (b, …) are taken for."""
        return self.decoder(self.squeeze(self.encoder.flat(rows), training=True), training=True)

    @property
    def models(self) -> dict[str, keras.Model]:
        """All that is trained, by name."""
        return {"encoder": self.encoder.model, "code": self.squeeze, "decoder": self.decoder}

    def error(self, found: Any, rows: Any, weights: Any = None) -> Any:
        """Mean squared difference from raw rows, scaled; of those entries alone that have a weight.

        Args:
            found: (b, …), scaled.
            rows: (b, …), raw.
            weights: that broadcast to these; None for all alike.
        """
        squares = tf.square(found - self.encoder.scale.apply(rows))
        if weights is None:
            return tf.reduce_mean(squares)
        whole = tf.broadcast_to(weights, tf.shape(squares))
        return tf.reduce_sum(squares * whole) / tf.maximum(tf.reduce_sum(whole), 1.0)

    def objective(self, player: Player, pictures: Pictures) -> Objective:
        """What the one player of a method makes of it, whose measure `ERROR` is the error."""
        worst = {ERROR: self.encoder.scale.worst}
        return Objective(self.encoder, (player,), self.models, pictures=pictures, decoder=self.decoder, worst=worst)

    def pictures(self, change: Callable[[Any], Any] | None = None) -> Pictures:
        """What makes pictures of raw rows: as they are, as they are changed, and as they are given back."""

        def made(rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
            given = tf.constant(np.asarray(rows, np.float32))
            seen = given if change is None else change(given)
            code = self.squeeze(tf.reshape(self.encoder.model(seen), (-1, self.encoder.features)))
            back = self.encoder.scale.undo(np.asarray(self.decoder(code)))
            changed = {} if change is None else {"given": np.asarray(seen)}
            return {"input": np.asarray(rows, np.float32), **changed, "reconstruction": back}

        return made


def squeezed(encoder: Encoder, make_decoder: DecoderMaker, code: int | None, seed: int) -> Reconstruction:
    """Put a code and a decoder behind an encoder.

    Args:
        encoder: to train.
        make_decoder: as an objective's method is given it.
        code: numbers of the code; None for an eighth of a row's entries, at most 128 and no more than the features.
        seed: of the initial weights of the code.

    Raises:
        LayerError: if the encoder cannot be mirrored.
    """
    size = code_size(encoder, code)
    squeeze = keras.Sequential(
        [keras.Input((encoder.features,)), keras.layers.Dense(size, kernel_initializer=glorot(seed), name="code")],
        name="squeeze",
    )
    return Reconstruction(encoder, squeeze, make_decoder(size))


def code_size(encoder: Encoder, code: int | None) -> int:
    """Numbers of a code: as asked for, or so few that it cannot copy."""
    if code is not None:
        return code
    return max(_LEAST, min(_MOST, encoder.entries // _SHARE, encoder.features))


def glorot(seed: int) -> keras.initializers.Initializer:
    """The usual initial kernels, from a seed."""
    return keras.initializers.GlorotUniform(seed)
