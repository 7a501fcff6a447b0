"""What logits or answers are worth on test examples, for one output or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.exact_matching import exact_matches
from transfer.evidence.hierarchy_scoring import score_hierarchy
from transfer.evidence.intervals import wilson
from transfer.evidence.output_scoring import score_output
from transfer.evidence.scoring import score_answers
from transfer.output_scores import WayScores
from transfer.scores import Score
from transfer.training.decoding import decode, find_probabilities
from transfer.training.labels import Labels

Values = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Scored:
    """How one way of answering did.

    Attributes:
        score: examples of which everything that is known is answered rightly; None where no class is known.
        right: (m,) of these examples whether they are; two ways of answering have the same examples.
        outputs: of several outputs, or of one that is no softmax, each one's measures; None for one softmax output.
    """

    score: Score | None
    right: NDArray[np.bool_] = field(repr=False)
    outputs: WayScores | None = None


def score_logits(
    name: str,
    labels: Labels,
    logits: NDArray[np.floating[Any]],
    *,
    seed: int,
    thresholds: Mapping[str, Sequence[float]] | None = None,
) -> Scored:
    """Score logits (n, K), numbers in units of their own.

    Args:
        name: whose they are.
        labels: of the same examples.
        logits: of all outputs.
        seed: of the resamples from which intervals come.
        thresholds: as `decode` takes them.
    """
    if labels.labelling.is_single:
        return score_single(name, labels, logits.argmax(1))
    probabilities = find_probabilities(labels.labelling, logits)
    answers = decode(labels.labelling, probabilities, thresholds)
    return score_several(name, labels, answers, probabilities, seed=seed)


def score_single(name: str, labels: Labels, answers: NDArray[np.integer[Any]]) -> Scored:
    """Score the classes (n,) that are answered for a single softmax output."""
    return Scored(score_answers(name, answers, labels.targets[0]), answers == labels.targets[0])


def score_several(
    name: str, labels: Labels, answers: Sequence[Values], probabilities: Sequence[Values], *, seed: int
) -> Scored:
    """Score answers to all outputs.

    Args:
        name: whose they are.
        labels: of the same examples.
        answers: as labels, of each output.
        probabilities: (n, k) of each.
        seed: as for `score_logits`.
    """
    right, asked = exact_matches(labels.labelling, labels.targets, answers)
    correct, count = int(right.sum()), int(asked.sum())
    outputs = tuple(
        score_output(*each, seed=seed)
        for each in zip(labels.labelling, labels.targets, answers, probabilities, strict=True)
    )
    outputs += score_hierarchy(labels.labelling, labels.targets, answers, seed=seed)
    score = Score(name, correct, count, wilson(correct, count)) if count else None
    return Scored(score, right[asked], WayScores(name, outputs))
