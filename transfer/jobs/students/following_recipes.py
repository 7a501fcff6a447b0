"""Following a recipe stage by stage, with a score after each on examples that nothing was learnt from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.jobs.students.clock import Clock
from transfer.jobs.students.deciding import Decisions, decide
from transfer.jobs.students.scoring_answers import Scored, score_logits
from transfer.recipes import Recipe
from transfer.training.labels import Labels
from transfer.training.learner import Learner
from transfer.training.solving_outputs import SolvedOutput

STEPS = {"probe": "probe", "tune": "tuning"}
SCORES = {"probe": "probe", "tune": "tuned"}


@dataclass(frozen=True, slots=True)
class Followed:
    """What following a recipe came to.

    Attributes:
        scores: after each stage.
        probe: the solved heads; None of a recipe without any.
        decisions: of the last stage; None of a single output of classes.
        logits: (n, K) after the last stage, as sure as these decisions make them.
    """

    scores: list[Scored]
    probe: tuple[SolvedOutput, ...] | None
    decisions: Decisions | None
    logits: NDArray[np.floating[Any]] = field(repr=False)


def follow(
    learner: Learner, places: NDArray[np.int64], labels: Labels, groups: NDArray[np.int64] | None, clock: Clock
) -> Followed:
    """Learn stage by stage, and answer after each.

    Args:
        learner: that has begun.
        places: of the examples to answer, among all.
        labels: of all.
        groups: (n,) likewise.
        clock: told what seconds are spent on.
    """
    recipe, scores, probe, decisions = learner.recipe, list[Scored](), None, None
    sure: NDArray[np.floating[Any]] = np.empty((len(places), labels.units))
    tested = None if groups is None else groups[places]
    for place, stage in enumerate(recipe.stages):
        with clock(STEPS[stage.kind]):
            if stage.kind == "probe":
                probe = learner.solve()
            else:
                learner.tune(place)
            logits = learner.logits(places)
            decisions = None if labels.labelling.is_single else _decide(learner, labels, groups)
        sure = logits if decisions is None else logits * decisions.slopes() + decisions.offsets()
        scores.append(_scored(_name_of(place, recipe), labels[places], sure, decisions, recipe.seed, tested))
    return Followed(scores, probe, decisions, sure)


def _decide(learner: Learner, labels: Labels, groups: NDArray[np.int64] | None) -> Decisions:
    places, logits = learner.validated()
    own = None if groups is None else groups[places]
    return decide(labels[places], logits, seed=learner.recipe.seed, groups=own)


def _scored(
    name: str,
    labels: Labels,
    logits: NDArray[np.floating[Any]],
    decisions: Decisions | None,
    seed: int,
    groups: NDArray[np.int64] | None,
) -> Scored:
    """Each stage by its own calibration and thresholds."""
    thresholds = None if decisions is None else decisions.limits()
    return score_logits(name, labels, logits, seed=seed, thresholds=thresholds, groups=groups)


def _name_of(place: int, recipe: Recipe) -> str:
    """What the score after a stage is called: with its place where several train by steps."""
    kind = recipe.stages[place].kind
    is_one_of_several = kind == "tune" and sum(stage.kind == "tune" for stage in recipe.stages) > 1
    return f"{SCORES[kind]}, stage {place}" if is_one_of_several else SCORES[kind]
