"""Learning stage by stage, with a score after each on examples that nothing was learnt from, beside the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transfer.data.doubts import refuse_known, refuse_unreadable, warn_of_labels
from transfer.data.joining import join_sets
from transfer.data.labelled import LabelledSet
from transfer.data.splitting import split_stratified
from transfer.evidence.baselines import LEARNT_FROM, logistic_regression, majority_class
from transfer.evidence.comparing import compare_answers
from transfer.evidence.scoring import score_answers
from transfer.jobs.clock import Clock
from transfer.jobs.describing import describe_probe
from transfer.jobs.feeding import Feed
from transfer.jobs.reading_examples import ReadExamples, read_examples
from transfer.recipes import Recipe
from transfer.results import Result
from transfer.scores import Score
from transfer.specs import Json, Progress
from transfer.training.learner import Learner

STEPS = {"probe": "probe", "tune": "tuning"}
SCORES = {"probe": "probe", "tune": "tuned"}


@dataclass(frozen=True, slots=True)
class Division:
    """What is tested on.

    Attributes:
        test: examples of their own; None to hold some out.
        shots: examples a class to learn from.
        share: to hold out otherwise.
    """

    test: LabelledSet | None
    shots: int | None
    share: float


def learn_and_score(
    learner: Learner, feed: Feed, data: LabelledSet, how: Division, *, skip_unreadable: bool
) -> tuple[Result, Json, Clock]:
    """Read, learn and test: the result, which examples were learnt from and tested on, and the seconds it took."""
    clock, recipe, test = Clock(), learner.recipe, how.test
    everything = data if test is None else join_sets(data, test)
    with clock("features"):
        read = read_examples(learner, feed, everything)
    if not skip_unreadable:
        refuse_unreadable(read.failures, len(everything), everything.source)
    examples = everything.subset(read.places)
    train, held_out = _divided(examples, read.places, len(data), how, recipe.seed)
    digests = examples.digests()
    learnt = {digests[place] for place in train}
    unseen = np.array([place for place in held_out if digests[place] not in learnt], np.int64)
    refuse_known(len(unseen))
    learner.begin(read.places[train], read.labels, data.classes)
    with clock("baselines"):
        baselines = _baselines(read, examples, train, unseen, recipe.seed, learner.progress)
    scores, right, probe = [], [], None
    for place, stage in enumerate(recipe.stages):
        with clock(STEPS[stage.kind]):
            if stage.kind == "probe":
                probe = learner.solve()
            else:
                learner.tune(place)
            answers = learner.logits(read.places[unseen]).argmax(1)
        scores.append(score_answers(_name_of(place, recipe), answers, examples.labels[unseen]))
        right.append(answers == examples.labels[unseen])
    result = Result(
        classes=data.classes,
        train_examples=len(train),
        test_examples=len(unseen),
        score=scores[-1],
        baselines=baselines,
        stages=tuple(scores),
        probe=describe_probe(probe) if probe is not None else None,
        left_out=(*data.problems, *(test.problems if test else ()), *read.failures),
        notes=(*learner.remarks, *_remarks(len(train), len(held_out) - len(unseen)), *_compared(scores, right)),
        warnings=warn_of_labels(digests, examples.labels, examples.names, data.classes, train),
    )
    named = {name: sorted(examples.names[i] for i in rows) for name, rows in (("train", train), ("test", unseen))}
    return result, {"split": named, "learnt": sorted(learnt)}, clock


def _name_of(place: int, recipe: Recipe) -> str:
    """What the score after a stage is called: with its place where several train by steps."""
    kind = recipe.stages[place].kind
    is_one_of_several = kind == "tune" and sum(stage.kind == "tune" for stage in recipe.stages) > 1
    return f"{SCORES[kind]}, stage {place}" if is_one_of_several else SCORES[kind]


def _divided(
    examples: LabelledSet, places: NDArray[np.int64], count: int, how: Division, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the readable examples to learn from, and those to test on.

    Args:
        examples: that could be read.
        places: of them among all.
        count: of those in the set to learn from, which come first.
        how: to divide them.
        seed: of the choice.
    """
    if how.test is not None:
        return np.flatnonzero(places < count), np.flatnonzero(places >= count)
    return split_stratified(examples.labels, seed=seed, shots=how.shots, test_share=how.share, classes=examples.classes)


def _baselines(
    read: ReadExamples,
    examples: LabelledSet,
    train: NDArray[np.int64],
    held_out: NDArray[np.int64],
    seed: int,
    progress: Progress,
) -> tuple[Score, ...]:
    """On the same examples."""
    labels, classes = examples.labels, len(examples.classes)
    learnt, asked = read.places[train], read.places[held_out]
    raw = logistic_regression(
        read.pixels, learnt, labels[train], asked, labels[held_out], classes=classes, seed=seed, progress=progress
    )
    return majority_class(labels[train], labels[held_out]), raw


def _compared(scores: Sequence[Score], right: Sequence[NDArray[np.bool_]]) -> tuple[str, ...]:
    """The last stage beside the first, on the same examples; nothing of one stage alone."""
    if len(scores) < 2:
        return ()
    return (compare_answers(right[-1], right[0]).describe(scores[-1].name, scores[0].name),)


def _remarks(learnt: int, twins: int) -> tuple[str, ...]:
    """What a reader of the result should know."""
    remarks = []
    if learnt > LEARNT_FROM:
        remarks.append(f"logistic regression on raw input learnt from {LEARNT_FROM} of these examples, class by class")
    if twins:
        remarks.append(f"{twins} test examples left out: the same bytes are among those learnt from")
    return tuple(remarks)
