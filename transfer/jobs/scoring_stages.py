"""Learning stage by stage, with a score after each on examples that nothing was learnt from, beside the baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
from transfer.jobs.benchmarking import Reference
from transfer.jobs.clock import Clock
from transfer.jobs.describing import describe_probe
from transfer.jobs.dividing import divide, refuse_unlearnt
from transfer.jobs.feeding import Feed
from transfer.jobs.following_recipes import follow
from transfer.jobs.learnt_before import LearntBefore
from transfer.jobs.reading_examples import read_examples
from transfer.jobs.scoring_answers import Scored
from transfer.jobs.scoring_baselines import LINEAR, LOGISTIC, NEIGHBOURS, score_baselines
from transfer.results import Result
from transfer.specs import Json
from transfer.tabulating import shorten
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
        probe: what the probe on the benchmark came to; None without one.
    """

    result: Result
    split: Json
    answers: Json
    clock: Clock
    last: Scored
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
    """
    clock, recipe, test = Clock(), learner.recipe, how.test
    everything = data if test is None else join_sets(data, test)
    with clock("features"):
        read = read_examples(learner, feed, everything)
    if not skip_unreadable:
        refuse_unreadable(read.failures, len(everything), everything.source)
    examples = everything.subset(read.places)
    train, held_out = _divided(examples, read.places, len(data), how, recipe.seed)
    labels = Labels(examples.labelling, examples.targets)
    digests = examples.digests()
    learnt = {digests[place] for place in train}
    unseen = np.array([place for place in held_out if digests[place] not in learnt], np.int64)
    refuse_known(len(unseen))
    unlearnt = refuse_unlearnt(labels[train])
    others = rivals(len(train)) if rivals is not None else {}
    learner.begin(read.places[train], read.labels, everything.groups)
    with clock("baselines"):
        baselines = score_baselines(read, labels, train, unseen, recipe.seed, learner.progress, examples.groups)
    sides = _Split(everything, read.places, train, unseen)
    probe: Scored | None = None
    if benchmark is not None and benchmark.probed is not None:
        with clock("benchmark"):  # before the learning, which a time limit ends
            probe = _answer(benchmark.probed.learner(learner), benchmark.probed.feed, sides).renamed(benchmark.name)
    followed = follow(learner, read.places[unseen], read.labels, everything.groups, clock)
    found, decisions = followed.scores, followed.decisions
    if decisions is not None:
        learner.calibrate(decisions.slopes(), decisions.offsets())
    for name, rival in others.items():
        with clock("baselines"):
            baselines = (*baselines, _answer(rival, feed, sides).renamed(name))
    several = None if data.labelling.is_single else data.labelling
    tested = examples.subset(unseen[_asked(labels[unseen])])
    result = Result(
        classes=data.classes if several is None else (),
        train_examples=len(train),
        test_examples=len(unseen),
        score=found[-1].score,
        baselines=tuple(each.score for each in baselines if each.score),
        stages=tuple(each.score for each in found if each.score),
        probe=describe_probe(followed.probe, data.labelling) if followed.probe is not None else None,
        left_out=(*data.problems, *(test.problems if test else ()), *read.failures),
        notes=(
            *learner.remarks,
            *(before.notes if before is not None else ()),
            *(decisions.notes if decisions else ()),
            *_remarks(len(train), len(held_out) - len(unseen), several is not None),
            *_compared(found, tested.groups, several is not None),
        ),
        warnings=(
            *_warnings(examples, digests, train, unseen),
            *unlearnt,
            *(before.warnings([digests[place] for place in unseen]) if before is not None else ()),
            *_short(found[-1], baselines, tested.groups),
        ),
        labelling=several,
        decisions=decisions.to_json() if decisions else None,
        outputs=tuple(each.outputs for each in (*reversed(found), *baselines) if each.outputs),
    )
    named = {name: sorted(examples.names[i] for i in rows) for name, rows in (("train", train), ("test", unseen))}
    answers = _answers([*found, *baselines, *([probe] if probe is not None else [])], tested)
    return Outcome(result, {"split": named, "learnt": sorted(learnt)}, answers, clock, found[-1], probe)


@dataclass(frozen=True, slots=True)
class _Split:
    """What every learner learns from and answers.

    Attributes:
        everything: all examples.
        places: of those that could be read.
        train: of these, those to learn from.
        unseen: those to answer.
    """

    everything: LabelledSet
    places: NDArray[np.int64]
    train: NDArray[np.int64]
    unseen: NDArray[np.int64]


def _answer(rival: Learner, feed: Feed, sides: _Split) -> Scored:
    """What another learner comes to on the same examples."""
    everything, groups = sides.everything, sides.everything.groups
    read = read_examples(rival, feed, everything)
    if not np.array_equal(read.places, sides.places):
        refuse_unreadable(read.failures, len(everything), everything.source)
    rival.begin(sides.places[sides.train], read.labels, groups)
    return follow(rival, sides.places[sides.unseen], read.labels, groups, Clock()).scores[-1]


def _asked(labels: Labels) -> NDArray[np.bool_]:
    """(n,), the examples of which anything but numbers is known: those that have right answers."""
    return exact_matches(labels.labelling, labels.targets, labels.targets)[1]


def _answers(ways: Sequence[Scored], tested: LabelledSet) -> Json:
    """By name of the way, for the tested examples that have right answers."""
    return {
        "examples": list(tested.names),
        "digests": list(tested.digests()),
        **({} if tested.groups is None else {"groups": tested.groups.tolist()}),
        "ways": {each.score.name: each.right.tolist() for each in ways if each.score is not None},
    }


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
    return divide(examples, seed=seed, shots=how.shots, test_share=how.share)


def _warnings(
    examples: LabelledSet, digests: Sequence[str], train: NDArray[np.int64], test: NDArray[np.int64]
) -> tuple[str, ...]:
    """What is doubtful about the labels; of several outputs also what cannot be tested."""
    labelling, targets = examples.labelling, examples.targets
    doubts = find_doubts(digests, labelling, targets, examples.names, train=train).warnings
    if labelling.is_single:
        return doubts
    untested = [
        each.where for each in one_sided(labelling, targets, train, test) if each.found.endswith(" 0 to test on")
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
