"""A look at every example before a run: which cannot be read, which contradict each other, how long reading takes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.doubts import Doubts, find_doubts, refuse_known
from transfer.data.joining import join_sets
from transfer.data.labelled import LabelledSet
from transfer.data.loading import ImageBatch
from transfer.errors import DataError, Problem
from transfer.evidence.baselines import shrink_images
from transfer.jobs.examples.dividing import divide, refuse_unlearnt
from transfer.jobs.examples.feeding import Feed
from transfer.jobs.finetuning.learning import Learning
from transfer.specs import Progress, silent
from transfer.training.holding_out import hold_out
from transfer.training.labels import Labels
from transfer.training.prefixing import BATCH

MOST = 2000  # examples that are read; of more, so many are drawn
KEPT = 256  # small copies


@dataclass(frozen=True, slots=True)
class SeenExamples:
    """What was seen.

    Attributes:
        seen: how many were read.
        unreadable: (place in the set, what is wrong).
        blank: places of those that are one value throughout.
        images: (b, …) some that can be read, as they go into the network, at most a batch.
        spread: places of some that can be read, from all over the set.
        pixels: (len(spread), …) their small copies, as the baseline on raw input has them.
        seconds: that reading took.
    """

    seen: int
    unreadable: tuple[tuple[int, Problem], ...]
    blank: tuple[int, ...]
    images: NDArray[Any] = field(repr=False)
    spread: tuple[int, ...]
    pixels: NDArray[Any] = field(repr=False)
    seconds: float

    @property
    def each(self) -> float:
        """Seconds to read one."""
        return self.seconds / max(1, self.seen)


def look_at_examples(
    feed: Feed, data: LabelledSet, *, most: int = MOST, seed: int = 0, progress: Progress = silent
) -> SeenExamples:
    """Read the examples of a set as a run does, decoding pictures by as many threads.

    Headers of all pictures were looked at when the set was listed; here each is decoded, or of very many a part.

    Args:
        feed: how examples go into the network.
        data: examples.
        most: of them to read.
        seed: of the choice.
        progress: told how many are done.

    Raises:
        DataError: if the examples are not what the network takes.
    """
    random = np.random.default_rng(seed)
    places = np.sort(random.permutation(len(data))[:most])
    spread = set(np.linspace(0, len(places) - 1, min(KEPT, len(places))).astype(int).tolist())
    failures: list[tuple[int, Problem]] = []
    blank: list[int] = []
    images: list[NDArray[Any]] = []
    kept: list[int] = []
    pixels: list[NDArray[Any]] = []
    start = time.perf_counter()
    for batch in feed.batches(data if len(places) == len(data) else data.subset(places), BATCH, progress):
        failed = {number for number, _ in batch.failures}
        failures += [(int(places[number]), problem) for number, problem in batch.failures]
        blank += [int(places[number]) for number in _blank(batch) if number not in failed]
        small = shrink_images(batch.images) if batch.images.ndim == 4 else batch.images
        wanted = [number for number in range(batch.first, batch.first + len(small)) if number in spread - failed]
        kept += places[wanted].tolist()
        pixels.append(small[[number - batch.first for number in wanted]])
        if sum(map(len, images)) < BATCH:
            images.append(batch.readable)
    seconds = time.perf_counter() - start
    return SeenExamples(
        len(places), tuple(failures), tuple(blank), _joined(images)[:BATCH], tuple(kept), _joined(pixels), seconds
    )


@dataclass(frozen=True, slots=True)
class CheckedExamples:
    """All examples as a run would divide them.

    Attributes:
        learnt: places of those to learn from, as far as they can be read.
        tried: how many of these a trial learns from before; 0 for no trial.
        tested: places of those to test on, likewise.
        labels: of all, those to test on behind.
        digests: of all.
        digesting: seconds that these took.
        seen: what was seen of them.
        doubts: about them.
    """

    learnt: NDArray[np.int64]
    tried: int
    tested: NDArray[np.int64]
    labels: Labels = field(repr=False)
    digests: tuple[str, ...] = field(repr=False)
    digesting: float
    seen: SeenExamples
    doubts: Doubts


def check_examples(
    feed: Feed, data: LabelledSet, how: Learning, *, unreadable: Sequence[Problem] = (), progress: Progress = silent
) -> CheckedExamples:
    """Read the examples of a run, divide them as it does, and say what is wrong with them.

    Args:
        feed: how they go into the network.
        data: to learn from.
        how: what is tested on, and by which recipe is learnt.
        unreadable: what is known not to be readable, and is not in `data`.
        progress: told how many are read.

    Raises:
        DataError: if a class has too few of them, with what cannot be read beside it, or nothing is left to test on.
    """
    everything = data if how.test is None else join_sets(data, how.test)
    start = time.perf_counter()
    digests = everything.digests()
    digesting = time.perf_counter() - start
    seen = look_at_examples(feed, everything, seed=how.recipe.seed, progress=progress)
    bad = (*unreadable, *(problem for _, problem in seen.unreadable))
    learnt, tested = _divide(everything, len(data), seen, how, bad)
    labels = Labels(everything.labelling, everything.targets)
    found = find_doubts(digests, everything.labelling, everything.targets, everything.names, train=learnt, test=tested)
    try:
        refuse_unlearnt(labels[learnt])
    except DataError as error:
        raise DataError(error.summary, [*error.problems, *bad], error.next_step) from error
    refuse_known(len(tested) - len(found.leaked))
    known = {each.where for each in bad}
    doubts = replace(
        found,
        unreadable=bad,
        left_out=tuple(each for each in _left_out(data, how.test) if each.where not in known),
        blank=tuple(everything.names[place] for place in seen.blank),
        seen=seen.seen + len(unreadable),
        examples=len(everything) + len(unreadable),
    )
    held_out = len(
        hold_out(labels[learnt], how.recipe, None if everything.groups is None else everything.groups[learnt])
    )
    tried = len(learnt) - held_out if held_out else 0
    return CheckedExamples(learnt, tried, tested, labels, digests, digesting, seen, doubts)


def _divide(
    examples: LabelledSet, count: int, seen: SeenExamples, how: Learning, unreadable: Sequence[Problem]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of the readable examples to learn from, and of those to test on.

    Args:
        examples: all, those to learn from first.
        count: of these.
        seen: what was found by reading them.
        how: to divide them.
        unreadable: for the message.
    """
    lost = {place for place, _ in seen.unreadable}
    readable = np.array([place for place in range(len(examples)) if place not in lost], np.int64)
    if how.test is not None:
        return readable[readable < count], readable[readable >= count]
    try:
        learnt, tested = divide(
            examples.subset(readable), seed=how.recipe.seed, shots=how.shots, test_share=how.test_share
        )
    except DataError as error:
        raise DataError(error.summary, [*error.problems, *unreadable], error.next_step) from error
    return readable[learnt], readable[tested]


def _left_out(data: LabelledSet, test: LabelledSet | None) -> tuple[Problem, ...]:
    return (*data.problems, *(test.problems if test is not None else ()))


def _blank(batch: ImageBatch) -> Iterator[int]:
    """Places of examples that are one value throughout; a single value says nothing."""
    rows = batch.images.reshape(len(batch.images), -1)
    if rows.shape[1] > 1:
        yield from (batch.first + np.flatnonzero((rows == rows[:, :1]).all(axis=1))).tolist()


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros((0, 0))
