"""Scores on held-out examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.intervals import wilson
from transfer.scores import Score


def score_answers(name: str, answers: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]]) -> Score:
    """Count right answers.

    Args:
        name: whose answers they are.
        answers: (n,) class indices.
        labels: (n,) the true ones.

    Raises:
        ValueError: if there are none, or their lengths differ.
    """
    if len(answers) != len(labels) or not len(labels):
        raise ValueError(f"{len(answers)} answers for {len(labels)} labels")
    correct = int((answers == labels).sum())
    return Score(name, correct, len(labels), wilson(correct, len(labels)))
