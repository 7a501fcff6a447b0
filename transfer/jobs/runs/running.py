"""A run on disk: a folder with its model, and JSON of what was asked, found, answered, seen on the way and spent."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from transfer.errors import DataError, LayerError
from transfer.jobs.runs.differing_requests import refuse_other
from transfer.jobs.runs.kept_examples import KeptExamples
from transfer.jobs.runs.kept_predictions import KeptPredictions
from transfer.jobs.runs.run_folders import (
    ANSWERS,
    ASKED,
    COMMAND,
    HISTORY,
    MODEL,
    PAGE,
    RESULT,
    SCHEMA,
    TIMING,
    read_asked,
    read_history,
    read_result,
    refuse_foreign,
)
from transfer.models.restoring import restore
from transfer.models.saving import save_model
from transfer.placing import placed_folder, refuse_existing
from transfer.results import Run
from transfer.specs import Json


def load_run(folder: str | os.PathLike[str], *, custom_objects: Mapping[str, Any] | None = None) -> Run:
    """Read a finished run; its model is restored and held against its digests and recorded outputs.

    Args:
        folder: of the run.
        custom_objects: classes of the caller's that its model holds, by name.

    Raises:
        DataError: if the folder is no finished run.
        CheckpointError: if its model is damaged.
        LayerError: if it holds classes that are not given.
    """
    path = Path(folder)
    asked = read_asked(path)
    result = read_result(path)
    try:
        restored = restore(path / MODEL, custom_objects=custom_objects)
    except LayerError as error:
        if not error.next_step:
            raise
        given = "name the builder with its classes with --into, or read it in Python"
        step = f"{given}: transfer.load_run({str(path)!r}, custom_objects={{'Name': Class}})"
        raise LayerError(error.summary, error.problems, next_step=step) from error
    page = path / PAGE if (path / PAGE).is_file() else None
    return Run(result, restored.model, path, asked.get("receipt"), asked, history=read_history(path), report=page)


def find_finished(folder: Path, asked: Json, custom_objects: Mapping[str, Any]) -> Run | None:
    """The run that stands in a folder already, if it is the very one that is asked for."""
    try:
        there = read_asked(folder).get("digest")
    except DataError:
        return None
    if there != asked["digest"]:
        return None
    return replace(load_run(folder, custom_objects=custom_objects), reused=True)


def refuse_run(folder: Path, *, force: bool, asked: Json = None) -> None:
    """Ask for permission before any work is done. Only a run is ever replaced by a run.

    Args:
        folder: where a run is to be.
        force: whether one that is there may go.
        asked: of the run that is to be there, to tell in what another one differs.

    Raises:
        OutputError: if the folder exists and `force` is false, or holds something else than a run.
    """
    refuse_foreign(folder)
    if asked is not None and not force:
        refuse_other(folder, asked)
    refuse_existing(folder, force=force, parents=True)


def write_run(
    run: Run,
    folder: Path,
    *,
    answers: Json,
    seconds: Mapping[str, float],
    predictions: KeptPredictions | None = None,
    examples: KeptExamples | None = None,
    command: str = "",
    force: bool,
) -> Run:
    """Put a run on disk, whole or not at all.

    Args:
        run: what came of it.
        folder: where it is to lie.
        answers: `examples`, names of those tested on, and `ways`, by each way of answering whether it got each right.
        seconds: by what they were spent on.
        predictions: for the test examples; None for none.
        examples: what a report shows of examples; None for nothing.
        command: what was typed to get the run; empty where nothing was.
        force: whether a run that is there may go.

    Raises:
        OutputError: if the folder exists and `force` is false, or cannot be written.
    """
    model: keras.Model = run.model
    refuse_run(folder, force=force)
    with placed_folder(folder, force=force) as temporary:
        _write_json(temporary / ASKED, {"schema": SCHEMA, **run.asked, "receipt": run.receipt})
        _write_json(temporary / RESULT, run.result.to_json())
        (temporary / HISTORY).write_text("".join(json.dumps(each, sort_keys=True) + "\n" for each in run.history))
        (temporary / ANSWERS).write_text(json.dumps(answers, sort_keys=True) + "\n")
        _write_json(temporary / TIMING, {name: round(each, 3) for name, each in seconds.items()})
        if predictions is not None:
            predictions.write(temporary)
        if examples is not None:
            examples.write(temporary)
        if command:
            (temporary / COMMAND).write_text(f"{command}\n")
        save_model(model, temporary / MODEL)
    return replace(run, folder=folder, asked={"schema": SCHEMA, **run.asked})


def _write_json(path: Path, values: Json) -> None:
    path.write_text(json.dumps(values, indent=1, sort_keys=True, default=str) + "\n")
