"""What lies in a run's folder, as far as it can be told without Keras."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from transfer.errors import CheckpointError, DataError, OutputError, Problem
from transfer.jobs.runs.checking_results import faults_of
from transfer.labellings import Labelling
from transfer.results import Result
from transfer.specs import Json

SCHEMA = 1
ASKED, RESULT, MODEL, HISTORY, TIMING = "run.json", "result.json", "model.keras", "history.jsonl", "timing.json"
ANSWERS, PREDICTIONS = "answers.json", "predictions.npz"
EXAMPLES, PAGE, COMMAND = "report.json", "report.html", "command.txt"


def read_outputs(folder: Path) -> Labelling | None:
    """What the outputs of a finished run are; None where it has one class of several for each example.

    Raises:
        DataError: if the folder is no finished run.
    """
    read_asked(folder)
    try:
        described = json.loads((folder / RESULT).read_text()).get("labelling")
        return Labelling.from_json(described) if described else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # what reads the whole run says why


def read_result(folder: Path) -> Result:
    """What a run found out.

    Raises:
        CheckpointError: if that is missing or damaged.
    """
    try:
        found = Result.from_json(json.loads((folder / RESULT).read_text()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{folder} is a damaged run.", [Problem(RESULT, "the results of a run", str(error)[:200])]
        ) from error
    if problems := faults_of(found, RESULT):
        raise CheckpointError(f"{folder} is a damaged run: {RESULT} is not as a run writes it.", problems)
    return found


def refuse_foreign(folder: Path) -> None:
    """Only a run is ever replaced by a run, whatever is forced.

    Raises:
        OutputError: if something stands there that is no run.
    """
    if os.path.lexists(folder) and not (folder / ASKED).is_file():
        raise OutputError(f"{folder} exists already and is not a run.", next_step="choose another name")


def read_asked(folder: Path) -> Json:
    """What was asked of a run.

    Raises:
        DataError: if the folder is no run.
    """
    try:
        asked = json.loads((folder / ASKED).read_text())
        schema = int(asked["schema"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        found = "no run.json" if folder.is_dir() else "no such folder"
        raise DataError(
            f"{folder} is not a run.", [Problem(str(folder), "a folder that 'transfer finetune' wrote", found)]
        ) from error
    if schema > SCHEMA:
        raise DataError(f"{folder} was written by a newer transfer.", next_step="upgrade h5transfer")
    return asked


def read_history(folder: Path) -> tuple[Json, ...]:
    """The lines of a run's history, as far as they can be read; it is looked at, and nothing hangs on it."""
    try:
        lines = (folder / HISTORY).read_text(errors="replace").splitlines()
    except OSError:
        return ()
    found = []
    for line in lines:
        with suppress(ValueError):
            found.append(json.loads(line))
    return tuple(each for each in found if isinstance(each, dict))
