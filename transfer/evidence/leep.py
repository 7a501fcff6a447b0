"""What a pretrained network's own answers tell of new labels: LEEP from its probabilities, NCE from its classes.

With theta(x)_z the probability that its head gives source class z, of which there are s, for example x, and labels y,

    P(y, z) = 1/n sum_{i: y_i = y} theta(x_i)_z        P(y | z) = P(y, z) / P(z)

    LEEP = 1/n sum_i log sum_z P(y_i | z) theta(x_i)_z        NCE = sum_{y, z} P(y, z) log P(y | z) = -H(Y | Z)

Both are in nats, at most 0, and higher for a better start; where each answer is certain they are the same. They compare
heads on the same labels, not labels with others, as having more classes lowers them.

Source: Nguyen, Hassner, Seeger & Archambeau (2020), "LEEP: a new measure to evaluate transferability of learned
representations", ICML, section 2; Tran, Nguyen & Hassner (2019), "Transferability and hardness of supervised
classification tasks", ICCV, section 3; Ibrahim, Ponomareva & Mazumder (2022), "Newer is not always better", on labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.resampling import Floats
from transfer.evidence.spectra import one_hot

_ROUNDING = 1e-2  # by which a sum of probabilities may miss 1, as many of 16 bits do


def leep_score(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> float:
    """LEEP: log likelihood of the labels, in nats an example, by way of the source classes.

    Args:
        probabilities: (n, s) of the source classes, each row with the sum 1.
        labels: (n,).

    Raises:
        ValueError: if there are none, their numbers differ, or a row is no distribution.
    """
    theta = np.asarray(probabilities, np.float64)
    if theta.ndim != 2 or not theta.size or len(theta) != len(labels):
        raise ValueError(f"probabilities of shape {theta.shape} for {len(labels)} labels")
    if not ((theta >= 0).all() and (abs(theta.sum(1) - 1) <= _ROUNDING).all()):
        raise ValueError("some rows are not probabilities with the sum 1")
    theta = theta / theta.sum(1, keepdims=True)
    wanted = one_hot(labels)
    expected = theta @ _conditional(wanted.T @ theta).T
    return float(np.log(expected[wanted == 1]).mean())


def nce_score(source_classes: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]]) -> float:
    """NCE: minus the entropy that is left of the labels where the source class is known, in nats an example.

    Args:
        source_classes: (n,), the most probable of each example.
        labels: (n,).

    Raises:
        ValueError: if there are none, or their numbers differ.
    """
    if source_classes.shape != labels.shape or not labels.size:
        raise ValueError(f"{len(source_classes)} source classes for {len(labels)} labels")
    counts = one_hot(labels).T @ one_hot(source_classes)
    found = counts > 0
    return float((counts[found] * np.log(_conditional(counts)[found])).sum() / len(labels))


def _conditional(joint: Floats) -> Floats:
    """P(y | z) of P(y, z), (k, s), up to a factor; 0 for a source class that is never answered."""
    whole = joint.sum(0)
    return np.asarray(np.divide(joint, whole, out=np.zeros_like(joint), where=whole > 0), np.float64)
