"""What it takes a run's network and its examples to find out, for a report: pictures, saturation, drift."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from transfer.analysis.diagnosis import Diagnosis
from transfer.data.labelled import LabelledSet
from transfer.data.reading import read_labelled
from transfer.data.targets import translate_targets
from transfer.errors import DataError, Problem
from transfer.jobs.diagnoses.diagnosing import diagnose
from transfer.jobs.diagnoses.measuring_drift import measure_drift
from transfer.jobs.examples.feeding import feed_of_run
from transfer.jobs.pages.gathering_contents import CloserLook
from transfer.jobs.pages.noting_absences import NotingAbsences
from transfer.jobs.pages.showing_examples import count_learnt, frame_of, show_examples
from transfer.jobs.runs.asking_runs import ask, labelling_of
from transfer.jobs.runs.kept_answers import read_answers
from transfer.jobs.runs.kept_examples import KeptExamples, read_examples_of_run
from transfer.jobs.runs.kept_predictions import KeptPredictions, read_predictions, sorted_predictions
from transfer.jobs.runs.running import load_run
from transfer.results import Run
from transfer.specs import Progress

_LOOKED_AT = 64  # examples that saturation and drift are judged by
T = TypeVar("T")


def look_closer(
    folder: Path,
    data: LabelledSet | str | os.PathLike[str],
    *,
    custom_objects: Mapping[str, Any] | None,
    progress: Progress,
) -> CloserLook:
    """Look at a run with its examples at hand. What cannot be found out is left out with the reason.

    Args:
        folder: of the run.
        data: examples, wherever they lie now: they are known again by their contents, else by their names.
        custom_objects: classes of the caller's that the run holds, by name.
        progress: told of what is going on.

    Raises:
        DataError: if the folder is no run, or none of its test examples is there.
        TransferError: if its network cannot be restored.
    """
    run = load_run(folder, custom_objects=custom_objects)
    labelling = labelling_of(run)
    if not isinstance(data, LabelledSet):
        data = read_labelled(data, labelling=run.result.labelling, skip_unreadable=True)
    everything = replace(data, labelling=labelling, targets=translate_targets(data.labelling, data.targets, labelling))
    digests = everything.digests()
    everything, tested = _named(run, folder, everything, digests)
    looking = NotingAbsences()
    wanted = tuple(map(str, (run.asked.get("split") or {}).get("test") or ()))
    kept = looking("calibration", lambda: read_predictions(folder, labelling, wanted))
    found = looking("wrong", lambda: kept or _predicted(run, tested, wanted, progress))
    before = looking("suspects", lambda: read_examples_of_run(folder, labelling)) or KeptExamples()
    shown = looking("wrong", lambda: _shown(run, found, before, everything)) if found else None
    learnt = set(run.asked.get("learnt") or ())
    rows = [place for place, digest in enumerate(digests) if digest in learnt]
    counts = before.learnt or (count_learnt(everything.subset(rows)) if rows else ())
    some = tested.subset(np.arange(min(len(tested), _LOOKED_AT)))
    diagnosis = looking("saturation", lambda: diagnose(run, some, skip_unreadable=True, progress=progress))
    drift = looking("drift", lambda: measure_drift(run, some, progress=progress))
    if diagnosis is not None and not diagnosis.findings:
        looking.absent.setdefault(
            "saturation", f"Nothing is saturated, dead or out of scale on {len(some)} test examples."
        )
    return CloserLook(
        predictions=found,
        examples=replace(shown or before, learnt=counts, absent=_still_absent(before)),
        findings=diagnosis.findings if diagnosis else (),
        saturated=_saturated(diagnosis) if diagnosis else {},
        drift=drift,
        absent=looking.absent,
    )


def _still_absent(before: KeptExamples) -> dict[str, str]:
    """Why there are no doubtful labels: those are looked for in the run alone."""
    return {section: why for section, why in before.absent.items() if section == "suspects"}


def _named(run: Run, folder: Path, data: LabelledSet, digests: tuple[str, ...]) -> tuple[LabelledSet, LabelledSet]:
    """The examples, those that the run was tested on under its own names; and these alone, sorted.

    Raises:
        DataError: if there is none of these.
    """
    asked = {str(name) for name in (run.asked.get("split") or {}).get("test") or ()}
    try:
        answers = read_answers(folder)
    except ValueError:
        answers = None
    by_digest = dict(zip(answers.digests, answers.examples, strict=True)) if answers and answers.digests else {}
    by_name = asked - set(by_digest.values())
    names, places = list(data.names), dict[str, int]()
    for place, (name, digest) in enumerate(zip(data.names, digests, strict=True)):
        own = by_digest.get(digest) or next((each for each in (name, f"test/{name}") if each in by_name), None)
        if own is not None and own not in places:
            places[own], names[place] = place, own
    if not places:
        raise DataError(
            f"{data.source} holds none of the test examples of {folder}.",
            [Problem(data.source, f"some of {len(asked)} examples, known by their contents", f"{len(data)} others")],
            next_step="give the examples that the run was tested on",
        )
    renamed = replace(data, names=tuple(names))
    return renamed, renamed.subset([places[name] for name in sorted(places)])


def _predicted(run: Run, tested: LabelledSet, wanted: tuple[str, ...], progress: Progress) -> KeptPredictions:
    """What the network answers, where the run did not keep it.

    Raises:
        DataError: if some of the test examples are not there, or cannot be read.
    """
    if tested.names != wanted:
        raise DataError(f"Of {len(wanted)} test examples {len(tested)} are there, and the run kept no answers to them.")
    asked = ask(run, tested, progress)
    if asked.failures:
        raise DataError(f"{len(asked.failures)} of {len(tested)} test examples cannot be read.")
    return sorted_predictions(tested.labelling, tested.names, asked.probabilities, tested.targets)


def _shown(run: Run, predictions: KeptPredictions, before: KeptExamples, data: LabelledSet) -> KeptExamples:
    """Pictures of examples, those of doubtful labels among them."""
    feed = feed_of_run(run.model, run.asked["input"])
    whole = (run.asked.get("preprocessing") or {}).get("size")
    frame = frame_of(feed.image.size if feed.image is not None else None, whole)
    decisions = run.result.decisions
    return show_examples(run.model, feed, data, predictions, decisions, before.suspects, frame=frame)


def _saturated(diagnosis: Diagnosis) -> dict[str, float]:
    """Share of the units that are flat on most examples, of those that can only be dead that of dead ones."""
    return {
        each.layer: (each.flat_units if each.squashes else len(each.dead)) / each.units
        for each in diagnosis.activations
        if each.units
    }
