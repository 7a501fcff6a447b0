"""All that a training run needs to go on exactly, as one file with a checksum.

A file is a line of JSON, the bytes of the arrays one after the other, and the SHA-256 of all that. Two files take
turns: the newest is never touched while the next is written, and where it is damaged the one before it serves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from transfer.errors import Problem, TrainingError
from transfer.placing import make_folder, placed_file
from transfer.specs import Json
from transfer.training.history import Epoch
from transfer.weights.reading import numpy_dtype

NAMES = ("training.0.state", "training.1.state")
_FORMAT = "transfer training state 1"
_DIGEST_BYTES = 32
_LONGEST_HEAD = 1 << 26
Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True, slots=True)
class TrainingState:
    """Where a training run stands.

    Attributes:
        asked: digest of what the run was asked and of all that goes in; a state of another one is refused.
        rate: the learning rate at its highest, as given or found.
        epoch: epochs that are complete.
        step: steps taken in the next one.
        losses: sum of its examples' losses so far, of each output.
        known: how many examples these were.
        history: of the complete epochs.
        best_epoch: the one with the lowest validation loss; 0 where there is none yet.
        variables: of the model, random generators' among them, in its order.
        optimizer: its variables, in its order.
        averages: moving averages of the trained variables; empty where there are none.
        best: what the model's variables were, or would have been with the averages, after `best_epoch`; empty before.
    """

    asked: str
    rate: float
    epoch: int
    step: int
    losses: tuple[float, ...]
    known: tuple[float, ...]
    history: tuple[Epoch, ...]
    best_epoch: int
    variables: Arrays = field(repr=False)
    optimizer: Arrays = field(repr=False)
    averages: Arrays = field(default=(), repr=False)
    best: Arrays = field(default=(), repr=False)


_ARRAYS = ("variables", "optimizer", "averages", "best")


class States(Protocol):
    """What keeps the newest state of a training run: a folder here, or one on another machine."""

    def load(self, asked: str) -> TrainingState | None:
        """The newest state; None where there is none. It is an error if that is of another run than `asked`."""

    def save(self, state: TrainingState) -> None:
        """Keep a state."""


class StateFolder:
    """A folder that holds the newest state and the one before it.

    Attributes:
        path: the folder; it is made when the first state is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._generation = max(0, *(_generation_of(path / name) for name in NAMES))

    def load(self, asked: str) -> TrainingState | None:
        """The newest state that is whole; None where there is none at all.

        Raises:
            TrainingError: if every state there is damaged, or it belongs to another run than `asked`.
        """
        paths = [self.path / name for name in NAMES if (self.path / name).exists()]
        problems = []
        for path in sorted(paths, key=_generation_of, reverse=True):
            try:
                self._generation, state = read_state(path)
            except _DamagedError as error:
                problems.append(Problem(path.name, "a whole training state", str(error)))
            else:
                return self._accepted(state, asked)
        if problems:
            before = "so is the one before it" if len(problems) > 1 else "there is none before it"
            raise TrainingError(
                f"The training state in {self.path} is damaged, and {before}.",
                problems,
                "remove that folder and start anew",
            )
        return None

    def _accepted(self, state: TrainingState, asked: str) -> TrainingState:
        if state.asked != asked:
            raise TrainingError(
                f"The training state in {self.path} belongs to another run: other inputs, weights or options.",
                [Problem("digest of what was asked", asked[:16], state.asked[:16])],
                "resume with what that run was asked, or remove the folder and start anew",
            )
        return state

    def save(self, state: TrainingState) -> None:
        """Keep a state, and the one that was the newest.

        Raises:
            OutputError: if it cannot be written; what was there stays.
        """
        make_folder(self.path)
        with placed_file(self.path / NAMES[(self._generation + 1) % 2], force=True) as temporary:
            write_state(temporary, state, self._generation + 1)
        self._generation += 1


def write_state(path: Path, state: TrainingState, generation: int) -> None:
    """Write a state to a file."""
    groups = {name: [np.asarray(each, order="C") for each in getattr(state, name)] for name in _ARRAYS}
    plain = {name: getattr(state, name) for name in TrainingState.__slots__ if name not in (*_ARRAYS, "history")}
    head = {
        "format": _FORMAT,
        "generation": generation,
        **plain,
        "history": [asdict(each) for each in state.history],
        "arrays": {name: [[each.dtype.name, list(each.shape)] for each in group] for name, group in groups.items()},
    }
    digest = hashlib.sha256()
    with path.open("wb") as file:
        blocks: list[Any] = [json.dumps(head).encode() + b"\n"]
        blocks += [_bytes(each) for group in groups.values() for each in group]
        for block in blocks:
            digest.update(block)
            file.write(block)
        file.write(digest.digest())


def read_state(path: Path) -> tuple[int, TrainingState]:
    """(generation, state) of a file whose checksum holds."""
    try:
        with path.open("rb") as file:
            return _read(file, path.stat().st_size)
    except OSError as error:
        raise _DamagedError(f"it cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise _DamagedError("what it says of itself makes no sense") from error


def _generation_of(path: Path) -> int:
    """What a file says of itself, unproved; -1 where it says nothing."""
    try:
        with path.open("rb") as file:
            return int(json.loads(file.readline(_LONGEST_HEAD))["generation"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return -1


class _DamagedError(Exception):
    """A file is not what was written."""


def _read(file: BufferedReader, size: int) -> tuple[int, TrainingState]:
    digest = hashlib.sha256()
    line = file.readline(_LONGEST_HEAD)
    digest.update(line)
    head: Json = json.loads(line)
    if head["format"] != _FORMAT:
        raise _DamagedError("another format")
    layout = {name: [(numpy_dtype(str(d)), _shape(s)) for d, s in head["arrays"][name]] for name in _ARRAYS}
    expected = sum(dtype.itemsize * prod(shape) for group in layout.values() for dtype, shape in group)
    if size != len(line) + expected + _DIGEST_BYTES:  # known before memory is taken for it
        raise _DamagedError(f"{size:,} bytes in place of {len(line) + expected + _DIGEST_BYTES:,}")
    groups = {name: tuple(_array(file, *each, digest.update) for each in group) for name, group in layout.items()}
    if file.read() != digest.digest():
        raise _DamagedError("its checksum does not hold")
    return head["generation"], _state(head, groups)


def _state(head: Json, groups: Mapping[str, Arrays]) -> TrainingState:
    plain: dict[str, Json] = {
        name: head[name] for name in ("asked", "rate", "epoch", "step", "losses", "known", "best_epoch")
    }
    plain |= {name: tuple(plain[name]) for name in ("losses", "known")}
    arrays: dict[str, Json] = dict(groups)
    return TrainingState(**plain, history=tuple(Epoch(**each) for each in head["history"]), **arrays)


def _array(
    file: BufferedReader, dtype: np.dtype[Any], shape: tuple[int, ...], update: Callable[[Any], None]
) -> NDArray[Any]:
    values = np.empty(shape, dtype)
    block = _bytes(values)
    if file.readinto(block) != len(block):
        raise _DamagedError("truncated")
    update(block)
    return values


def _shape(sizes: Sequence[Json]) -> tuple[int, ...]:
    if not all(type(each) is int and each >= 0 for each in sizes):
        raise ValueError("a shape of something else than sizes")
    return tuple(sizes)


def _bytes(values: NDArray[Any]) -> memoryview:
    return values.reshape(-1).view(np.uint8).data
