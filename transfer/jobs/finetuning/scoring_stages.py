"""Learning stage by stage, with a score after each on examples that nothing was learnt from, beside the baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from transfer.data.doubts import find_doubts, refuse_known, refuse_unreadable
from transfer.data.joining import join_sets
from transfer.data.labelled import LabelledSet
from transfer.data.labelled_splits import one_sided
from transfer.evidence.baselines import LEARNT_FROM
from transfer.evidence.exact_matching import exact_matches
from transfer.evidence.falling_short import falling_short, outputs_falling_short
from transfer.evidence.share_differences import differ_on_same
from transfer.jobs.examples.dividing import divide, refuse_unlearnt
from transfer.jobs.examples.feeding import Feed
from transfer.jobs.examples.reading_examples import ReadExamples, read_examples
from transfer.jobs.finetuning.benchmarking import Reference
from transfer.jobs.runs.describing import describe_probe
from transfer.jobs.runs.kept_predictions import KeptPredictions, sorted_predictions
from transfer.jobs.runs.learnt_before import LearntBefore
from transfer.jobs.students.clock import Clock
from transfer.jobs.students.following_recipes import Followed, follow
from transfer.jobs.students.scoring_answers import Scored
from transfer.jobs.students.scoring_baselines import LINEAR, LOGISTIC, NEIGHBOURS, score_baselines
from transfer.labellings import Labelling
from transfer.results import Result
from transfer.specs import Json
from transfer.tabulating import shorten
from transfer.training.decoding import find_probabilities
from transfer.training.labels import Labels
from transfer.training.learner import Learner


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        result: the scores.
        split: which examples were learnt from and tested on, and digests of the former.
        answers: which of the tested examples each way of answering got right.
        clock: seconds it took.
        last: what the model that is kept came to.
        predictions: of the model that is kept, for all test examples.
        examples: those that could be read.
        places: (n,) of these among all.
        train: rows of these that were learnt from.
        probe: what the probe on the benchmark came to; None without one.
    """

    result: Result
    split: Json
    answers: Json
    clock: Clock
    last: Scored
    predictions: KeptPredictions
    examples: LabelledSet
    places: NDArray[np.int64]
    train: NDArray[np.int64]
    probe: Scored | None = None


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
    learner: Learner,
    feed: Feed,
    data: LabelledSet,
    how: Division,
    *,
    skip_unreadable: bool,
    rivals: Callable[[int], Mapping[str, Learner]] | None = None,
    benchmark: Reference | None = None,
    before: LearntBefore | None = None,
    read_all: Callable[[Learner, Feed, LabelledSet], ReadExamples] = read_examples,
) -> Outcome:
    """Read, learn and test.

    Args:
        learner: of the recipe.
        feed: how examples go in.
        data: to learn from.
        how: what is tested on.
        skip_unreadable: whether examples that cannot be read are left out.
        rivals: makes learners that stand beside it as baselines, by name, for so many examples to learn from.
        benchmark: what it is held against besides.
        before: what the network has learnt from already; None where that is nothing.
        read_all: lets a learner run what it does not train over a set.
    """
    clock, seed, test = Clock(), learner.recipe.seed, how.test
    everything = data if test is None else join_sets(data, test)
    with clock("features"):
        read = read_all(learner, feed, everything)
    if not skip_unreadable:
        refuse_unreadable(read.failures, len(everything), everything.source)
    split = _divided(everything, read.places, len(data), how, seed)
    train, unseen, labels = split.train, split.unseen, split.labels
    unlearnt = refuse_unlearnt(labels[train])
    others = rivals(len(train)) if rivals is not None else {}
    learner.begin(read.places[train], read.labels, everything.groups)
    with clock("baselines"):
        baselines = score_baselines(read, labels, train, unseen, seed, learner.progress, split.examples.groups)
    probe: Scored | None = None
    if benchmark is not None and benchmark.probed is not None:
        with clock("benchmark"):  # before the learning, which a time limit ends
            probe = _answer(benchmark.probed.learner(learner), benchmark.probed.feed, split).renamed(benchmark.name)
    followed = follow(learner, read.places[unseen], read.labels, everything.groups, clock)
    if followed.decisions is not None:
        learner.calibrate(followed.decisions.slopes(), followed.decisions.offsets())
    for name, rival in others.items():
        with clock("baselines"):
            baselines = (*baselines, _answer(rival, feed, split).renamed(name))
    known, tested = before or LearntBefore(), split.tested
    result = replace(
        _result(data.labelling, split, followed, baselines),
        left_out=(*data.problems, *(test.problems if test else ()), *read.failures),
        notes=(
            *learner.remarks,
            *known.notes,
            *_notes(split, followed, tested.groups, takes_input=read.pixels is not None),
        ),
        warnings=(
            *_warnings(split),
            *unlearnt,
            *known.warnings([split.digests[place] for place in unseen]),
            *_short(followed.scores[-1], baselines, tested.groups),
        ),
    )
    answers = _answers([*followed.scores, *baselines, *([probe] if probe is not None else [])], tested)
    predictions = sorted_predictions(
        data.labelling,
        [split.examples.names[place] for place in unseen],
        find_probabilities(data.labelling, followed.logits),
        labels[unseen].targets,
    )
    return Outcome(
        result=result,
        split=split.to_json(),
        answers=answers,
        clock=clock,
        last=followed.scores[-1],
        predictions=predictions,
        examples=split.examples,
        places=split.places,
        train=train,
        probe=probe,
    )


