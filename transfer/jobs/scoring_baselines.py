"""The simple answers that a model must beat, scored on the same examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.baselines import logistic_regression, majority_class, stratified_guess
from transfer.evidence.nearest_neighbours import nearest_neighbours
from transfer.evidence.output_baselines import linear_on_inputs, most_frequent
from transfer.jobs.deciding import choose_thresholds
from transfer.jobs.reading_examples import ReadExamples
from transfer.jobs.scoring_answers import Scored, score_logits, score_single
from transfer.specs import Progress
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
        read: with the raw input of all examples.
        labels: of those that could be read.
        train: rows of these to learn from.
        held_out: rows to answer.
        seed: of folds, draws and resamples.
        progress: told of what is going on.
        groups: (n,) of those that could be read; None where there are none.
    """
    score = _score_single if labels.labelling.is_single else _score_several
    return score(read, labels, train, held_out, seed, progress, groups)


def _score_single(
    read: ReadExamples,
    labels: Labels,
    train: NDArray[np.int64],
    held_out: NDArray[np.int64],
    seed: int,
    progress: Progress,
    groups: Groups,
) -> tuple[Scored, ...]:
    learnt, asked = read.places[train], read.places[held_out]
    own, classes = labels.targets[0][train], len(labels.labelling.outputs[0].classes)
    alike = None if groups is None else groups[train]
    how: dict[str, Any] = {"classes": classes, "seed": seed, "groups": alike, "progress": progress}
    found = {
        MAJORITY: majority_class(own, len(asked)),
        GUESS: stratified_guess(own, len(asked), seed=seed),
        NEIGHBOURS: nearest_neighbours(read.pixels, learnt, own, asked, **how),
        LOGISTIC: logistic_regression(read.pixels, learnt, own, asked, **how),
    }
    tested = None if groups is None else groups[held_out]
    return tuple(score_single(name, labels[held_out], each, groups=tested) for name, each in found.items())


def _score_several(
    read: ReadExamples,
    labels: Labels,
    train: NDArray[np.int64],
    held_out: NDArray[np.int64],
    seed: int,
    progress: Progress,
    groups: Groups,
) -> tuple[Scored, ...]:
    learnt, asked, wanted = read.places[train], read.places[held_out], labels[held_out]
    tested, own_groups = (None if groups is None else groups[rows] for rows in (held_out, train))
    taught, same = labels[train], most_frequent(labels[train], 1)
    raw = linear_on_inputs(read.pixels, learnt, taught, asked, seed=seed, groups=own_groups, progress=progress)
    constant = choose_thresholds(taught, np.tile(same, (len(train), 1)), seed=seed)
    picked = None if own_groups is None else own_groups[raw.places]
    linear = choose_thresholds(taught[raw.places], raw.validated, seed=seed, groups=picked)
    how: dict[str, Any] = {"seed": seed, "groups": tested}
    return (
        score_logits(CONSTANT, wanted, np.tile(same, (len(asked), 1)), thresholds=constant, **how),
        score_logits(LINEAR, wanted, raw.logits, thresholds=linear, **how),
    )
