"""Examples of which everything that is known is answered rightly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.grouping import number_groups
from transfer.data.targets import known
from transfer.evidence.class_scoring import share
from transfer.labellings import Labelling
from transfer.output_scores import Measure

Values = NDArray[Any]


def exact_matches(
    labelling: Labelling, targets: Sequence[Values], answers: Sequence[Values]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether every class and label that is known of an example is answered rightly, over all outputs; no numbers.

    Args:
        labelling: the outputs.
        targets: their labels.
        answers: of the same shapes.

    Returns:
        (n,), whether an example is answered rightly, and (n,), of which anything is known. One of which nothing is
        known is answered rightly by no one.
    """
    right, asked = np.ones(len(targets[0]), np.bool_), np.zeros(len(targets[0]), np.bool_)
    for output, wanted, said in zip(labelling, targets, answers, strict=True):
        if output.kind != "regression":
            rows = known(wanted)
            fine = (wanted == said) | ~rows
            right &= fine if fine.ndim == 1 else fine.all(1)
            asked |= rows if rows.ndim == 1 else rows.any(1)
    return right & asked, asked


def score_exact_match(
    labelling: Labelling,
    targets: Sequence[Values],
    answers: Sequence[Values],
    groups: NDArray[np.int64] | None = None,
) -> Measure | None:
    """Share of the examples that `exact_matches` finds right among those of which anything is known; None for none.

    Args:
        labelling: the outputs.
        targets: their labels.
        answers: of the same shapes.
        groups: (n,), numbers of groups of examples that are alike; bounds are wider then.
    """
    right, asked = exact_matches(labelling, targets, answers)
    return share("exact match", right[asked], number_groups(groups, len(right))[asked]) if asked.any() else None
