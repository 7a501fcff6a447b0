"""How far the probabilities of answers are from the share of them that is right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import known
from transfer.evidence.resampling import Floats
from transfer.labellings import Output
from transfer.output_scores import Measure

BINS = 15

Labels = NDArray[np.integer[Any]]


def expected_calibration_error(confidences: Floats, right: NDArray[np.bool_], *, bins: int = BINS) -> float:
    """Mean distance between the confidence of a bin and its share of right answers, each as often as it has answers.

        ECE = sum_m n_m / n |share right in m - mean confidence in m|

    Args:
        confidences: (n,), n > 0, in [0, 1]; those in ((m - 1) / bins, m / bins] are in bin m.
        right: (n,).
        bins: of equal widths.

    Source: Naeini, Cooper & Hauskrecht (2015), "Obtaining well calibrated probabilities using Bayesian binning",
    section 4; Guo et al. (2017), "On calibration of modern neural networks", section 2.
    """
    places = place_in_bins(confidences, bins)
    apart = np.bincount(places, right - confidences, minlength=bins)
    return float(np.abs(apart).sum() / len(confidences))


def place_in_bins(confidences: Floats, bins: int = BINS) -> NDArray[np.int64]:
    """(n,), in which of so many parts of [0, 1] each confidence lies; one between two parts is in the lower."""
    return np.asarray(np.clip(np.ceil(confidences * bins).astype(np.int64) - 1, 0, bins - 1), np.int64)


def calibration_error(output: Output, wanted: Labels, logits: NDArray[np.floating[Any]]) -> Measure | None:
    """The expected calibration error of an output's logits: of the class answered, or of yes for all labels together.

    Args:
        output: of softmax or sigmoid; of a child within its parent's class.
        wanted: (n,) or (n, k), -1 where not known.
        logits: (n, k).

    Returns:
        None where nothing is known, and of a regression.
    """
    if output.kind == "regression" or not known(wanted).any():
        return None
    if output.kind == "sigmoid":
        asked = known(wanted)
        confidences, right = sigmoid(np.asarray(logits, np.float64))[asked], wanted[asked] == 1
    else:
        rows = known(wanted)
        inside = within_parent(output, wanted[rows], logits[rows])
        confidences, right = np.exp(log_softmax(inside)).max(1), inside.argmax(1) == wanted[rows]
    error = expected_calibration_error(confidences, right)
    return Measure("expected calibration error", error, None, None, len(confidences))


def within_parent(output: Output, wanted: Labels, logits: NDArray[np.floating[Any]]) -> Floats:
    """Logits (n, k) with -inf for classes under another class of the parent than the one wanted, (n,), all known."""
    group = np.empty(len(output.classes), np.int64)
    for place, (_, classes) in enumerate(output.groups):
        group[classes] = place
    return np.where(group == group[wanted][:, None], np.asarray(logits, np.float64), -np.inf)


def log_softmax(logits: Floats) -> Floats:
    """Logarithms of the probabilities, (n, k) to (n, k)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), np.float64)


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + exp(-logit)), element by element."""
    small = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1, small) / (1 + small), np.float64)
