"""A network and everything simple that it must beat, over the same repeated folds of a set."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.data.doubts import refuse_unreadable
from transfer.data.forms import LabelledData, as_labelled
from transfer.data.labelled import LabelledSet
from transfer.evidence.baseline_comparison import BaselineComparison
from transfer.evidence.repeated_folds import FOLDS, REPEATS
from transfer.jobs.comparisons.tallying_folds import Tally
from transfer.jobs.examples.cached_features import Cache, open_store
from transfer.jobs.examples.checking_outputs import refuse_outputs
from transfer.jobs.examples.dealing_folds import DealtExamples, deal_examples
from transfer.jobs.examples.feeding import Feed, as_learnt, make_feed
from transfer.jobs.examples.reading_examples import ReadExamples, read_examples
from transfer.jobs.runs.learnt_before import LearntBefore, learnt_by
from transfer.jobs.students.checking_heads import check_heads
from transfer.jobs.students.checking_recipes import check_recipe
from transfer.jobs.students.clock import Clock
from transfer.jobs.students.following_recipes import follow
from transfer.jobs.students.learnt_baselines import SCRATCH, UNTRAINED, make_rivals
from transfer.jobs.students.preparing import Student
from transfer.jobs.students.scoring_answers import Scored
from transfer.jobs.students.scoring_baselines import score_baselines
from transfer.models.building import classes_of
from transfer.recipes import Recipe, Stage
from transfer.specs import Preprocessing, Progress, silent
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.labels import Labels
from transfer.training.learner import Learner

Rows = NDArray[np.int64]
_ONE_DRAW = "random weights are one draw, the same in all folds: another --seed (seed=…) draws others"


def compare_baselines(
    student: keras.Model | Student,
    data: LabelledData,
    *,
    recipe: Recipe | None = None,
    shots: int | None = None,
    folds: int = FOLDS,
    repeats: int = REPEATS,
    scratch: bool = False,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
    cache: Cache | str | os.PathLike[str] | None = None,
    memory_bytes: int = MEMORY_BYTES,
    seed: int = 0,
    progress: Progress = silent,
) -> BaselineComparison:
    """Say what a network is worth on a set beside what is simple, over repeated folds.

    Beside each stage of the recipe stand a probe on the same network with random weights, nearest neighbours and
    logistic regression on raw input, a guess and the most frequent class, and, if asked for, the network trained from
    scratch. All learn from the same examples of each fold and answer the same others. What is frozen runs once over all
    examples, so that a probe of each fold costs little. Copies are in one fold. Random weights are drawn once, the same
    for all folds: how much another draw would change is not in their interval. A guess is drawn anew in each fold.

    Intervals are of each difference by itself; p-values are adjusted for the number of all pairs, and so are order and
    verdict.

    Args:
        student: a Keras model that ends in a `Dense` of logits, as `extract` gives it, or one of `prepare_student`.
        data: examples of one class each, in any form that `finetune` takes.
        recipe: what is done in each fold; by default the head is solved, and nothing else is trained.
        shots: examples a class to learn from in each fold; by default all that are not tested on.
        folds: into which the examples are dealt, at least 2.
        repeats: how often they are, at least 1.
        scratch: whether the network is also trained from random weights in each fold, which takes long.
        preprocessing: how images are prepared; see `finetune`.
        size: (h, w) to which images are fitted, likewise.
        skip_unreadable: whether pictures that cannot be decoded are left out instead of ending it.
        cache: a folder, or a `Cache`, in which features are kept for other runs.
        memory_bytes: for features in memory; past it they lie on the disk.
        seed: of the folds, of what is drawn from them, and of random weights.
        progress: told of what is going on.

    Raises:
        DataError: if the examples have not one class each, do not fit the student, cannot be read, or are too few.
        LayerError: if the student does not end in a head of these classes.
        ValueError: if a number lies outside its range.
    """
    data = as_labelled(data)
    refuse_outputs(data, "baselines are compared", "; 'finetune --baselines all' compares several on one split")
    if shots is not None and shots < 1:
        raise ValueError(f"shots are at least 1, not {shots}")
    recipe = recipe or Recipe((Stage("probe"),), seed=seed)
    network, heads = check_heads(student, data, None)
    check_recipe(network.graph, heads, recipe)
    own = student.custom_objects if isinstance(student, Student) else classes_of(student)
    feed = make_feed(network, data, preprocessing=preprocessing, size=size, custom_objects=own)
    with open_store(cache, memory_bytes=memory_bytes, own_classes=own) as store:
        learner = Learner(as_learnt(feed, data), recipe, heads, own, store=store, progress=progress)
        first = _Pupil("", learner, read_examples(learner, feed, data))
        if not skip_unreadable:
            refuse_unreadable(first.read.failures, len(data), data.source)
        examples = data.subset(first.read.places)
        dealt = deal_examples(examples, shots=shots, folds=folds, repeats=repeats, seed=seed)
        rivals = make_rivals(learner, dealt.fewest, (UNTRAINED, *((SCRATCH,) if scratch else ())))
        tally = _tallied([first, *_read_all(rivals, feed, data)], examples, dealt, seed, progress)
    fresh = any(each.fresh for each in recipe.stages)
    before = LearntBefore() if fresh else learnt_by(student, network)
    unread = [f"examples that cannot be read, left out: {more}"] if (more := len(data) - len(examples)) else []
    return BaselineComparison(
        source=data.source,
        classes=examples.classes,
        examples=len(examples),
        shots=shots,
        repeats=repeats,
        train_sizes=tuple(dealt.folds.train_sizes.tolist()),
        test_sizes=tuple(dealt.folds.test_sizes.tolist()),
        ways=tally.ways(repeats, dealt.alike),
        model=tally.model,
        notes=(*data.notes, *unread, feed.note, _ONE_DRAW, *before.notes, *([store.trouble] if store.trouble else [])),
        warnings=before.warnings(examples.digests()),
    )


@dataclass(frozen=True, slots=True)
class _Pupil:
    """A network that learns in each fold.

    Attributes:
        name: of the baseline; empty for the network that is asked about.
        learner: of it.
        read: the examples as it has read them.
    """

    name: str
    learner: Learner
    read: ReadExamples

    def answer(self, learnt: Rows, tested: Rows, groups: Rows | None) -> list[Scored]:
        """A score for each stage; of a baseline for its last."""
        places = self.read.places
        whole = None if groups is None else _spread(groups, places, len(self.read.labels.targets[0]))
        self.learner.begin(places[learnt], self.read.labels, whole)
        found = follow(self.learner, places[tested], self.read.labels, whole, Clock()).scores
        return [found[-1].renamed(self.name)] if self.name else found


def _read_all(learners: Mapping[str, Learner], feed: Feed, data: LabelledSet) -> Iterator[_Pupil]:
    for name, learner in learners.items():
        yield _Pupil(name, learner, read_examples(learner, feed, data))


def _spread(groups: Rows, places: Rows, count: int) -> Rows:
    """(n,) groups of all examples, of those that could not be read one of their own."""
    whole = np.full(count, -1, np.int64)
    whole[places] = groups
    return whole


def _tallied(
    pupils: Sequence[_Pupil], examples: LabelledSet, dealt: DealtExamples, seed: int, progress: Progress
) -> Tally:
    """What all come to on all folds: the network that is asked about first, its last stage before others."""
    labels, tally = Labels(examples.labelling, examples.targets), Tally(len(examples))
    for number, (learnt, tested) in enumerate(dealt):
        scored: list[Scored] = []
        for each in pupils:
            own = each.answer(learnt, tested, dealt.alike)
            scored += own if each.name else reversed(own)
        drawn = _seed(seed, number)
        scored += score_baselines(pupils[0].read, labels, learnt, tested, drawn, progress, dealt.alike)
        tally.take(scored, tested)
        progress("comparing over folds", number + 1, len(dealt))
    return tally


def _seed(seed: int, number: int) -> int:
    """Of what is drawn in a fold: with the same draws in each, a guess over all folds would be one guess."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
