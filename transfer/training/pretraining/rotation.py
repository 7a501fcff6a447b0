"""Rotation: images are turned by 0, 90, 180 or 270 degrees, and the network must say by how much.

With the classifier h of four logits on the features of an image turned by r quarters, all four of each image,

    L = mean over images and r of -log softmax(h(f(turn(x, r))))[r]

Nobody can tell that does not know what things look like upright. Of a batch of b images four b are looked at.

Source: Gidaris, Singh & Komodakis (2018), "Unsupervised representation learning by predicting image rotations", ICLR,
section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any

import keras
import tensorflow as tf

from transfer.errors import LayerError, Problem
from transfer.training.pretraining.encoders import Encoder
from transfer.training.pretraining.objectives import Batch, DecoderMaker, Measures, Objective, Player
from transfer.training.pretraining.reconstruction import glorot

LOSS, ACCURACY = "loss", "accuracy"
TURNS = 4


@dataclass(frozen=True, slots=True)
class Rotation:
    """It has no options."""

    def build(self, encoder: Encoder, make_decoder: DecoderMaker, seed: int) -> Objective:  # noqa: ARG002
        """The objective; see `objectives.Method`.

        Raises:
            LayerError: if the encoder does not take square images.
        """
        if not encoder.is_image or encoder.shape[0] != encoder.shape[1]:
            raise LayerError(
                "Only square images can be turned.",
                [Problem(encoder.model.name, "an input (s, s, c)", str(encoder.shape))],
                "fit images to a square with --size, or take another method: masked, contrastive",
            )
        answer = keras.Sequential(
            [
                keras.Input((encoder.features,)),
                keras.layers.Dense(TURNS, kernel_initializer=glorot(seed), name="turns"),
            ],
            name="turning",
        )

        def loss(batch: Batch) -> Measures:
            rows, turns = turned(batch.rows)
            logits = answer(encoder.flat(rows))
            lost = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=turns, logits=logits)
            right = tf.equal(tf.argmax(logits, 1, tf.int32), turns)
            return {LOSS: tf.reduce_mean(lost), ACCURACY: tf.reduce_mean(tf.cast(right, tf.float32))}

        models = {"encoder": encoder.model, "turning": answer}
        return Objective(encoder, (Player("rotation", tuple(models.values()), loss),), models, worst={LOSS: log(TURNS)})


def turned(rows: Any) -> tuple[Any, Any]:
    """Images (b, s, s, c) turned by each number of quarters, (4 b, s, s, c), and these numbers, (4 b,)."""
    several = [tf.image.rot90(rows, quarters) for quarters in range(TURNS)]
    return tf.concat(several, 0), tf.repeat(tf.range(TURNS), tf.shape(rows)[0])
