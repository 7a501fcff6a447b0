"""Contrastive: two views of a row must be nearer to each other than to the views of all other rows of the batch.

With z a projection of the features of 2 b views, of length 1, and the temperature τ, a pair of views i, j of a row
costs

    l(i, j) = -log( exp(z_i · z_j / τ) / sum over k != i of exp(z_i · z_k / τ) )

and L is the mean over all 2 b of them (NT-Xent). The projection, a layer of as many units as there are features and one
of fewer, is thrown away: what is before it keeps more of what the views change.

Source: Chen et al. (2020), "A simple framework for contrastive learning of visual representations", ICML, section 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log
from typing import Any, ClassVar

import keras
import tensorflow as tf

from transfer.training.pretraining.bounds import Bounds, check
from transfer.training.pretraining.encoders import Encoder
from transfer.training.pretraining.objectives import Batch, DecoderMaker, Measures, Objective, Player
from transfer.training.pretraining.reconstruction import glorot
from transfer.training.pretraining.views import Views

LOSS, ACCURACY = "loss", "accuracy"
_ITSELF = -1e9  # in place of a view's product with itself
_NONE = 1e-12  # a length below this has no direction, nor a gradient


@dataclass(frozen=True, slots=True)
class Contrastive:
    """Its options.

    Attributes:
        temperature: τ.
        projection: numbers of z.
        views: how strongly they differ.
    """

    temperature: float = 0.2
    projection: int = 64
    views: Views = field(default_factory=Views)

    BOUNDS: ClassVar[Mapping[str, Bounds]] = {
        "temperature": Bounds(0, above=True),
        "projection": Bounds(1, whole=True),
    }

    def __post_init__(self) -> None:
        check(self, self.BOUNDS)

    def build(self, encoder: Encoder, make_decoder: DecoderMaker, seed: int) -> Objective:  # noqa: ARG002
        """The objective; see `objectives.Method`."""
        width = encoder.pooled_features
        project = keras.Sequential(
            [
                keras.Input((width,)),
                keras.layers.Dense(width, activation="relu", kernel_initializer=glorot(seed), name="hidden"),
                keras.layers.Dense(self.projection, kernel_initializer=glorot((seed + 1) % 2**32), name="projection"),
            ],
            name="projecting",
        )

        def loss(batch: Batch) -> Measures:
            views = [self.views.draw(encoder, batch.rows, each) for each in batch.seeds(2)]
            projected = project(encoder.pooled(tf.concat(views, 0)))
            lost, right = nt_xent(projected, self.temperature)
            return {LOSS: lost, ACCURACY: right}

        def pictures(rows: Any) -> dict[str, Any]:
            given = tf.constant(rows, tf.float32)
            drawn = [self.views.draw(encoder, given, tf.constant((0, place))).numpy() for place in range(2)]
            return {"input": given.numpy(), "view": drawn[0], "other view": drawn[1]}

        models = {"encoder": encoder.model, "projecting": project}
        player = Player("contrastive", tuple(models.values()), loss)
        return Objective(
            encoder, (player,), models, pictures=pictures, worst_of_batch=lambda size: {LOSS: chance(size)}
        )


def nt_xent(projected: Any, temperature: float) -> tuple[Any, Any]:
    """The loss in nats, and the share of views that are nearest to the other view of their row.

    Args:
        projected: (2 b, d), first views of b rows and then the second ones, of any length; one of 0, as an encoder
            without biases gives of a black image, is at right angles to all and moves nothing.
        temperature: τ.
    """
    length = tf.norm(projected, axis=1, keepdims=True)
    directions = tf.where(length > _NONE, projected / tf.maximum(length, _NONE), 0.0)
    count = tf.shape(directions)[0]
    products = tf.matmul(directions, directions, transpose_b=True) / temperature
    products = tf.linalg.set_diag(products, tf.fill([count], tf.constant(_ITSELF, products.dtype)))
    partners = tf.roll(tf.range(count), count // 2, 0)
    lost = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=partners, logits=products)
    right = tf.equal(tf.argmax(products, 1, tf.int32), partners)
    return tf.reduce_mean(lost), tf.reduce_mean(tf.cast(right, tf.float32))


def chance(batch: int) -> float:
    """The loss where all views are the same, in nats, of batches of so many rows."""
    return log(2 * batch - 1)
