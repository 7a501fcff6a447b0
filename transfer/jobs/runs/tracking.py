"""Telling others of a run while it goes on, TensorBoard and MLflow. Nothing of it enters the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from transfer.errors import OutputError
from transfer.jobs.runs.event_files import EventFiles
from transfer.jobs.runs.mlflow_runs import MlflowRun
from transfer.results import Run
from transfer.specs import Json
from transfer.training.history import Epoch


class Tracker(Protocol):
    """Somebody who is told; each call may raise an `OutputError`."""

    def tell(self, stage: str, epoch: Epoch) -> None:
        """Take the next epoch of a stage."""

    def finish(self, run: Run) -> None:
        """Take the run, which is whole and written."""

    def break_off(self, interrupted: bool, /) -> None:
        """Take it that there will be no run, by somebody's wish or by an error."""


class Trackers:
    """All who are told of a run. One who fails is told no more; the run goes on, and its notes say so."""

    def __init__(self, trackers: list[Tracker]) -> None:
        self._trackers = trackers
        self._troubles: list[str] = []

    def tell(self, stage: str, epoch: Epoch) -> None:
        """Of an epoch that is complete."""
        self._each(lambda tracker: tracker.tell(stage, epoch))

    def finish(self, run: Run) -> Run:
        """Of the whole run; given back with a note of each who failed, which stands in no file."""
        self._each(lambda tracker: tracker.finish(run))
        notes = (*run.result.notes, *self._troubles)
        return replace(run, result=replace(run.result, notes=notes)) if self._troubles else run

    def break_off(self, interrupted: bool, /) -> None:
        """Of its end without a result."""
        self._each(lambda tracker: tracker.break_off(interrupted))

    def _each(self, tell: Callable[[Tracker], None]) -> None:
        for tracker in list(self._trackers):
            try:
                tell(tracker)
            except OutputError as error:
                self._trackers.remove(tracker)
                self._troubles.append(error.summary)


@contextmanager
def tracked(
    asked: Json, target: Path | None, *, tensorboard: str | os.PathLike[str] | None, mlflow: str | None
) -> Iterator[Trackers]:
    """Those who are told of a run.

    Args:
        asked: of the run.
        target: its folder, from which it has its name.
        tensorboard: a folder, in which the run has one of its own, named after it and its digest; None for none.
        mlflow: address of a server or a store; empty for the one that MLflow is set to, None for none.

    Raises:
        OutputError: if one of them cannot be told from the beginning.
    """
    name = target.name if target is not None else str(asked["network"]["name"])
    trackers: list[Tracker] = []
    if tensorboard is not None:
        trackers.append(EventFiles(Path(tensorboard) / f"{name}-{asked['digest'][:8]}"))
    if mlflow is not None:
        trackers.append(MlflowRun(mlflow, name, asked))
    found = Trackers(trackers)
    try:
        yield found
    except BaseException as error:
        found.break_off(isinstance(error, KeyboardInterrupt))
        raise