@dataclass(frozen=True, slots=True)
class _Split:
    """What every learner learns from and answers.

    Attributes:
        everything: all examples.
        places: of those that could be read.
        examples: these.
        digests: of their contents.
        train: rows of them to learn from.
        unseen: rows to answer.
        twins: how many more are left out, for the same content is among those learnt from.
    """

    everything: LabelledSet
    places: NDArray[np.int64]
    examples: LabelledSet
    digests: Sequence[str]
    train: NDArray[np.int64]
    unseen: NDArray[np.int64]
    twins: int

    @property
    def labels(self) -> Labels:
        """Of the examples."""
        return Labels(self.examples.labelling, self.examples.targets)

    @property
    def tested(self) -> LabelledSet:
        """Of the answered ones those of which anything but numbers is known: those that have right answers."""
        found = self.labels[self.unseen]
        return self.examples.subset(self.unseen[exact_matches(found.labelling, found.targets, found.targets)[1]])

    def to_json(self) -> Json:
        """Names of both sides, and digests of what is learnt from."""
        sides = {"train": self.train, "test": self.unseen}
        named = {name: sorted(self.examples.names[i] for i in rows) for name, rows in sides.items()}
        return {"split": named, "learnt": sorted({self.digests[place] for place in self.train})}


def _divided(everything: LabelledSet, places: NDArray[np.int64], count: int, how: Division, seed: int) -> _Split:
    """What is learnt from and what is answered.

    Args:
        everything: all examples.
        places: of those that could be read.
        count: of those in the set to learn from, which come first.
        how: to divide them.
        seed: of the choice.

    Raises:
        DataError: if nothing is left to test on.
    """
    examples = everything.subset(places)
    if how.test is not None:
        train, held_out = np.flatnonzero(places < count), np.flatnonzero(places >= count)
    else:
        train, held_out = divide(examples, seed=seed, shots=how.shots, test_share=how.share)
    digests = examples.digests()
    learnt = {digests[place] for place in train}
    unseen = np.array([place for place in held_out if digests[place] not in learnt], np.int64)
    refuse_known(len(unseen))
    return _Split(everything, places, examples, digests, train, unseen, len(held_out) - len(unseen))


