"""Asking a finished run about labelled examples that it has not learnt from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem
from transfer.evidence.scoring import score_answers
from transfer.jobs.feeding import feed_of_run, read_features
from transfer.jobs.running import load_run
from transfer.scores import Evaluation
from transfer.specs import Progress, silent
from transfer.training.features import make_runner

BATCH = 16


def evaluate(
    run: str | os.PathLike[str],
    data: LabelledSet,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    skip_unreadable: bool = False,
    progress: Progress = silent,
) -> Evaluation:
    """Score a run on labelled examples. Those that it learnt from are recognised by their bytes and left out.

    Args:
        run: its folder.
        data: its classes are among the run's, by name.
        custom_objects: classes of the caller's that the run holds, by name.
        skip_unreadable: whether pictures that cannot be decoded are left out.
        progress: told of what is going on.

    Raises:
        DataError: if the labels are not the run's, nothing new is in the set, or examples cannot be read.
    """
    loaded = load_run(run, custom_objects=custom_objects)
    _refuse_other_labels(data, loaded.result.classes)
    learnt = set(loaded.asked.get("learnt", ()))
    fresh = np.array([place for place, digest in enumerate(data.digests()) if digest not in learnt], np.int64)
    if not len(fresh):
        raise DataError(
            f"All {len(data)} examples of {data.source} were learnt from in this run.",
            next_step="give examples that it has not seen",
        )
    asked = data.subset(fresh).with_classes(loaded.result.classes)
    feed = feed_of_run(loaded.model, loaded.asked["input"])
    found = read_features(make_runner(loaded.model, BATCH), feed, asked, BATCH, None, progress)
    if found.failures and not skip_unreadable:
        raise DataError(
            f"{len(found.failures)} of {len(asked)} examples of {data.source} cannot be read.",
            [problem for _, problem in found.failures],
            next_step="remove them, or leave them out with --skip-unreadable (skip_unreadable=True)",
        )
    bad = {place for place, _ in found.failures}
    good = np.array([place for place in range(len(asked)) if place not in bad], np.int64)
    if not len(good):
        raise DataError(f"No example of {data.source} can be read.", [problem for _, problem in found.failures])
    answers, wanted = found.values[good].argmax(1), asked.labels[good]
    return Evaluation(
        score=score_answers("run", answers, wanted),
        seen=len(data) - len(fresh),
        per_class=_per_class(answers, wanted, loaded.result.classes),
        left_out=(*data.problems, *(problem for _, problem in found.failures)),
    )


def _refuse_other_labels(data: LabelledSet, classes: tuple[str, ...]) -> None:
    unknown = [name for name in data.classes if name not in classes]
    if unknown:
        raise DataError(
            f"The labels of {data.source} do not match the run's.",
            [Problem(name, f"one of {', '.join(classes)}", name) for name in unknown],
            next_step="rename the classes as the run has them",
        )


def _per_class(
    answers: NDArray[Any], wanted: NDArray[Any], classes: tuple[str, ...]
) -> tuple[tuple[str, int, int], ...]:
    counts = [
        (name, int(((answers == k) & (wanted == k)).sum()), int((wanted == k).sum())) for k, name in enumerate(classes)
    ]
    return tuple(each for each in counts if each[2])
