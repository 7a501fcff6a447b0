"""The simple answers that a model must beat, scored on the same examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.baselines import logistic_regression, majority_class, stratified_guess
from transfer.evidence.nearest_neighbours import nearest_neighbours
from transfer.evidence.output_baselines import linear_on_inputs, most_frequent
from transfer.jobs.examples.reading_examples import ReadExamples
from transfer.jobs.students.deciding import choose_thresholds
from transfer.jobs.students.scoring_answers import Scored, score_logits, score_single
from transfer.specs import Progress
from transfer.training.batching import Readable
from transfer.training.labels import Labels

MAJORITY, GUESS = "majority class", "stratified guess"
NEIGHBOURS, LOGISTIC = "nearest neighbours on raw input", "logistic regression on raw input"
CONSTANT, LINEAR = "constant answer", "linear on raw input"

Groups = NDArray[np.int64] | None


def score_baselines(
    read: ReadExamples,
    labels: Labels,
    train: NDArray[np.int64],
    held_out: NDArray[np.int64],
    seed: int,
    progress: Progress,
    groups: Groups,
) -> tuple[Scored, ...]:
    """What needs no network.

    Args:
        read: with the raw input of all examples; where it has none, what takes no input is scored alone.
        labels: of those that could be read.
        train: rows of these to learn from.
        held_out: rows to answer.
        seed: of folds, draws and resamples.
        progress: told of what is going on.
        groups: (n,) of those that could be read; None where there are none.
    """
    sides = _Sides(
        read.pixels,
        read.places[train],
        read.places[held_out],
        labels[train],
        labels[held_out],
        None if groups is None else groups[train],
        None if groups is None else groups[held_out],
    )
    score = _score_single if labels.labelling.is_single else _score_several
    return score(sides, seed, progress)


@dataclass(frozen=True, slots=True)
class _Sides:
    """What is learnt from and what is answered.

    Attributes:
        pixels: (n, …), raw input of all examples; None where it was not read.
        learnt: places among these to learn from.
        asked: to answer.
        taught: labels of the former.
        wanted: of the latter.
        alike: (len(learnt),), groups of the former; None where there are none.
        tested: (len(asked),), of the latter.
    """

    pixels: Readable | None
    learnt: NDArray[np.int64]
    asked: NDArray[np.int64]
    taught: Labels
    wanted: Labels
    alike: Groups
    tested: Groups


def _score_single(sides: _Sides, seed: int, progress: Progress) -> tuple[Scored, ...]:
    own, count = sides.taught.targets[0], len(sides.asked)
    classes = len(sides.taught.labelling.outputs[0].classes)
    how: dict[str, Any] = {"classes": classes, "seed": seed, "groups": sides.alike, "progress": progress}
    found = {
        MAJORITY: majority_class(own, count),
        GUESS: stratified_guess(own, count, seed=seed),
    }
    if sides.pixels is not None:
        found[NEIGHBOURS] = nearest_neighbours(sides.pixels, sides.learnt, own, sides.asked, **how)
        found[LOGISTIC] = logistic_regression(sides.pixels, sides.learnt, own, sides.asked, **how)
    return tuple(score_single(name, sides.wanted, each, groups=sides.tested) for name, each in found.items())


def _score_several(sides: _Sides, seed: int, progress: Progress) -> tuple[Scored, ...]:
    taught, same = sides.taught, most_frequent(sides.taught, 1)
    constant = choose_thresholds(taught, np.tile(same, (len(sides.learnt), 1)), seed=seed)
    how: dict[str, Any] = {"seed": seed, "groups": sides.tested}
    always = score_logits(CONSTANT, sides.wanted, np.tile(same, (len(sides.asked), 1)), thresholds=constant, **how)
    if sides.pixels is None:
        return (always,)
    raw = linear_on_inputs(
        sides.pixels, sides.learnt, taught, sides.asked, seed=seed, groups=sides.alike, progress=progress
    )
    picked = None if sides.alike is None else sides.alike[raw.places]
    linear = choose_thresholds(taught[raw.places], raw.validated, seed=seed, groups=picked)
    return (always, score_logits(LINEAR, sides.wanted, raw.logits, thresholds=linear, **how))
