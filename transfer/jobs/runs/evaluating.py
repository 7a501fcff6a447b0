"""Asking a finished run about labelled examples that it has not learnt from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.answers import Evaluation
from transfer.data.forms import LabelledData, as_labelled
from transfer.data.targets import translate_targets
from transfer.errors import DataError, Problem
from transfer.jobs.runs.asking_runs import ask, labelling_of
from transfer.jobs.runs.running import load_run
from transfer.jobs.students.scoring_answers import score_several, score_single
from transfer.labellings import Labelling
from transfer.results import Run
from transfer.specs import Progress, silent
from transfer.training.labels import Labels


def evaluate(
    run: Run | str | os.PathLike[str],
    data: LabelledData,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    skip_unreadable: bool = False,
    progress: Progress = silent,
) -> Evaluation:
    """Score a run on labelled examples. Those that it learnt from are recognised by their bytes and left out.

    Args:
        run: a run, or its folder.
        data: labelled examples in any form that `finetune` takes; outputs and classes are among the run's, by name.
        custom_objects: classes of the caller's that the run holds, by name.
        skip_unreadable: whether pictures that cannot be decoded are left out.
        progress: told of what is going on.

    Raises:
        DataError: if the labels are not the run's, nothing new is in the set, or examples cannot be read.
    """
    loaded = run if isinstance(run, Run) else load_run(run, custom_objects=custom_objects)
    labelling = labelling_of(loaded)
    data = as_labelled(data, labelling=loaded.result.labelling, skip_unreadable=skip_unreadable)
    _refuse_other_labels(data.labelling, labelling, data.source)
    learnt = set(loaded.asked.get("learnt", ()))
    fresh = np.array([place for place, digest in enumerate(data.digests()) if digest not in learnt], np.int64)
    if not len(fresh):
        raise DataError(
            f"All {len(data)} examples of {data.source} were learnt from in this run.",
            next_step="give examples that it has not seen",
        )
    asked = data.subset(fresh)
    targets = translate_targets(data.labelling, asked.targets, labelling)
    found = ask(loaded, asked, progress)
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
    labels = Labels(labelling, targets)[good]
    left_out = (*data.problems, *(problem for _, problem in found.failures))
    answers = [each[good] for each in found.answers]
    seen = len(data) - len(fresh)
    groups = None if asked.groups is None else asked.groups[good]
    if labelling.is_single:
        score = score_single("run", labels, answers[0], groups=groups).score
        return Evaluation(
            score, seen, _per_class(answers[0], labels.targets[0], labelling.outputs[0].classes), left_out
        )
    probabilities = [each[good] for each in found.probabilities]
    scored = score_several("run", labels, answers, probabilities, seed=0, groups=groups)
    return Evaluation(scored.score, seen, (), left_out, scored.outputs)


def _refuse_other_labels(given: Labelling, wanted: Labelling, source: str) -> None:
    problems = []
    for output in given:
        if given.is_single and wanted.is_single:
            known = wanted.outputs[0]
        elif output.name not in wanted.names:
            problems.append(Problem(output.name, f"one of the outputs {', '.join(wanted.names)}", "another output"))
            continue
        else:
            known = wanted[output.name]
        if known.kind != output.kind:
            problems.append(Problem(output.name, known.kind, output.kind))
            continue
        unknown = [name for name in output.classes if name not in known.classes]
        problems += [Problem(name, f"one of {', '.join(known.classes)}", name) for name in unknown]
    if problems:
        raise DataError(
            f"The labels of {source} do not match the run's.",
            problems,
            next_step="rename the classes as the run has them",
        )


def _per_class(
    answers: NDArray[Any], wanted: NDArray[Any], classes: tuple[str, ...]
) -> tuple[tuple[str, int, int], ...]:
    counts = [
        (name, int(((answers == k) & (wanted == k)).sum()), int((wanted == k).sum())) for k, name in enumerate(classes)
    ]
    return tuple(each for each in counts if each[2])
