"""Between whoever asks for training and the workers that do it: where it stands, what is told of it, how it ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from transfer.errors import TransferError
from transfer.scaling.clusters import load_ray
from transfer.training.fitting import Fit
from transfer.training.training_state import StateFolder, TrainingState


@dataclass(frozen=True, slots=True)
class Ended:
    """How training ended.

    Attributes:
        fit: what it came to; None where it failed.
        values: of the model's weights by name, as they are then; empty where an error left none.
        error: that it failed with; no second try would end otherwise.
    """

    fit: Fit | None = None
    values: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)
    error: BaseException | None = None


class LessonPost:
    """A process on the machine of whoever asks, by which workers anywhere reach its folder and its clock."""

    def __init__(self, folder: str | None, deadline: float | None) -> None:
        """Begin.

        Args:
            folder: for the state; None to keep it in memory, for workers that are started anew.
            deadline: of `time.monotonic` on this machine; None for no limit.
        """
        self._folder = StateFolder(Path(folder)) if folder is not None else None
        self._deadline = deadline
        self._state: TrainingState | None = None
        self._told: list[tuple[str, tuple[Any, ...]]] = []
        self._ended: Ended | None = None

    def seconds_left(self) -> float | None:
        """Until the deadline."""
        return None if self._deadline is None else self._deadline - time.monotonic()

    def load(self, asked: str) -> TrainingState | TransferError | None:
        """The newest state; an error is given back, to be raised where it was asked for."""
        if self._folder is None:
            return self._state
        try:
            return self._folder.load(asked)
        except TransferError as error:
            return error

    def save(self, state: TrainingState) -> TransferError | None:
        """Keep a state; an error likewise."""
        try:
            if self._folder is None:
                self._state = state
            else:
                self._folder.save(state)
        except TransferError as error:
            return error
        return None

    def tell(self, kind: str, *values: Any) -> None:
        """Take what is told of training: `progress` or `epoch`."""
        self._told.append((kind, values))

    def collect(self) -> list[tuple[str, tuple[Any, ...]]]:
        """What was told since the last time."""
        told, self._told = self._told, []
        return told

    def end(self, ended: Ended) -> None:
        """Take how it ended; the first word stands."""
        self._ended = self._ended or ended

    def ended(self) -> Ended | None:
        """How it ended; None as long as it has not."""
        return self._ended


@dataclass(frozen=True, slots=True)
class PostedStates:
    """`States` of `training_state`, kept by a `LessonPost`.

    Attributes:
        post: its actor.
        is_first: whether this worker writes; all read.
    """

    post: Any
    is_first: bool

    def load(self, asked: str) -> TrainingState | None:
        """See `States`."""
        found: TrainingState | TransferError | None = load_ray().get(self.post.load.remote(asked))
        if isinstance(found, TransferError):
            raise found
        return found

    def save(self, state: TrainingState) -> None:
        """See `States`."""
        error = load_ray().get(self.post.save.remote(state)) if self.is_first else None
        if error is not None:
            raise error
