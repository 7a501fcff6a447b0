"""Which labels are likely wrong, by what a model says of examples that it has not learnt from (confident learning).

With probabilities p (n, k) and given labels y (n,), a class counts as confident from what it is given on average where
it is the label:

    t_j = mean of p_j over the examples with y = j, or 1 / k where that is more

The confident joint counts examples by their label i and by the class j that is most probable of those with p_j >= t_j.
Made to agree with how often each label is given, it estimates the share of examples with label i that should have j:

    C_ij = #(y = i, confident class j)      Q_ij = C_ij / sum_j C_ij · #(y = i) / n

The share of wrong labels, s, is what lies off the diagonal. Beside the most probable other class o a label has the
score p_y / (p_y + p_o), 0 to 1. The n s examples with the least scores are suspects, but for those above 1/2, of which
the label is the most probable class.

The bound 1 / k is not in the paper. Without it a class that the model does not recognise has a t_j near 0, and about
half of what is given another label counts as confidently that class: of 510 right labels, ten of them of such a class,
0.29 were estimated to be wrong, and 0.02 with the bound.

What a model is sure of and wrong about counts as an error too, and what it is not sure of never does. So the share is
an estimate by this model; the bounds say how far it moves with the examples drawn, not how good the model is.

The paper chooses suspects by class: of label i the n sum_{j != i} Q_ij with the least p_i, or the n Q_ij with the
largest p_j - p_i for each j. Precision and recall by these, and by the score over all classes as here, where labels had
been exchanged on purpose:

    2 % of 5,000 of MNIST              0.86 0.93    0.84 0.82    0.88 0.95
    5 % of 4,000 of Fashion-MNIST      0.46 0.95    0.43 0.85    0.48 0.98
    the same, each to its like         0.41 0.85    0.43 0.87    0.42 0.87
    3 %, of one class, to its like     0.24 0.68    0.25 0.68    0.19 0.53
    20 of 600 scanned digits           0.75 0.79    0.84 0.74    0.88 0.96

Source: Northcutt, Jiang & Chuang (2021), "Confident learning: estimating uncertainty in dataset labels", JAIR 70,
equations 1 to 3, but for the bound; the choice of section 3.2 but over all classes at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.grouping import number_groups
from transfer.evidence.resampling import Floats, bootstrap
from transfer.output_scores import Measure

SHARE = "share of wrong labels"
_ROUNDING = 1e-9  # a mean of equal numbers may lie above them
_MANY, _UNSURE = 0.1, 0.05
_EVEN = 0.5  # score of a label that is as probable as another
_NONE = -1  # in place of a class, where none is confident


@dataclass(frozen=True, slots=True, eq=False)
class LabelErrors:
    """What probabilities say of labels.

    Attributes:
        scores: (n,) how probable the given label is beside the most probable other one, 0 to 1; low is doubtful.
        suggested: (n,) that other one.
        order: (n,) places of all examples, the most doubtful first.
        suspects: (m,) places of those whose label is likely wrong, the most doubtful first.
        joint: (k, k) share of examples by given label and by what it should be.
        share: of wrong labels, with 95 % bounds where they can be told.
    """

    scores: Floats = field(repr=False)
    suggested: NDArray[np.int64] = field(repr=False)
    order: NDArray[np.int64] = field(repr=False)
    suspects: NDArray[np.int64]
    joint: Floats = field(repr=False)
    share: Measure


def find_label_errors(
    probabilities: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    *,
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> LabelErrors:
    """Find labels that are likely wrong.

    Args:
        probabilities: (n, k), of a model that has not learnt from the example; each row sums to 1.
        labels: (n,), each in 0 … k - 1.
        groups: (n,), numbers of groups of examples that are alike; they are drawn together for the bounds.
        seed: of the draws.

    Raises:
        ValueError: if there is no example, fewer than two classes, or their shapes or values are others.
    """
    given = _checked(probabilities, labels)
    rows, count, classes = np.asarray(probabilities, np.float64), len(labels), probabilities.shape[1]
    own = np.arange(count)
    others = rows.copy()
    others[own, given] = -np.inf
    suggested = others.argmax(1)
    scores = rows[own, given] / (rows[own, given] + rows[own, suggested])
    joint = confident_joint(rows, given, np.ones(count)) / count
    order = np.argsort(scores, kind="stable")
    first = order[: round(count * _off_diagonal(joint))]
    share = bootstrap(
        lambda counts: np.array([[_off_diagonal(confident_joint(rows, given, each))] for each in counts]),
        number_groups(groups, count),
        seed,
    )
    (measured,) = share.measures((SHARE,), (count,))
    return LabelErrors(
        scores, suggested, order, first[scores[first] < _EVEN], joint.reshape(classes, classes), measured
    )


def is_too_weak(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> bool:
    """Whether what a model contradicts may well be errors of its own: it contradicts many labels without being sure.

    So where it contradicts more than a tenth, and gives half of these labels more than 1 in 20. On 5,000 digits of
    MNIST of which a tenth had another label it contradicted 12 % and gave half of them less than 0.013; of 300 clip-art
    pictures, rightly labelled, 41 % and more than 0.16.

    Args:
        probabilities: (n, k).
        labels: (n,).
    """
    own = probabilities[np.arange(len(labels)), labels]
    contradicted = own < probabilities.max(1)
    return bool(contradicted.mean() > _MANY and np.median(own[contradicted]) > _UNSURE)


def confident_joint(rows: Floats, labels: NDArray[np.int64], counts: Floats) -> Floats:
    """(k, k) n Q: examples by given label and by what it should be, each row summing to how often that label is given.

    Of a label of which no example is confidently anything, all are taken for right.

    Args:
        rows: (n, k) probabilities.
        labels: (n,).
        counts: (n,) how often each example counts.
    """
    classes = rows.shape[1]
    given = np.bincount(labels, counts, classes)
    certain = np.bincount(labels, counts * rows[np.arange(len(rows)), labels], classes)
    usual = np.divide(certain, given, out=np.full(classes, np.inf), where=given > 0)
    thresholds = np.maximum(usual, 1 / classes) - _ROUNDING
    confident = np.where(rows >= thresholds, rows, _NONE)
    found = confident.argmax(1)
    is_any = confident[np.arange(len(rows)), found] > _NONE
    places = labels[is_any] * classes + found[is_any]
    joint = np.bincount(places, counts[is_any], classes * classes).reshape(classes, classes)
    joint[joint.sum(1) == 0] = np.eye(classes)[joint.sum(1) == 0]
    return np.asarray(joint * (given / joint.sum(1))[:, None], np.float64)


def _off_diagonal(joint: Floats) -> float:
    """Share of what lies off it."""
    return float(1 - np.trace(joint) / joint.sum())


def _checked(probabilities: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.int64]:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise ValueError(f"probabilities {probabilities.shape} for labels {labels.shape}; expected (n, k) and (n,)")
    classes = probabilities.shape[1]
    if classes < 2 or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels {labels.min()} to {labels.max()} for {classes} classes; two at least are told apart")
    if not np.allclose(probabilities.sum(1), 1, atol=1e-4) or probabilities.min() < 0:
        raise ValueError("probabilities are at least 0, and sum to 1 for each example")
    return labels.astype(np.int64)
