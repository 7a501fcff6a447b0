"""Adversarial: a generator makes up rows, and the encoder must tell them from real ones.

With the discriminator D = w · f(x) + b on the features of the encoder, its kernels normalized by their spectral norms,
and a generator G of noise z,

    L_D = mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z)))        L_G = -mean D(G(z))        z ~ N(0, 1)

The discriminator moves at a higher rate than the generator. Statistics of its batch normalizations come from real rows
alone. What it has learnt to tell real rows by is kept; w, b and the generator are thrown away.

Sources: Radford, Metz & Chintala (2016), "Unsupervised representation learning with deep convolutional generative
adversarial networks", ICLR, sections 3 and 5; Miyato et al. (2018), "Spectral normalization for generative adversarial
networks", ICLR, section 2; Heusel et al. (2017), "GANs trained by a two time-scale update rule", NeurIPS, section 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.training.pretraining.bounds import Bounds, check
from transfer.training.pretraining.encoders import Encoder
from transfer.training.pretraining.objectives import Batch, DecoderMaker, Measures, Objective, Player
from transfer.training.pretraining.reconstruction import glorot
from transfer.training.pretraining.spectral import SpectralCall

LOSS, ACCURACY = "loss", "accuracy"
DISCRIMINATOR, GENERATOR = "discriminator", "generator"
_SHOWN = 0  # the seed of the noise in pictures


@dataclass(frozen=True, slots=True)
class Gan:
    """Its options.

    Attributes:
        noise: numbers that a row is made up from.
        discriminator_rate: share of the learning rate.
        generator_rate: likewise.
        beta_1: how long Adam remembers gradients; less than usual, as the other side moves too.
    """

    noise: int = 64
    discriminator_rate: float = 0.4
    generator_rate: float = 0.2
    beta_1: float = 0.5

    BOUNDS: ClassVar[Mapping[str, Bounds]] = {
        "noise": Bounds(1, whole=True),
        "discriminator_rate": Bounds(0, above=True),
        "generator_rate": Bounds(0, above=True),
        "beta_1": Bounds(0, 1, below=True),
    }

    def __post_init__(self) -> None:
        check(self, self.BOUNDS)

    def build(self, encoder: Encoder, make_decoder: DecoderMaker, seed: int) -> Objective:
        """The objective; see `objectives.Method`."""
        made = keras.layers.Dense(1, kernel_initializer=glorot(seed), name="real")
        whole = keras.Model(
            encoder.model.input, made(keras.layers.Reshape((encoder.features,))(encoder.model.output)), name="judging"
        )
        generator, judge = make_decoder(self.noise), SpectralCall(whole, seed)

        def generated(batch: Batch) -> Any:
            noise = tf.random.stateless_normal((tf.shape(batch.rows)[0], self.noise), batch.seed)
            return as_rows(encoder, generator(noise, training=True))

        def discriminate(batch: Batch) -> Measures:
            real, made_up = judge(batch.rows, follows=True), judge(generated(batch), follows=False)
            return judged(real, made_up)

        def generate(batch: Batch) -> Measures:
            return {LOSS: -tf.reduce_mean(judge(generated(batch), follows=False))}

        def pictures(rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
            drawn = np.random.default_rng(_SHOWN).normal(size=(len(rows), self.noise)).astype(np.float32)
            return {"input": np.asarray(rows, np.float32), "generated": np.asarray(as_rows(encoder, generator(drawn)))}

        return Objective(
            encoder,
            (
                Player(DISCRIMINATOR, (whole,), discriminate, self.discriminator_rate, self.beta_1),
                Player(GENERATOR, (generator,), generate, self.generator_rate, self.beta_1),
            ),
            {"encoder": encoder.model, "judging": _alone(made), "generator": generator},
            variables=judge.variables,
            pictures=pictures,
            decoder=generator,
            finish=judge.bake,
        )


def judged(real: Any, made_up: Any) -> Measures:
    """The discriminator's hinge loss, and how often it is right, by what it says (b, 1) of real and made-up rows."""
    lost = tf.reduce_mean(tf.nn.relu(1 - real)) + tf.reduce_mean(tf.nn.relu(1 + made_up))
    right = [tf.reduce_mean(tf.cast(each, tf.float32)) for each in (real > 0, made_up < 0)]
    return {LOSS: lost, ACCURACY: tf.add_n(right) / 2}


def as_rows(encoder: Encoder, made: Any) -> Any:
    """Raw rows from what a generator gives: images between black and white, others as they are scaled."""
    if not encoder.is_image:
        return made * encoder.scale.spread + encoder.scale.mean
    return encoder.black + (encoder.white - encoder.black) * tf.sigmoid(made)


def _alone(layer: keras.Layer) -> keras.Model:
    """A built layer as a model, so that it is saved beside the encoder and not twice with it."""
    size = int(layer.kernel.shape[0])
    return keras.Sequential([keras.Input((size,)), layer], name="real")
