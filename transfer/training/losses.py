"""Cross-entropy on logits, towards targets that hold what a stage asks for: smoothing, class weights, mixing.

An example of class y with weight v has the target row T = v ((1 - s) onehot(y) + s / k), s the smoothing; two that
are mixed with share q have q T_i + (1 - q) T_j; one that only fills up a batch has zeros. The loss of a batch is

    - sum_ic T_ic log softmax(logits_i)_c / (number of its own examples)

Sources: Szegedy et al. (2016), section 7; King & Zeng (2001), section 4.2; Zhang et al. (2018), section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_MIXING = 1  # tells the draws of mixing from those of the order, which come from (seed, epoch)


@dataclass(frozen=True, slots=True)
class Mixing:
    """Which examples of a batch are mixed, and how much of each.

    Attributes:
        partners: (b,), place in the batch of the one that is mixed into each.
        shares: (b,), what is left of the first; 1 for examples that only fill up.
    """

    partners: NDArray[np.intp] = field(repr=False)
    shares: NDArray[np.float32] = field(repr=False)

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The rows of (b, …), features or targets, mixed."""
        shares = self.shares.reshape(-1, *[1] * (values.ndim - 1))
        return shares * values + (1 - shares) * values[self.partners]


def draw_mixing(alpha: float, count: int, size: int, *, seed: int, epoch: int, step: int) -> Mixing:
    """Pair the examples of a batch, with one share for all.

    Args:
        alpha: of Beta(alpha, alpha), above 0.
        count: examples that are the batch's own; they are mixed among themselves.
        size: b, with those that fill it up.
        seed: of the run; with `epoch` and `step` it settles the draw.
        epoch: from 1.
        step: within the epoch, from 0.

    Source: Zhang et al. (2018), section 2 and figure 1.
    """
    random = np.random.default_rng((seed, epoch, step, _MIXING))
    shares, partners = np.ones(size, np.float32), np.arange(size)
    shares[:count] = random.beta(alpha, alpha)
    partners[:count] = random.permutation(count)
    return Mixing(partners, shares)


def balanced_weights(labels: NDArray[np.integer[Any]], classes: int) -> NDArray[np.float64]:
    """Weight of each class, (k,): n / (classes present * count), so that it is 1 on average over the examples.

    A class without an example weighs nothing.

    Source: King & Zeng (2001), section 4.2.
    """
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    if not present.any():
        return np.zeros(classes)
    return np.where(present, len(labels) / (present.sum() * np.maximum(counts, 1)), 0.0)


def soft_targets(
    labels: NDArray[np.integer[Any]],
    classes: int,
    *,
    smoothing: float = 0.0,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """A row for each label, (b, k).

    Args:
        labels: (b,), each in 0 … k - 1.
        classes: k.
        smoothing: share that is spread evenly over all classes.
        weights: (k,), of the classes.

    Source: Szegedy et al. (2016), section 7.
    """
    rows = np.full((len(labels), classes), smoothing / classes)
    rows[np.arange(len(labels)), labels] += 1 - smoothing
    if weights is not None:
        rows *= weights[labels][:, None]
    return rows.astype(np.float32)


def distance_penalty(variables: Sequence[Any], starts: Sequence[Any], factor: float) -> Any:
    """`factor / 2` times the squared distance of variables from where they began.

    Source: Li et al. (2018), "Explicit inductive bias for transfer learning with convolutional networks", section 3.
    """
    halves = [tf.nn.l2_loss(each - start) for each, start in zip(variables, starts, strict=True)]
    return factor * tf.add_n(halves) if halves else tf.constant(0.0)
