"""Variational autoencoder: a code that is a distribution near the normal one, from a draw of which rows are given back.

With a mean m and a log variance v of each of k numbers of the code, linear in the features, and rows of D entries,

    L = mean over entries of (g(m + exp(v / 2) e) - s(x))² + β KL / D        e ~ N(0, 1)
    KL = ½ sum over k of (m² + exp(v) - v - 1), in nats an example

which is the evidence bound of rows with Gaussian errors of variance ½, divided by D, where β is 1. Less of it
leaves the code more to say, which features for other tasks need.

Source: Kingma & Welling (2014), "Auto-encoding variational Bayes", ICLR, sections 2 and 3, appendix B; Higgins et al.
(2017), "beta-VAE", ICLR, section 2, for the weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.training.pretraining.bounds import CODE, Bounds, check
from transfer.training.pretraining.encoders import Encoder
from transfer.training.pretraining.objectives import Batch, DecoderMaker, Measures, Objective, Player
from transfer.training.pretraining.reconstruction import ERROR, Reconstruction, code_size, glorot

LOSS, DIVERGENCE = "loss", "divergence"
_WIDEST = 10.0  # log variances beyond this would overflow
_SHOWN = 0  # the seed of what is drawn for pictures


@dataclass(frozen=True, slots=True)
class Variational:
    """Its options.

    Attributes:
        beta: weight of the divergence.
        code: as of an autoencoder.
    """

    beta: float = 0.1
    code: int | None = None

    BOUNDS: ClassVar[Mapping[str, Bounds]] = {"beta": Bounds(0), "code": CODE}

    def __post_init__(self) -> None:
        check(self, self.BOUNDS)

    def build(self, encoder: Encoder, make_decoder: DecoderMaker, seed: int) -> Objective:
        """The objective; see `objectives.Method`."""
        size = code_size(encoder, self.code)
        told = [keras.layers.Dense(2 * size, kernel_initializer=glorot(seed), name="distribution")]
        squeeze = keras.Sequential([keras.Input((encoder.features,)), *told], name="squeeze")
        whole = Reconstruction(encoder, squeeze, make_decoder(size))

        def loss(batch: Batch) -> Measures:
            mean, log_variance = _parted(squeeze(encoder.flat(batch.rows), training=True))
            drawn = mean + tf.exp(log_variance / 2) * tf.random.stateless_normal(tf.shape(mean), batch.seed)
            error = whole.error(whole.decoder(drawn, training=True), batch.rows)
            divergence = tf.reduce_mean(tf.reduce_sum(kl_to_normal(mean, log_variance), axis=1))
            return {
                LOSS: error + self.beta * divergence / encoder.entries,
                ERROR: error,
                DIVERGENCE: divergence,
            }

        player = Player("variational", tuple(whole.models.values()), loss)
        return whole.objective(player, _pictures(whole, size))


def kl_to_normal(mean: Any, log_variance: Any) -> Any:
    """Kullback-Leibler divergence of normal distributions from the standard one, of each number by itself, in nats."""
    return (tf.square(mean) + tf.exp(log_variance) - log_variance - 1) / 2


def _parted(distribution: Any) -> tuple[Any, Any]:
    mean, log_variance = tf.split(distribution, 2, axis=1)
    return mean, tf.clip_by_value(log_variance, -_WIDEST, _WIDEST)


def _pictures(whole: Reconstruction, size: int) -> Any:
    def made(rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        encoder = whole.encoder
        given = tf.constant(np.asarray(rows, np.float32))
        features = tf.reshape(encoder.model(given), (-1, encoder.features))
        mean, _ = _parted(whole.squeeze(features))
        drawn = np.random.default_rng(_SHOWN).normal(size=(len(rows), size)).astype(np.float32)
        back, made_up = (encoder.scale.undo(np.asarray(whole.decoder(each))) for each in (mean, drawn))
        return {"input": np.asarray(rows, np.float32), "reconstruction": back, "generated": made_up}

    return made
