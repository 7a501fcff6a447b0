"""One candidate of a ranking, wherever that is done: opened, run once over the examples, scored at each of its cuts."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.errors import Problem, TransferError
from transfer.evidence.repeated_folds import deal_repeatedly
from transfer.jobs.examples.cached_features import Cache
from transfer.jobs.examples.shared_folders import pictures_of, refuse_unseen
from transfer.jobs.rankings.failed_candidates import telling
from transfer.jobs.rankings.features_of_cuts import CutFeatures, Fitting, ReadCandidate, read_candidate
from transfer.jobs.rankings.opening_candidates import Candidate, OpenedCandidate, open_candidate
from transfer.jobs.rankings.scoring_cuts import Labelled, ScoredCut, score_cut
from transfer.jobs.rankings.waiting_features import WaitingFeatures
from transfer.models.restoring import Into
from transfer.rankings import FailedCandidate
from transfer.specs import Progress, Restoring, silent
from transfer.training.devices import as_many_threads
from transfer.weights.cards import Card
from transfer.weights.checkpoint import Checkpoint

REPEATS, FOLDS = 2, 5

Source: TypeAlias = "Candidate | OpenedCandidate | FailedCandidate"
Turn: TypeAlias = (
    "tuple[int, frozenset[int] | None]"  # which candidate, and the places that are left out beside its own
)


@dataclass(frozen=True, slots=True, eq=False)
class ScoredCandidate:
    """What came of a candidate.

    Attributes:
        place: of it among all.
        unread: what is wrong with examples that could not be read, by place.
        is_read: whether it could be opened and run.
        cuts: scored, in order, without their features; none where `failed`, or where nothing may be left out.
        failed: why it cannot be ranked; empty where it can.
        card: of its network.
        trouble: why features are not kept for other runs, though they should be; empty where they are.
    """

    place: int
    unread: Mapping[int, Problem] = field(default_factory=dict)
    is_read: bool = False
    cuts: tuple[ScoredCut, ...] = ()
    failed: tuple[FailedCandidate, ...] = ()
    card: Card | None = None
    trouble: str = ""


@dataclass(slots=True, eq=False)
class OpenedHere:
    """What stays in this process of candidates that it has opened and read.

    Attributes:
        waiting: where their features wait for a second turn.
        opened: networks by the names of the candidates.
        read: likewise, run over the examples.
    """

    waiting: WaitingFeatures
    opened: dict[str, OpenedCandidate] = field(default_factory=dict)
    read: dict[str, ReadCandidate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class CandidateScoring:
    """The work of a ranking; without `here` plain values, for any process.

    Attributes:
        candidates: all of them; where another process has the work, those that are no file opened already, or failed.
        data: the examples.
        cuts: layers to look at in each, at most.
        fitting: of images.
        restoring: how files are brought into their architectures.
        skip_unreadable: whether examples that cannot be read are left out.
        cache: where features are kept for other runs.
        seed: of folds and random weights.
        progress: told of what is going on.
        here: what is kept from one turn to the next; None to keep nothing.
    """

    candidates: tuple[Source, ...]
    data: LabelledSet
    cuts: int
    fitting: Fitting
    restoring: Restoring
    skip_unreadable: bool
    cache: Cache | None
    seed: int
    progress: Progress = field(default=silent, repr=False)
    here: OpenedHere | None = field(default=None, repr=False)

    def prepare(self) -> Callable[[Turn], ScoredCandidate]:
        """See `Engine`.

        Raises:
            TrainingError: on a machine that does not see the pictures.
        """
        refuse_unseen(pictures_of(self.data))
        return self.score

    def score(self, turn: Turn) -> ScoredCandidate:
        """Score a candidate on the examples that could be read: by it, and of a second turn by all.

        Raises:
            DataError: if the examples are too few for folds.
        """
        place, others = turn
        source = self.candidates[place]
        if isinstance(source, FailedCandidate):
            return ScoredCandidate(place, failed=(source,))
        candidate = source.candidate if isinstance(source, OpenedCandidate) else source
        failures: list[FailedCandidate] = []
        with telling(candidate, failures, Exception):  # of Keras and TensorFlow as well
            read = self._read(place, candidate)
        if failures:
            return ScoredCandidate(place, failed=tuple(failures))
        found = ScoredCandidate(place, read.failures, is_read=True, card=read.opened.network.card, trouble=read.trouble)
        left_out = {*read.failures, *(others or ())}
        if left_out and not self.skip_unreadable:
            return found
        places, task = self.deal(left_out)
        cuts: tuple[ScoredCut, ...] = ()
        with telling(candidate, failures):
            cuts = self._scored(candidate, read.cuts, places, task)
        return replace(found, cuts=cuts, failed=tuple(failures))

    def lost(self, turn: Turn, reason: str) -> ScoredCandidate:
        """What there is of a candidate whose process died each time."""
        place, _ = turn
        step = "take fewer workers a machine, or machines with more memory"
        return ScoredCandidate(place, failed=(FailedCandidate(_name_of(self.candidates[place]), reason, step, 7),))

    def deal(self, left_out: Collection[int]) -> tuple[NDArray[np.int64], Labelled]:
        """Places of the other examples, and their folds.

        Raises:
            DataError: if they are too few.
        """
        places = np.array([place for place in range(len(self.data)) if place not in left_out], np.int64)
        chosen = self.data.subset(places)
        folds = deal_repeatedly(
            chosen.labelling, chosen.targets, seed=self.seed, folds=FOLDS, repeats=REPEATS, groups=chosen.groups
        )
        return places, Labelled(chosen.labels, len(chosen.classes), folds, chosen.groups, self.seed)

    def opened(self, place: int) -> OpenedCandidate:
        """A candidate, opened; once where it stays in this process.

        Raises:
            TransferError: of the kind that fits.
        """
        source = self.candidates[place]
        if isinstance(source, OpenedCandidate):
            return source
        if isinstance(source, FailedCandidate):
            raise TransferError(source.reason, next_step=source.next_step)
        kept = self.here.opened if self.here is not None else {}
        if source.name not in kept:
            kept[source.name] = open_candidate(source, restoring=self.restoring, seed=self.seed)
        return kept[source.name]

    def _read(self, place: int, candidate: Candidate) -> ReadCandidate:
        kept = self.here.read if self.here is not None else {}
        if candidate.name not in kept:
            found = read_candidate(
                self.opened(place),
                self.data,
                most=self.cuts,
                fitting=self.fitting,
                cache=self.cache,
                progress=self.progress,
            )
            kept[candidate.name] = self.here.waiting.take(found) if self.here is not None else found
        return kept[candidate.name]

    def _scored(
        self, candidate: Candidate, cuts: tuple[CutFeatures, ...], places: NDArray[np.int64], task: Labelled
    ) -> tuple[ScoredCut, ...]:
        found = []
        for number, features in enumerate(cuts):
            self.progress(f"probing {candidate.name}", number, len(cuts))
            with as_many_threads():
                scored = score_cut(features, places, task)
            bare = replace(features, values=features.values[:0], probabilities=None)
            found.append(replace(scored, features=bare))
        return tuple(found)


def to_send(work: CandidateScoring) -> CandidateScoring:
    """The same work as plain values, which a process in another folder can do; models are opened here for it."""
    inputs, cache, how = work.data.inputs, work.cache, work.restoring
    if isinstance(inputs, tuple):
        inputs = tuple(each.absolute() for each in inputs)
    return replace(
        work,
        candidates=tuple(_sent(work, place) for place in range(len(work.candidates))),
        data=replace(work.data, inputs=inputs),
        cache=None if cache is None else replace(cache, folder=cache.folder.absolute()),
        restoring=replace(how, check=how.check and _whole(how.check)),
        progress=silent,
        here=None,
    )


def _sent(work: CandidateScoring, place: int) -> Source:
    candidate = work.candidates[place]
    if not isinstance(candidate, Candidate):
        return candidate
    if candidate.file and not isinstance(candidate.into, keras.Model) and not isinstance(candidate.source, Checkpoint):
        return replace(candidate, source=_whole(candidate.file), into=_whole_into(candidate.into))
    failures: list[FailedCandidate] = []
    with telling(candidate, failures, Exception):
        opened = work.opened(place)
    if failures:
        return failures[0]
    network = replace(opened.network, tensors=dict(opened.network.tensors.items()))
    return replace(opened, candidate=replace(candidate, source="", into=None), network=network, into=None)


def _name_of(source: Source) -> str:
    if isinstance(source, FailedCandidate):
        return source.candidate
    return source.candidate.name if isinstance(source, OpenedCandidate) else source.name


def _whole_into(into: Into) -> Into:
    if not isinstance(into, str | os.PathLike):
        return into
    file, colon, name = os.fspath(into).partition(":")
    return f"{_whole(file)}{colon}{name}"


def _whole(path: str) -> str:
    """A path from the root; names of other things as they are."""
    return str(Path(path).absolute()) if Path(path).exists() else path
