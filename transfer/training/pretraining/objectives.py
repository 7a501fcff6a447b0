"""What pretraining asks of the networks that it trains, in the terms that the loop needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import keras
import tensorflow as tf
from numpy.typing import NDArray

from transfer.training.pretraining.encoders import Encoder

Measures: TypeAlias = Mapping[str, Any]  # scalars by name; the first is what is made small
Loss: TypeAlias = Callable[["Batch"], Measures]
Pictures: TypeAlias = Callable[[NDArray[Any]], dict[str, NDArray[Any]]]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a step learns from.

    Attributes:
        rows: (b, …) single precision, as they go into the encoder.
        seed: (2,) int32, of this step and player: whatever is drawn comes from it.
    """

    rows: Any
    seed: Any

    def seeds(self, count: int) -> list[Any]:
        """So many seeds that have nothing to do with each other."""
        return list(tf.unstack(tf.random.experimental.stateless_split(self.seed, count)))


@dataclass(frozen=True, slots=True)
class Player:
    """Somebody who moves some of the weights to make a loss of his own small. Most objectives have one.

    Attributes:
        name: of the player.
        models: whose trainable weights he moves.
        loss: of a batch.
        rate_share: of the learning rate.
        beta_1: how long Adam remembers gradients.
    """

    name: str
    models: tuple[keras.Model, ...]
    loss: Loss
    rate_share: float = 1.0
    beta_1: float = 0.9


@dataclass(frozen=True, slots=True)
class Objective:
    """A method, with everything that it trains.

    Attributes:
        encoder: what is kept in the end.
        players: who move in every step, one after the other.
        models: all that holds weights or statistics, by name, the encoder first.
        variables: whatever else a step changes.
        pictures: from raw rows (m, …) to what there is to look at, each (m, …) in raw units; None where nothing is.
        decoder: among these models, what leads back to rows; None where nothing does.
        worst: the loss of an answer that ignores its input, by the measure's name.
        worst_of_batch: likewise, where it depends on the examples of a step.
        finish: makes the encoder what it is to be once all steps are taken.
    """

    encoder: Encoder
    players: tuple[Player, ...]
    models: Mapping[str, keras.Model]
    variables: tuple[Any, ...] = ()
    pictures: Pictures | None = field(default=None, repr=False)
    decoder: keras.Model | None = None
    worst: Mapping[str, float] = field(default_factory=dict)
    worst_of_batch: Callable[[int], Mapping[str, float]] = lambda _: {}
    finish: Callable[[], None] = lambda: None


class Method(Protocol):
    """How to pretrain: its options, and the objective that they make of an encoder."""

    def build(self, encoder: Encoder, make_decoder: DecoderMaker, seed: int) -> Objective:
        """The objective.

        Args:
            encoder: to train.
            make_decoder: gives a network from a code of so many numbers to rows of the encoder's input.
            seed: of the initial weights of what is added.

        Raises:
            LayerError: if the method is not for this encoder.
        """
        ...


DecoderMaker: TypeAlias = Callable[[int], keras.Model]
