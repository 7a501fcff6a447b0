"""How often answers are right beside how sure they were, part by part of [0, 1]: what a reliability diagram draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import known
from transfer.evidence.calibration_error import BINS, place_in_bins
from transfer.evidence.resampling import Floats
from transfer.labellings import Output

Labels = NDArray[np.integer[Any]]


def sure_answers(
    output: Output, wanted: Labels, shares: NDArray[np.floating[Any]], above: NDArray[np.floating[Any]] | None = None
) -> tuple[Floats, NDArray[np.bool_]]:
    """How sure each answer was, and whether it was right: of the class answered, or of yes for all labels together.

    Of what stands under a parent's class both are within it: given that the parent is what is wanted.

    Args:
        output: of softmax or sigmoid.
        wanted: (n,) or (n, k), -1 where not known, which is left out.
        shares: (n, k), probabilities.
        above: (n, k), of the parent's class under which each class stands; None without a parent.

    Returns:
        (m,) and (m,).
    """
    own = np.asarray(shares, np.float64)
    if output.kind == "sigmoid":
        given = own if above is None else np.divide(own, above, out=np.zeros_like(own), where=np.asarray(above) > 0)
        asked = known(wanted)
        return np.clip(given[asked], 0.0, 1.0), np.asarray(wanted[asked] == 1, np.bool_)
    rows = known(wanted)
    own, labels = own[rows], wanted[rows]
    group = np.empty(len(output.classes), np.int64)
    for place, (_, classes) in enumerate(output.groups):
        group[classes] = place
    inside = np.where(group == group[labels][:, None], own, 0.0)
    sums = inside.sum(1)
    there = sums > 0
    confidences = inside[there].max(1) / sums[there]
    return np.clip(confidences, 0.0, 1.0), np.asarray(inside[there].argmax(1) == labels[there], np.bool_)


def reliability(
    confidences: Floats, right: NDArray[np.bool_], *, bins: int = BINS
) -> tuple[tuple[float, float, int], ...]:
    """Mean confidence, share of right answers and number of answers of each part of [0, 1] that has any, in order.

    Args:
        confidences: (n,), in [0, 1]; the parts are those of the expected calibration error.
        right: (n,).
        bins: parts of equal widths.

    Source: DeGroot & Fienberg (1983), "The comparison and evaluation of forecasters", section 2; Niculescu-Mizil &
    Caruana (2005), "Predicting good probabilities with supervised learning", section 3.
    """
    places = place_in_bins(confidences, bins)
    counts = np.bincount(places, minlength=bins)
    sure, correct = np.bincount(places, confidences, bins), np.bincount(places, right, bins)
    return tuple(
        (float(sure[place] / counts[place]), float(correct[place] / counts[place]), int(counts[place]))
        for place in np.flatnonzero(counts)
    )
