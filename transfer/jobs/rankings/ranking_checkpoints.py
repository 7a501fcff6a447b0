"""Ranking networks as a whole job: which to start from, and where to cut it, by a probe on every cut."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from transfer.data.doubts import refuse_unreadable
from transfer.data.forms import LabelledData, as_labelled
from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem
from transfer.jobs.examples.cached_features import Cache
from transfer.jobs.rankings.auditing_scores import audit_scores, tell_left_out
from transfer.jobs.rankings.failed_candidates import none_left, refer_to_twins
from transfer.jobs.rankings.features_of_cuts import Fitting
from transfer.jobs.rankings.next_commands import extract_command, finetune_command
from transfer.jobs.rankings.opening_candidates import Candidate, Source, list_candidates
from transfer.jobs.rankings.ordering_cuts import Placed, order_cuts
from transfer.jobs.rankings.scoring_candidates import (
    REPEATS,
    CandidateScoring,
    OpenedHere,
    ScoredCandidate,
    to_send,
)
from transfer.jobs.rankings.verifying_ranks import verify_cuts
from transfer.jobs.rankings.waiting_features import WaitingFeatures
from transfer.jobs.runs.learnt_before import LearntBefore, find_learnt
from transfer.models.restoring import Into
from transfer.rankings import Ranking
from transfer.specs import Preprocessing, Progress, Restoring, silent
from transfer.training.engines import Engine, LocalEngine

CUTS = 6


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
    engine: Engine | None = None,
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
        engine: what runs and scores the candidates, which are files best: a model is sent with all its weights. By
            default this process, one after the other. What is fine-tuned is so here.
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
    engine = engine or LocalEngine()
    with WaitingFeatures() as waiting:
        work = CandidateScoring(
            listed, labelled, cuts, fitting, restoring, skip_unreadable, kept, seed, progress, OpenedHere(waiting)
        )
        found = _score_all(work, engine, skip_unreadable=skip_unreadable)
    unread = {place: problem for each in found for place, problem in each.unread.items()}
    places, task = work.deal(unread)
    chosen = labelled.subset(places)
    scored = [Placed(listed[each.place], cut) for each in found for cut in each.cuts]
    failures = [failure for each in found for failure in each.failed]
    told = refer_to_twins(failures, listed)
    if not scored:
        raise none_left(told)
    ordered = order_cuts(scored, task.folds)
    place_of = {each.name: place for place, each in enumerate(listed)}
    origins = {row.name: work.opened(place_of[row.candidate]) for row in ordered.rows[:verify]}
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
    best = work.opened(place_of[ranking.best.candidate])
    left_out = [f"examples that cannot be read, left out: {more}"] if (more := len(labelled) - len(chosen)) else []
    trouble = dict.fromkeys(each.trouble for each in found if each.trouble)
    before = _before(listed, found)
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


def _score_all(work: CandidateScoring, engine: Engine, *, skip_unreadable: bool) -> list[ScoredCandidate]:
    """All candidates in their order, on the examples that all could read.

    Raises:
        DataError: if some cannot be read and are not left out, or are too few for folds.
    """
    sent = work if isinstance(engine, LocalEngine) else to_send(work)
    prepare, count = sent.prepare, len(work.candidates)
    found: dict[int, ScoredCandidate] = {}
    for each in engine.map(prepare, [(place, None) for place in range(count)], lost=sent.lost):
        found[each.place] = each
        work.progress("ranking", len(found), count)
    unread = {place: problem for each in found.values() for place, problem in each.unread.items()}
    if not skip_unreadable:
        refuse_unreadable([unread[place] for place in sorted(unread)], len(work.data), work.data.source)
    again = [place for place, each in found.items() if not each.failed and each.unread.keys() != unread.keys()]
    for each in engine.map(prepare, [(place, frozenset(unread)) for place in again], lost=sent.lost) if again else ():
        found[each.place] = each
    return [found[place] for place in range(count)]


def _before(listed: Sequence[Candidate], found: Sequence[ScoredCandidate]) -> list[LearntBefore]:
    """What candidates have learnt from; nothing of those with random weights, or that could not be read."""
    known = [(listed[each.place], each) for each in found if each.is_read]
    return [find_learnt(one.name, one.path, each.card) for one, each in known if not one.is_random]


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
