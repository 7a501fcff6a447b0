"""Labels as rows of numbers in which every loss is linear, so that a mixed example's row is the mixed rows.

An output of k classes has these columns; an example of which it knows nothing has zeros in all of them:

    softmax      T_c        k columns, what the example has of class c
    sigmoid      Y_c, N_c   2 k columns, what it has of yes and of no
    regression   w, w v, w v^2   3 k columns, for a number v of weight w

`output_losses` says what becomes of them. Smoothing spreads a share evenly: over the classes of one parent's class, or
over yes and no. Weights of classes are 1 on average over what is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import UNKNOWN, known
from transfer.labellings import Output
from transfer.training.labels import Labels
from transfer.training.losses import balanced_weights, soft_targets

Rows = NDArray[np.float32]


class Encoder:
    """Makes the rows of examples when they are asked for.

    Attributes:
        width: columns of all outputs.
    """

    def __init__(self, labels: Labels, *, smoothing: float = 0.0, balanced: bool = False) -> None:
        """Count the classes.

        Args:
            labels: of all examples.
            smoothing: share of each label that is spread.
            balanced: whether classes are weighed in all outputs, and not alone in those that say so.
        """
        self._labels, self._smoothing = labels, smoothing
        self._shares = labels.known_shares()
        self._weights = [
            _weights(output, values) if balanced or output.class_weights == "balanced" else None
            for output, values in zip(labels.labelling, labels.targets, strict=True)
        ]
        self.width = self.rows(np.arange(0)).shape[1]

    def rows(self, places: NDArray[np.integer[Any]]) -> Rows:
        """(b, width), of the examples at some places."""
        parts = [
            _encoded(output, values[places], self._smoothing, weights)
            for output, values, weights in zip(self._labels.labelling, self._labels.targets, self._weights, strict=True)
        ]
        return np.concatenate(parts, axis=1)

    def shares(self, places: NDArray[np.integer[Any]]) -> Rows:
        """(b, outputs), how much of what each output says is known."""
        found: Rows = self._shares[places]
        return found


def _weights(output: Output, values: NDArray[Any]) -> NDArray[np.float64] | None:
    """(k,) of classes, within each parent's class; (2, k) of yes and no; None where there is nothing to weigh."""
    if output.kind == "regression":
        return None
    if output.kind == "sigmoid":
        columns = [balanced_weights(1 - each[each != UNKNOWN], 2) for each in values.T]
        return np.stack(columns, axis=1)
    weights = np.zeros(len(output.classes))
    for _, places in output.groups:
        inside = values[(values >= places.start) & (values < places.stop)] - places.start
        weights[places] = balanced_weights(inside, places.stop - places.start)
    return weights


def _encoded(output: Output, values: NDArray[Any], smoothing: float, weights: NDArray[np.float64] | None) -> Rows:
    if output.kind == "softmax":
        return _of_classes(output, values, smoothing, weights)
    there = known(values)
    if output.kind == "sigmoid":
        yes = np.where(there, values * (1 - smoothing) + smoothing / 2, 0)
        no = np.where(there, 1 - yes, 0)
        of_label = 1.0 if weights is None else np.where(values == 1, weights[0], weights[1])
        return np.concatenate([yes * of_label, no * of_label], axis=1).astype(np.float32)
    numbers = np.where(there, values, 0)
    return np.concatenate([there, numbers, numbers**2], axis=1).astype(np.float32)


def _of_classes(
    output: Output, values: NDArray[np.int64], smoothing: float, weights: NDArray[np.float64] | None
) -> Rows:
    if not output.parent and (values != UNKNOWN).all():
        return soft_targets(values, len(output.classes), smoothing=smoothing, weights=weights)
    rows = np.zeros((len(values), len(output.classes)), np.float32)
    for _, places in output.groups:
        inside = np.flatnonzero((values >= places.start) & (values < places.stop))
        own = None if weights is None else weights[places]
        count = places.stop - places.start
        rows[inside, places] = soft_targets(values[inside] - places.start, count, smoothing=smoothing, weights=own)
    return rows
