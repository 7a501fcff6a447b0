"""What logits or answers are worth on test examples, for one output or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.exact_matching import exact_matches
from transfer.evidence.hierarchy_scoring import score_hierarchy
from transfer.evidence.intervals import wilson, wilson_of_groups
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

    def renamed(self, name: str) -> Scored:
        """The same under another name."""
        score = self.score and replace(self.score, name=name)
        return Scored(score, self.right, self.outputs and replace(self.outputs, name=name))


def score_logits(
    name: str,
    labels: Labels,
    logits: NDArray[np.floating[Any]],
    *,
    seed: int,
    thresholds: Mapping[str, Sequence[float]] | None = None,
    groups: NDArray[np.int64] | None = None,
) -> Scored:
    """Score logits (n, K), numbers in units of their own.

    Args:
        name: whose they are.
        labels: of the same examples.
        logits: of all outputs.
        seed: of the resamples from which intervals come.
        thresholds: as `decode` takes them.
        groups: (n,) of the examples; those of one tell less than as many others. None where there are none.
    """
    if labels.labelling.is_single:
        return score_single(name, labels, logits.argmax(1), groups=groups)
    probabilities = find_probabilities(labels.labelling, logits)
    answers = decode(labels.labelling, probabilities, thresholds)
    return score_several(name, labels, answers, probabilities, seed=seed, groups=groups)


def score_single(
    name: str, labels: Labels, answers: NDArray[np.integer[Any]], *, groups: NDArray[np.int64] | None = None
) -> Scored:
    """Score the classes (n,) that are answered for a single softmax output; groups as for `score_logits`."""
    right = answers == labels.targets[0]
    score = score_answers(name, answers, labels.targets[0])
    return Scored(score if groups is None else _of_groups(name, right, groups), right)


def _of_groups(name: str, right: NDArray[np.bool_], groups: NDArray[np.int64]) -> Score:
    return Score(name, int(right.sum()), len(right), wilson_of_groups(right, groups))


def score_several(
    name: str,
    labels: Labels,
    answers: Sequence[Values],
    probabilities: Sequence[Values],
    *,
    seed: int,
    groups: NDArray[np.int64] | None = None,
) -> Scored:
    """Score answers to all outputs.

    Args:
        name: whose they are.
        labels: of the same examples.
        answers: as labels, of each output.
        probabilities: (n, k) of each.
        seed: as for `score_logits`.
        groups: likewise.
    """
    right, asked = exact_matches(labels.labelling, labels.targets, answers)
    correct, count = int(right.sum()), int(asked.sum())
    outputs = tuple(
        score_output(*each, seed=seed, groups=groups)
        for each in zip(labels.labelling, labels.targets, answers, probabilities, strict=True)
    )
    outputs += score_hierarchy(labels.labelling, labels.targets, answers, seed=seed, groups=groups)
    score = None
    if count:
        score = Score(name, correct, count, wilson(correct, count))
        score = score if groups is None else _of_groups(name, right[asked], groups[asked])
    return Scored(score, right[asked], WayScores(name, outputs))
