"""The losses of all outputs, in nats an example, from logits and the rows of `encoding_labels`.

For logits l of one example, with the columns of its row:

    softmax      - sum_c T_c (1 - p_c)^gamma log p_c              p = softmax(l) within each parent's class
    sigmoid      - sum_c Y_c (1 - p_c)^gamma log p_c + N_c p_c^gamma log (1 - p_c)      p = sigmoid(l)
    regression   sum_c (w l^2 - 2 (w v) l + w v^2) / 2

Each is divided by how many examples of the batch are known: what is not known has no part in a loss or a gradient.
Several are added up with weights; by uncertainty (`balance`) as

    sum_o exp(-s_o) weight_o loss_o + s_o / 2

where the s are trained too: of an output with a large loss, s is large and its part small.

Sources: Lin et al. (2017), "Focal loss for dense object detection", section 3.2; Kendall, Gal & Cipolla (2018),
"Multi-task learning using uncertainty to weigh losses", section 3.2, for classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from transfer.labellings import Labelling, Output
from transfer.training.labels import logit_places

_COLUMNS = {"softmax": 1, "sigmoid": 2, "regression": 3}  # of a class


class OutputLosses:
    """What logits (b, K) of a labelling cost.

    Attributes:
        names: of the outputs.
        weights: (outputs,) factors on their losses.
    """

    def __init__(self, labelling: Labelling) -> None:
        self.names = labelling.names
        self.weights = np.array([each.weight for each in labelling], np.float32)
        self._outputs, self._logits = labelling.outputs, logit_places(labelling)
        ends = accumulate((_COLUMNS[each.kind] * len(each.classes) for each in labelling), initial=0)
        self._columns = [slice(start, end) for start, end in pairwise(ends)]

    def means(self, logits: Any, rows: Any, known: Any) -> Any:
        """(outputs,), the loss of each.

        Args:
            logits: (b, K).
            rows: (b, columns) of the same examples.
            known: (outputs,) how many examples of the whole batch are known; the loss of none is 0.
        """
        logits = tf.cast(logits, tf.float32)
        sums = [
            _LOSSES[output.kind](output, logits[:, places], rows[:, columns])
            for output, places, columns in zip(self._outputs, self._logits, self._columns, strict=True)
        ]
        return tf.math.divide_no_nan(tf.stack(sums), tf.cast(known, tf.float32))

    def total(self, means: Any, balance: Any = None, known: Any = 1.0, *, replicas: int = 1) -> Any:
        """The loss that is trained by.

        Args:
            means: (outputs,) of them, or what one of several devices adds to these.
            known: (outputs,) as for `means`: what is known of no example of a batch moves no balance.
            balance: (outputs,) s, for weights by uncertainty; None for fixed ones.
            replicas: devices that add a part each.
        """
        weighed = means * self.weights
        if balance is None:
            return tf.reduce_sum(weighed)
        there = tf.cast(tf.convert_to_tensor(known) > 0, tf.float32)
        return tf.reduce_sum(tf.exp(-balance) * weighed + there * balance / (2 * replicas))

    def weighed(self, means: Sequence[float]) -> float:
        """The sum of losses that are plain numbers, without a balance."""
        return float(sum(float(weight) * each for weight, each in zip(self.weights, means, strict=True)))


def group_log_softmax(output: Output, logits: Any) -> Any:
    """(b, k), log p(class | its parent's class)."""
    parts = [tf.nn.log_softmax(logits[:, places]) for _, places in output.groups]
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=1)


def _softmax(output: Output, logits: Any, rows: Any) -> Any:
    logarithms = group_log_softmax(output, logits)
    if output.focal:
        logarithms *= _focus(1 - tf.exp(logarithms), output.focal)
    return -tf.reduce_sum(rows * logarithms)


def _sigmoid(output: Output, logits: Any, rows: Any) -> Any:
    yes, no = tf.nn.softplus(-logits), tf.nn.softplus(logits)  # -log p and -log (1 - p)
    if output.focal:
        share = tf.sigmoid(logits)
        yes, no = yes * _focus(1 - share, output.focal), no * _focus(share, output.focal)
    return tf.reduce_sum(rows * tf.concat([yes, no], axis=1))


def _focus(against: Any, gamma: float) -> Any:
    """`against ** gamma`, whose slope at 0 is finite where it is rounded to that."""
    return tf.pow(tf.maximum(against, np.float32(1e-7)), gamma)


def _regression(_: Output, logits: Any, rows: Any) -> Any:
    weights, once, twice = tf.split(rows, 3, axis=1)
    return tf.reduce_sum(weights * logits**2 - 2 * once * logits + twice) / 2


_LOSSES = {"softmax": _softmax, "sigmoid": _sigmoid, "regression": _regression}
