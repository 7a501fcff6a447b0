"""Which labels of a set are likely wrong: the probe beside them, on examples that it has not learnt from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.data.doubts import refuse_unreadable
from transfer.data.forms import LabelledData, as_labelled
from transfer.data.joining import join_sets
from transfer.data.labelled import LabelledSet
from transfer.data.targets import known, shown_label
from transfer.errors import DataError
from transfer.evidence.label_audit import DoubtedLabel, LabelAudit, NearPair
from transfer.evidence.label_errors import LabelErrors, find_label_errors, is_too_weak
from transfer.evidence.label_questions import Question, find_questions
from transfer.evidence.near_duplicates import NearDuplicates, find_near_duplicates, group_duplicates
from transfer.jobs.audits.probe_features import compute_features
from transfer.jobs.examples.cached_features import Cache
from transfer.jobs.students.preparing import Student, prepare_student
from transfer.labellings import Labelling, Output
from transfer.models.restoring import Into, Restored, restore_file
from transfer.specs import Preprocessing, Progress, Restoring, silent
from transfer.tabulating import shorten
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.held_out_logits import held_out_logits
from transfer.training.solving import refuse_infinite
from transfer.training.temperatures import find_temperature
from transfer.weights.checkpoint import Checkpoint

_WEAK = (
    "the probe contradicts many labels without being sure: the share may well be of its own errors, and the list one "
    "to look through; another file, an earlier cut (--at, at=…) or a larger --size (size=…) may tell more apart"
)


def audit_labels(
    source: keras.Model | Student | Restored | Checkpoint | str | os.PathLike[str],
    data: LabelledData,
    *,
    test: LabelledSet | None = None,
    into: Into = None,
    restoring: Restoring | None = None,
    at: str | None = None,
    drop_last: int = 0,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    skip_unreadable: bool = False,
    cache: Cache | str | os.PathLike[str] | None = None,
    memory_bytes: int = MEMORY_BYTES,
    seed: int = 0,
    progress: Progress = silent,
) -> LabelAudit:
    """Find labels that are likely wrong, and examples that are almost the same.

    The frozen layers run once over all examples. A head is solved on four fifths of them and asked about the others,
    five times. What it contradicts for sure, by confident learning, is likely wrong (see `evidence.label_errors`).
    Numbers are not audited. Examples that are almost the same (see `evidence.near_duplicates`) are held out together,
    so that none confirms the label of its copy; so are those of a series of alike ones, which are not named as pairs.

    Args:
        source: a file, the name of a shipped one, what `restore` gave, or a model that ends in the heads as `extract`
            gives it.
        data: labelled examples, their path, or arrays (x, y).
        test: a set to test on, of the same outputs; its labels are not audited, but copies of its examples in `data`
            are found.
        into: the original architecture, where a file does not hold it.
        restoring: how a file is brought into it.
        at: the last layer to keep of a file; by default the old classifier goes.
        drop_last: number of last layers to drop instead.
        preprocessing: how images are prepared; by default what the card says.
        size: (h, w) to which images are fitted; by default what the network or its card says.
        skip_unreadable: whether pictures that cannot be decoded are left out instead of ending the audit.
        cache: a folder in which features are kept for other runs.
        memory_bytes: for features in memory; past it they lie on the disk.
        seed: of the folds, and of the draws for the bounds.
        progress: told of what is going on.

    Raises:
        DataError: if the examples do not fit the network or cannot be read, or their labels tell nothing apart.
        LayerError: if a model does not end in the heads of these outputs, or the cut is not possible.
        TransferError: what `restore` raises, for a file.
    """
    found = as_labelled(data)
    questions = _questions(found, found.groups)
    student = _student(source, found.labelling, into, restoring or Restoring(), at, drop_last, seed)
    everything = found if test is None else join_sets(found, test)
    features = compute_features(
        student,
        everything,
        preprocessing=preprocessing,
        size=size,
        cache=cache,
        memory_bytes=memory_bytes,
        progress=progress,
    )
    if not skip_unreadable:
        refuse_unreadable(tuple(features.failures.values()), len(everything), everything.source)
    kept = np.array([place for place in range(len(everything)) if place not in features.failures], np.int64)
    values = [features.inputs.values[head][kept] for head in features.inputs.heads]
    count = int((kept < len(found)).sum())
    audited = audit_features(everything.subset(kept), values, count=count, seed=seed, progress=progress)
    told = (*found.problems, *(test.problems if test else ()), *features.failures.values())
    notes = dict.fromkeys((*audited.notes, *_dropped(questions, audited), features.note))
    return replace(audited, left_out=told, notes=tuple(notes))


def audit_features(
    data: LabelledSet,
    features: list[NDArray[np.float32]],
    *,
    count: int | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> LabelAudit:
    """Find labels that are likely wrong, and examples that are almost the same, by features of the examples.

    Args:
        data: labelled examples.
        features: (n, d), what goes into the head of each output. Near is what is so by the first.
        count: of the first examples, whose labels are audited; the others are tested on. None for all.
        seed: of the folds, and of the draws for the bounds.
        progress: told of what is going on.

    Raises:
        DataError: if a feature is not finite, or the labels tell nothing apart where copies are held out together.
    """
    count = len(data) if count is None else count
    refuse_infinite(features[0])
    is_single = data.labelling.is_single
    kinds = data.targets[0] if is_single else np.zeros(len(data), np.int64)
    near = find_near_duplicates(features[0], kinds, seed=seed, progress=progress)
    within = near.together[(near.together < count).all(1)]
    learnt = data.subset(np.arange(count))
    together = group_duplicates(within, count, learnt.groups)
    labels, shares, accuracies, weak, notes = list[DoubtedLabel](), {}, {}, list[str](), list[str]()
    for question in _questions(learnt, together):
        groups = None if together is None else together[question.rows]
        rows = features[data.labelling.place(question.output)][question.rows]
        logits = held_out_logits(rows, question.labels, seed=seed, groups=groups, progress=progress)
        probabilities = _probabilities(question, logits)
        found = find_label_errors(probabilities, question.labels, groups=groups, seed=seed)
        labels += _doubted(learnt, question, probabilities, found)
        shares[question.name] = found.share
        accuracies[question.name] = float((logits.argmax(1) == question.labels).mean())
        is_weak = is_too_weak(probabilities, question.labels)
        weak += [question.name] * is_weak
        notes += _notes(question, is_weak=is_weak)
    labels.sort(key=lambda each: each.score)
    others, pairs = _not_asked(learnt, labels), tuple(_pairs(data, near, count))
    audit = LabelAudit(data.source, tuple(labels), others, shares, accuracies, tuple(weak), pairs)
    dropped = _dropped(find_questions(learnt.labelling, learnt.targets), audit)
    return replace(audit, notes=(*notes, *dropped, *([near.note] if near.note else [])))


def _questions(data: LabelledSet, groups: NDArray[np.int64] | None) -> tuple[Question, ...]:
    """What can be asked where examples of a group are held out together."""
    found = find_questions(data.labelling, data.targets, groups)
    if not found:
        raise DataError(
            f"{data.source} has no labels that can be held against others.",
            next_step="give at least two classes, each with two examples that are neither of one group nor copies",
        )
    return found


def _dropped(questions: Sequence[Question], audit: LabelAudit) -> Iterator[str]:
    """What is said of those that were not asked."""
    for each in questions:
        if each.name not in audit.shares:
            yield f"{each.name}: not audited, for fewer than two answers are left with two groups of examples"


def _not_asked(data: LabelledSet, labels: Sequence[DoubtedLabel]) -> tuple[tuple[str, str], ...]:
    """Of one output of classes, names and labels of the examples that stand in no question."""
    if not data.labelling.is_single:
        return ()
    asked = {each.name for each in labels}
    named = zip(data.names, data.labels.tolist(), strict=True)
    return tuple((name, data.classes[label]) for name, label in named if name not in asked)


def _pairs(data: LabelledSet, near: NearDuplicates, count: int) -> Iterator[NearPair]:
    for (one, other), distance in zip(near.pairs.tolist(), near.distances.tolist(), strict=True):
        labels = (_said(data, one), _said(data, other))
        names = (data.names[one], data.names[other])
        yield NearPair(names, labels, distance, _differ(data, one, other), one < count <= other)


def _said(data: LabelledSet, place: int) -> str:
    pairs = zip(data.labelling, data.targets, strict=True)
    return "; ".join(shown_label(output, np.asarray(values[place])) for output, values in pairs)


def _differ(data: LabelledSet, one: int, other: int) -> bool:
    """Whether anything that is known of both is not the same."""
    for values in data.targets:
        both = known(values[one : one + 1]) & known(values[other : other + 1])
        if (both & (values[one : one + 1] != values[other : other + 1])).any():
            return True
    return False


def _student(
    source: Any,
    labelling: Labelling,
    into: Into,
    restoring: Restoring,
    at: str | None,
    drop_last: int,
    seed: int,
) -> keras.Model | Student:
    if isinstance(source, keras.Model | Student):
        return source
    restored = source if isinstance(source, Restored) else restore_file(source, into, restoring)
    return prepare_student(restored, labelling, at=at, drop_last=drop_last, seed=seed)


def _probabilities(question: Question, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m, k), as sure as they should be on the whole."""
    output = Output("label", classes=question.answers)
    scaled = logits / find_temperature(output, logits, question.labels)[0]
    powers = np.exp(scaled - scaled.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float64)


def _doubted(
    data: LabelledSet, question: Question, probabilities: NDArray[np.float64], found: LabelErrors
) -> Iterator[DoubtedLabel]:
    suspects = set(found.suspects.tolist())
    for place in found.order.tolist():
        other = int(found.suggested[place])
        yield DoubtedLabel(
            data.names[question.rows[place]],
            question.name,
            question.answers[question.labels[place]],
            question.answers[other],
            float(probabilities[place, other]),
            float(found.scores[place]),
            place in suspects,
        )


def _notes(question: Question, *, is_weak: bool) -> Iterator[str]:
    named = f"{question.name}: " if question.name else ""
    if is_weak:
        yield f"{named}{_WEAK}"
    if question.rare:
        rare = shorten(question.rare)
        yield f"{named}classes with one example, or one group of them, are not held against others: {rare}"
