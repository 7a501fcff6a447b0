"""A network and everything simple that it must beat, over the same repeated folds of a set."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.data.doubts import refuse_unreadable
from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem
from transfer.evidence.baseline_comparison import BaselineComparison, FoldedWay
from transfer.evidence.intervals import wilson_of_groups
from transfer.evidence.near_duplicates import group_duplicates
from transfer.evidence.repeated_folds import FOLDS, REPEATS, RepeatedFolds, deal_repeatedly
from transfer.jobs.cached_features import Cache, open_store
from transfer.jobs.checking_heads import check_heads
from transfer.jobs.checking_recipes import check_recipe
from transfer.jobs.clock import Clock
from transfer.jobs.feeding import Feed, as_learnt, make_feed
from transfer.jobs.following_recipes import follow
from transfer.jobs.learnt_baselines import SCRATCH, make_rivals
from transfer.jobs.preparing import Student
from transfer.jobs.reading_examples import ReadExamples, read_examples
from transfer.jobs.scoring_answers import Scored
from transfer.jobs.scoring_baselines import score_baselines
from transfer.models.building import classes_of
from transfer.recipes import Recipe, Stage
from transfer.specs import Preprocessing, Progress, silent
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.labels import Labels
from transfer.training.learner import Learner

Rows = NDArray[np.int64]


def compare_baselines(
    student: keras.Model | Student,
    data: LabelledSet,
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
    examples, so that a probe of each fold costs little. Copies are in one fold.

    Args:
        student: a Keras model that ends in a `Dense` of logits, as `extract` gives it, or one of `prepare_student`.
        data: examples of one class each.
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
    _refuse_outputs(data)
    if shots is not None and shots < 1:
        raise ValueError(f"shots are at least 1, not {shots}")
    recipe = recipe or Recipe((Stage("probe"),), seed=seed)
    network, heads = check_heads(student, data, None)
    check_recipe(network.graph, heads, recipe)
    own = student.custom_objects if isinstance(student, Student) else classes_of(student)
    feed = make_feed(network, data, preprocessing=preprocessing, size=size, custom_objects=own)
    with open_store(cache, memory_bytes=memory_bytes, own_classes=own) as store:
        learner = Learner(as_learnt(feed, data), recipe, heads, own, store=store, progress=progress)
        rivals = make_rivals(learner, len(data))
        others = {name: each for name, each in rivals.items() if scratch or name != SCRATCH}
        pupils = [_Pupil("", learner, read_examples(learner, feed, data))]
        first = pupils[0].read
        if not skip_unreadable:
            refuse_unreadable(first.failures, len(data), data.source)
        pupils += _read_all(others, feed, data)
        examples = data.subset(first.places)
        alike = group_duplicates(_copies(examples.digests()), len(examples), examples.groups)
        dealt = deal_repeatedly(
            examples.labelling, examples.targets, seed=seed, folds=folds, repeats=repeats, groups=alike
        )
        tally = _Tally(len(examples))
        for number, (pool, tested) in enumerate(dealt):
            learnt = pool if shots is None else _draw(examples, pool, shots, seed + number)
            task = _Fold(examples, learnt, tested, alike, seed)
            tally.take(task.scored(pupils, progress), tested)
            progress("comparing over folds", number + 1, len(dealt))
    unread = [f"examples that cannot be read, left out: {more}"] if (more := len(data) - len(examples)) else []
    return BaselineComparison(
        source=data.source,
        classes=examples.classes,
        examples=len(examples),
        shots=shots,
        repeats=repeats,
        train_sizes=tuple(dealt.train_sizes.tolist()),
        test_sizes=tuple(dealt.test_sizes.tolist()),
        ways=tally.ways(dealt, alike),
        model=tally.model,
        notes=(*data.notes, *unread, feed.note, *([store.trouble] if store.trouble else [])),
    )


def _refuse_outputs(data: LabelledSet) -> None:
    if not data.labelling.is_single:
        raise DataError(
            f"{data.source} has not one class for each example; baselines are compared on one output of classes.",
            [Problem("outputs", "one of classes", ", ".join(data.labelling.names))],
            "name it with --head (or data.only(name)); 'finetune --baselines all' compares several on one split",
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


@dataclass(frozen=True, slots=True)
class _Fold:
    """What is learnt from and answered.

    Attributes:
        examples: that could be read.
        learnt: rows of them.
        tested: likewise.
        alike: (n,), groups of examples; None for none.
        seed: of draws.
    """

    examples: LabelledSet
    learnt: Rows
    tested: Rows
    alike: Rows | None
    seed: int

    def scored(self, pupils: Sequence[_Pupil], progress: Progress) -> list[Scored]:
        """A score for each way, the network that is asked about first, its last stage before others."""
        labels = Labels(self.examples.labelling, self.examples.targets)
        found: list[Scored] = []
        for each in pupils:
            own = each.answer(self.learnt, self.tested, self.alike)
            found += own if each.name else reversed(own)
        simple = score_baselines(pupils[0].read, labels, self.learnt, self.tested, self.seed, progress, self.alike)
        return [*found, *simple]


@dataclass(slots=True)
class _Tally:
    """What came of all folds so far.

    Attributes:
        examples: n.
        right: (n,) for each way, how often an example was answered rightly.
        shares: of each way, its accuracy on each fold.
    """

    examples: int
    right: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    shares: dict[str, list[float]] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The way that came first."""
        return next(iter(self.shares))

    def take(self, scored: Sequence[Scored], tested: Rows) -> None:
        """Add a fold."""
        for each in scored:
            if each.score is None:
                continue
            name = each.score.name
            self.right.setdefault(name, np.zeros(self.examples))[tested] += each.right
            self.shares.setdefault(name, []).append(float(each.right.mean()))

    def ways(self, dealt: RepeatedFolds, alike: Rows | None) -> tuple[FoldedWay, ...]:
        """All ways, the best first."""
        groups, repeats = np.arange(self.examples) if alike is None else alike, len(dealt.dealt)
        found = [
            FoldedWay(name, wilson_of_groups(self.right[name] / repeats, groups), tuple(shares))
            for name, shares in self.shares.items()
        ]
        return tuple(sorted(found, key=lambda each: (-each.accuracy.value, each.name)))


def _copies(digests: Sequence[str]) -> Rows:
    """(p, 2) places of examples with the same bytes, each with the first of them."""
    first: dict[str, int] = {}
    pairs = [(first.setdefault(digest, place), place) for place, digest in enumerate(digests)]
    return np.array([pair for pair in pairs if pair[0] != pair[1]], np.int64).reshape(-1, 2)


def _draw(examples: LabelledSet, pool: Rows, shots: int, seed: int) -> Rows:
    """So many rows of each class out of those that are not tested on.

    Raises:
        DataError: if a class has fewer there.
    """
    labels = examples.labels[pool]
    counts = np.bincount(labels, minlength=len(examples.classes))
    lacking = [
        Problem(f"class {name!r}", f"{shots} examples that are not tested on", str(count))
        for name, count in zip(examples.classes, counts.tolist(), strict=True)
        if count < shots
    ]
    if lacking:
        raise DataError(
            f"{examples.source} has too few examples for {shots} shots in each fold.",
            lacking,
            "ask for fewer shots, or more folds, of which each then leaves more to learn from",
        )
    order = np.random.default_rng(seed).permutation(pool)
    kinds = examples.labels[order]
    return np.sort(np.concatenate([order[kinds == each][:shots] for each in range(len(examples.classes))]))
