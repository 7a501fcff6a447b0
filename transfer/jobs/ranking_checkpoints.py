"""Ranking networks as a whole job: which to start from, and where to cut it, by a probe on every cut."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transfer.data.doubts import refuse_unreadable
from transfer.data.forms import LabelledData, as_labelled
from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem
from transfer.evidence.repeated_folds import deal_repeatedly
from transfer.jobs.auditing_scores import audit_scores, tell_left_out
from transfer.jobs.cached_features import Cache
from transfer.jobs.failed_candidates import none_left, refer_to_twins, telling
from transfer.jobs.features_of_cuts import Fitting, ReadCandidate, read_candidate
from transfer.jobs.learnt_before import LearntBefore, find_learnt
from transfer.jobs.next_commands import extract_command, finetune_command
from transfer.jobs.opening_candidates import Source, list_candidates, open_candidate
from transfer.jobs.ordering_cuts import Placed, order_cuts
from transfer.jobs.scoring_cuts import Labelled, score_cut
from transfer.jobs.verifying_ranks import verify_cuts
from transfer.jobs.waiting_features import WaitingFeatures
from transfer.models.restoring import Into
from transfer.rankings import FailedCandidate, Ranking
from transfer.specs import Preprocessing, Progress, Restoring, silent

CUTS = 6
REPEATS, FOLDS = 2, 5


def rank(
    candidates: Sequence[Source] | Mapping[str, Source],
    data: LabelledData,
    *,
    into: Into | Mapping[str, Into] = None,
    restoring: Restoring | None = None,
    random: bool = False,
    cuts: int = CUTS,
    verify: int = 0,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
    cache: Cache | str | os.PathLike[str] | None = None,
    seed: int = 0,
    named: Sequence[str] = (),
    progress: Progress = silent,
) -> Ranking:
    """Say which of several networks to start from, and where to cut it.

    Each network runs once over the examples, with what it gives at several layers at once. A linear head is solved on
    each of these over repeated folds, the same for all, and scores that need no training are held against it. What
    cannot be ranked is told with its reason; the order of the candidates changes nothing.

    Args:
        candidates: files, names of shipped checkpoints, checkpoints, Keras models or what `restore` gave, or these by
            names; `random:FILE` is FILE with random weights, a control.
        data: examples of one class each, in any form that `finetune` takes.
        into: the architecture of files that hold none: a builder or a name; of several by the names of the files.
        restoring: how files are brought into their architectures.
        random: whether each candidate goes with the same with random weights.
        cuts: layers to look at in a network, at most: where its features end, and ends of blocks.
        verify: how many of the best cuts are fine-tuned, all on the same split; an order of fewer than 3 tells
            nothing of the scores.
        preprocessing: how images are prepared for networks without a card that says it.
        size: (h, w) of images for networks that take any; by default what their cards say.
        skip_unreadable: whether pictures that cannot be decoded are left out instead of ending it.
        cache: a folder, or a `Cache`, in which features are kept for other runs.
        seed: of folds, of random weights and of fine-tuning.
        named: how the examples are named in the command that goes on with the best: their path, and what else tells
            which they are; by default their path, where `data` is one.
        progress: told of what is going on.

    Raises:
        DataError: if the examples have other labels, cannot be read, or are too few for folds.
        TransferError: of the kind of the worst, if no candidate can be ranked.
    """
    if verify < 0 or cuts < 1:
        raise ValueError(f"cuts are at least 1 and verify at least 0: {cuts}, {verify}")
    listed = list_candidates(candidates, into=into, random=random)
    restoring = restoring or Restoring()
    labelled = as_labelled(data)
    _refuse_labels(labelled)
    fitting = Fitting(preprocessing, size)
    kept = Cache(Path(cache)) if isinstance(cache, str | os.PathLike) else cache
    failures: list[FailedCandidate] = []
    found: list[ReadCandidate] = []
    with WaitingFeatures() as waiting:
        for candidate in listed:
            with telling(candidate, failures, Exception):  # of Keras and TensorFlow as well
                opened = open_candidate(candidate, restoring=restoring, seed=seed)
                found.append(
                    waiting.take(
                        read_candidate(opened, labelled, most=cuts, fitting=fitting, cache=kept, progress=progress)
                    )
                )
        chosen, places = _readable(found, labelled, skip_unreadable=skip_unreadable)
        task = _deal(chosen, seed)
        scored: list[Placed] = []
        for each in found:
            with telling(each.opened.candidate, failures):
                scored += _scored(each, places, task, progress)
    told = refer_to_twins(failures, listed)
    if not scored:
        raise none_left(told)
    ordered = order_cuts(scored, task.folds)
    origins = {placed.name: placed.opened for placed in scored}
    rows, verified = verify_cuts(
        ordered.rows, origins, chosen, verify, fitting=fitting, cache=kept, seed=seed, progress=progress
    )
    ranking = Ranking(
        source=labelled.source,
        classes=chosen.classes,
        examples=len(chosen),
        repeats=REPEATS,
        fold_count=int(task.folds.dealt.max()) + 1,
        cuts=rows,
        tiers=ordered.tiers,
        order=ordered.line,
        failures=told,
        agreements=audit_scores(rows),
    )
    best = origins[ranking.best.name]
    left_out = [f"examples that cannot be read, left out: {more}"] if (more := len(labelled) - len(chosen)) else []
    trouble = dict.fromkeys(each.trouble for each in found if each.trouble)
    before = _before(found)
    unknown = [note for each in before for note in each.notes]
    notes = (*labelled.notes, *left_out, *ordered.notes, *tell_left_out(rows), *verified, *unknown, *trouble)
    words = named or ((os.fspath(data),) if isinstance(data, str | os.PathLike) else ())
    return replace(
        ranking,
        command=extract_command(ranking.best, best, chosen.labelling, fitting, restoring),
        finetuning=finetune_command(ranking.best, best, words, fitting, restoring, seed),
        notes=notes,
        warnings=tuple(warning for each in before for warning in each.warnings(chosen.digests())),
    )


def _before(found: Sequence[ReadCandidate]) -> list[LearntBefore]:
    """What candidates have learnt from; nothing of those with random weights."""
    opened = [each.opened for each in found if not each.opened.candidate.is_random]
    return [find_learnt(each.candidate.name, each.candidate.path, each.network.card) for each in opened]


def _refuse_labels(data: LabelledSet) -> None:
    if not data.labelling.is_single:
        raise DataError(
            f"{data.source} has other labels than one class each, by which networks are ranked.",
            [Problem(each.name, "softmax, the only output", each.kind) for each in data.labelling],
            next_step="choose one output of exclusive classes that every example has: --head NAME "
            "(read_labelled(…, outputs=[NAME]))",
        )
    if len(data.classes) < 2:
        raise DataError(
            f"{data.source} has one class; networks are ranked by telling classes apart.",
            [Problem("classes", "at least 2", ", ".join(data.classes))],
        )
    if not len(data):
        raise DataError(f"{data.source} holds no example that can be used.")


def _readable(
    found: Sequence[ReadCandidate], data: LabelledSet, *, skip_unreadable: bool
) -> tuple[LabelledSet, NDArray[np.int64]]:
    """The examples that could be read, the same for all candidates, and their places in the set."""
    failed = {place: problem for each in found for place, problem in each.failures.items()}
    if not skip_unreadable:
        refuse_unreadable([failed[place] for place in sorted(failed)], len(data), data.source)
    places = np.array([place for place in range(len(data)) if place not in failed], np.int64)
    return data.subset(places), places


def _deal(data: LabelledSet, seed: int) -> Labelled:
    folds = deal_repeatedly(data.labelling, data.targets, seed=seed, folds=FOLDS, repeats=REPEATS, groups=data.groups)
    return Labelled(data.labels, len(data.classes), folds, data.groups, seed)


def _scored(read: ReadCandidate, places: NDArray[np.int64], task: Labelled, progress: Progress) -> list[Placed]:
    found = []
    for place, features in enumerate(read.cuts):
        progress(f"probing {read.opened.candidate.name}", place, len(read.cuts))
        found.append(Placed(read.opened, score_cut(features, places, task)))
    return found
