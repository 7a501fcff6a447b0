"""Scores of an output of any kind on held-out examples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.grouping import number_groups
from transfer.data.targets import known_rows
from transfer.evidence.class_scoring import score_classes
from transfer.evidence.label_scoring import score_labels
from transfer.evidence.number_scoring import score_numbers
from transfer.labellings import Output
from transfer.output_scores import OutputScore

Values = NDArray[Any]


def score_output(
    output: Output,
    wanted: Values,
    answers: Values,
    probabilities: Values,
    *,
    seed: int,
    groups: NDArray[np.int64] | None = None,
) -> OutputScore:
    """Measure the answers of an output where it is known what they should be.

    Args:
        output: one of a labelling.
        wanted: labels as a `LabelledSet` has them: of softmax (n,), of sigmoid and regression (n, k).
        answers: of the same shape, -1 or NaN where the answer to the parent denies it. Where a class was wanted, that
            is wrong.
        probabilities: (n, k); of a child p(parent's class) p(class | parent's class); of a regression the numbers.
        seed: of the resamples from which bounds come.
        groups: (n,), numbers of groups of examples that are alike, several pictures of one cat, say: then bounds say
            how the values would move with other groups, and are wider.

    Raises:
        ValueError: if shapes do not agree.
    """
    shape = (len(wanted), len(output.classes))
    if wanted.shape != answers.shape or probabilities.shape != shape or wanted.shape != shape[: wanted.ndim]:
        found = f"{wanted.shape} wanted, {answers.shape} answers, {probabilities.shape} probabilities"
        raise ValueError(f"output {output.name!r} of {shape[1]} classes: {found}")
    rows = known_rows(wanted)
    if not rows.any():
        return OutputScore(output.name, output.kind, 0, (), notes=("known of no example here",))
    wanted, answers, values = wanted[rows], answers[rows], np.asarray(probabilities[rows], np.float64)
    units = number_groups(None if groups is None else groups[rows], len(wanted))
    if output.kind == "softmax":
        score = score_classes(output, wanted, answers, units, seed=seed)
    elif output.kind == "sigmoid":
        score = score_labels(output, wanted, answers, values, units, seed=seed)
    else:
        score = score_numbers(output, wanted, answers, values, units, seed=seed)
    return score if groups is None else replace(score, notes=(f"bounds by {units.max() + 1} groups", *score.notes))
