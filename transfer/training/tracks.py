"""Weights on their way through the stages: on all examples that are learnt from, or on the part of a trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.models.variables import copy_variables
from transfer.recipes import Stage
from transfer.surgery.network import Network, Tensors
from transfer.training.choosing import Choice
from transfer.training.features import Answering
from transfer.training.interpolating import Weights, interpolate
from transfer.training.prefixing import with_tensors
from transfer.training.stepping import Stepping


@dataclass(slots=True)
class Track:
    """What is learnt from some examples.

    Attributes:
        rest: what follows the prefix, with its tensors as they are now.
        places: of the examples that it learns from.
        is_trial: whether others are chosen by.
    """

    rest: Network
    places: NDArray[np.int64]
    is_trial: bool = False

    def take(self, tensors: Tensors) -> None:
        """Have these in the place of its own."""
        self.rest = with_tensors(self.rest, tensors)

    def settle(self, model: keras.Model, before: Weights, choice: Choice | None, heads: Sequence[str]) -> None:
        """Take what is kept of a model's weights: all, or those on the line, as sure as they should be.

        Args:
            model: after a stage; that of a trial has the weights on the line already.
            before: its weights before the stage.
            choice: what is kept; None for all.
            heads: names of the layers that give the logits, in the order of the outputs.
        """
        kept = copy_variables(model)
        if choice is not None:
            kept = kept if self.is_trial else interpolate(before, kept, choice.alpha)
            for head, temperature in zip(heads, choice.temperatures, strict=True):
                for name in (f"{head}/kernel", f"{head}/bias"):
                    kept[name] = (kept[name] / temperature).astype(kept[name].dtype)
        self.take(kept)


@dataclass(frozen=True, slots=True)
class Trial:
    """What the trial of a stage came to.

    Attributes:
        stage: as it is then done on all examples.
        choice: what is kept of it.
        model: as it learnt, with what is kept of it.
        stepping: what took the steps; None where that was elsewhere.
        answer: that model's logits.
    """

    stage: Stage
    choice: Choice
    model: keras.Model
    stepping: Stepping | None
    answer: Answering