def _result(labelling: Labelling, split: _Split, followed: Followed, baselines: Sequence[Scored]) -> Result:
    """The scores."""
    found, decisions = followed.scores, followed.decisions
    return Result(
        classes=labelling.outputs[0].classes if labelling.is_single else (),
        train_examples=len(split.train),
        test_examples=len(split.unseen),
        score=found[-1].score,
        baselines=tuple(each.score for each in baselines if each.score),
        stages=tuple(each.score for each in found if each.score),
        probe=describe_probe(followed.probe, labelling) if followed.probe is not None else None,
        labelling=None if labelling.is_single else labelling,
        decisions=decisions.to_json() if decisions else None,
        outputs=tuple(each.outputs for each in (*reversed(found), *baselines) if each.outputs),
    )


def _notes(split: _Split, followed: Followed, groups: NDArray[np.int64] | None, *, takes_input: bool) -> Iterator[str]:
    """What a reader of the scores should know."""
    several = not split.examples.labelling.is_single
    if followed.decisions is not None:
        yield from followed.decisions.notes
    yield from _remarks(len(split.train) if takes_input else 0, split.twins, several)
    yield from _compared(followed.scores, groups, several)


def _answer(rival: Learner, feed: Feed, split: _Split) -> Scored:
    """What another learner comes to on the same examples."""
    everything, groups = split.everything, split.everything.groups
    read = read_examples(rival, feed, everything)
    if not np.array_equal(read.places, split.places):
        refuse_unreadable(read.failures, len(everything), everything.source)
    rival.begin(split.places[split.train], read.labels, groups)
    return follow(rival, split.places[split.unseen], read.labels, groups, Clock()).scores[-1]


def _answers(ways: Sequence[Scored], tested: LabelledSet) -> Json:
    """By name of the way, for the tested examples that have right answers."""
    return {
        "examples": list(tested.names),
        "digests": list(tested.digests()),
        **({} if tested.groups is None else {"groups": tested.groups.tolist()}),
        "ways": {each.score.name: each.right.tolist() for each in ways if each.score is not None},
    }


def _warnings(split: _Split) -> tuple[str, ...]:
    """What is doubtful about the labels; of several outputs also what cannot be tested."""
    examples, train = split.examples, split.train
    labelling, targets = examples.labelling, examples.targets
    doubts = find_doubts(split.digests, labelling, targets, examples.names, train=train).warnings
    if labelling.is_single:
        return doubts
    untested = [
        each.where
        for each in one_sided(labelling, targets, train, split.unseen)
        if each.found.endswith(" 0 to test on")
    ]
    return (*doubts, *([f"no example to test on for {shorten(untested)}"] if untested else ()))


def _compared(found: Sequence[Scored], groups: NDArray[np.int64] | None, several: bool) -> tuple[str, ...]:
    """The last stage beside the first, on the same examples; nothing of one stage alone.

    Of several outputs an example is right where all of it is; where none is, there is nothing to compare.
    """
    last, first = found[-1], found[0]
    if len(found) < 2 or last.score is None or first.score is None:
        return ()
    if several and not (last.right.any() or first.right.any()):
        return ()
    told = differ_on_same(last.right, first.right, groups).describe(last.score.name, first.score.name, groups)
    return (f"all right: {told}" if several else told,)


def _short(last: Scored, baselines: Sequence[Scored], groups: NDArray[np.int64] | None) -> tuple[str, ...]:
    """Where the model that is kept is worse than a baseline."""
    if last.outputs is not None:
        return outputs_falling_short(last.outputs, [each.outputs for each in baselines if each.outputs])
    simple = {each.score.name: each.right for each in baselines if each.score}
    return falling_short(last.score.name, last.right, simple, groups) if last.score else ()


def _remarks(learnt: int, twins: int, several: bool) -> tuple[str, ...]:
    """What a reader of the result should know."""
    remarks = []
    if learnt > LEARNT_FROM:
        how = f"{LINEAR} learnt from {LEARNT_FROM} of these examples, drawn at random"
        one = f"{LOGISTIC} and {NEIGHBOURS} learnt from {LEARNT_FROM} of these examples, class by class"
        remarks.append(how if several else one)
    if twins:
        remarks.append(f"{twins} test examples left out: the same bytes are among those learnt from")
    return tuple(remarks)
