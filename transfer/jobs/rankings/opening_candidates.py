"""Networks to choose from, opened: restored from their files, or the same architecture with random weights."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import keras

from transfer.errors import DataError, Problem
from transfer.models.building import classes_of, read_model
from transfer.models.restoring import Into, Restored, restore_file
from transfer.specs import Restoring
from transfer.surgery.network import Network
from transfer.training.fresh import start_anew
from transfer.weights.checkpoint import Checkpoint
from transfer.weights.opening import open_checkpoint

RANDOM = "random:"

Source: TypeAlias = "keras.Model | Restored | Checkpoint | str | os.PathLike[str]"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network to choose, not yet opened.

    Attributes:
        name: for tables.
        source: what it comes from.
        into: the architecture, where a file holds none.
        is_random: whether its weights are replaced by random ones.
    """

    name: str
    source: Source = field(repr=False)
    into: Into = field(default=None, repr=False)
    is_random: bool = False

    @property
    def path(self) -> str:
        """Of the file that its weights come from; empty where that is not known."""
        return self.source.receipt.source if isinstance(self.source, Restored) else self.file

    @property
    def file(self) -> str:
        """As `extract` takes it; empty where it is no file."""
        source = self.source.path if isinstance(self.source, Checkpoint) else self.source
        return os.fspath(source) if isinstance(source, str | os.PathLike) else ""


@dataclass(frozen=True, slots=True)
class OpenedCandidate:
    """A network to choose.

    Attributes:
        candidate: what it was.
        network: with its tensors; nested models are still closed.
        custom_objects: classes of the caller's that it holds, by name.
        into: the architecture that it was restored into; None where the file held it.
    """

    candidate: Candidate
    network: Network = field(repr=False)
    custom_objects: dict[str, type] = field(repr=False)
    into: Into = None


def list_candidates(
    sources: Sequence[Source] | Mapping[str, Source], *, into: Into | Mapping[str, Into] = None, random: bool = False
) -> tuple[Candidate, ...]:
    """Candidates by name, each once, whatever the order in which they are given.

    Args:
        sources: files and models, or these by names; a text `random:FILE` stands for FILE with random weights.
        into: the architecture of files that hold none; of several by the names of the files.
        random: whether each goes with the same with random weights.

    Raises:
        DataError: if there is none, or two of one name are not the same.
    """
    named = sources.items() if isinstance(sources, Mapping) else [(_name(each), each) for each in sources]
    found: dict[str, Candidate] = {}
    for name, source in named:
        plain, is_random = source, False
        if isinstance(source, str) and source.startswith(RANDOM):
            plain, is_random = source.removeprefix(RANDOM), True
        key = _name(plain) if is_random else name
        target = into.get(key) if isinstance(into, Mapping) else into
        candidate = Candidate(name, plain, target, is_random)
        if not _is_same(found.setdefault(name, candidate), candidate):
            raise DataError(
                f"Two candidates are called {name!r}.", next_step="name them: a mapping of names to candidates"
            )
    if not found:
        raise DataError("There is no candidate to rank.", next_step="name files, or shipped checkpoints")
    _refuse_shared(tuple(found.values()))
    controls = [
        replace(each, name=f"{RANDOM}{each.name}", is_random=True) for each in found.values() if not each.is_random
    ]
    for control in controls if random else ():
        found.setdefault(control.name, control)
    return tuple(found[name] for name in sorted(found))


def open_candidate(candidate: Candidate, *, restoring: Restoring | None = None, seed: int = 0) -> OpenedCandidate:
    """Restore a candidate.

    Args:
        candidate: to open.
        restoring: how a file is brought into its architecture.
        seed: of random weights.

    Raises:
        TransferError: of the kind that fits.
    """
    model, into = _restored(candidate, restoring or Restoring())
    own: dict[str, Any] = classes_of(model)
    network = read_model(model)
    return OpenedCandidate(candidate, start_anew(network, seed, own) if candidate.is_random else network, own, into)


def _restored(candidate: Candidate, how: Restoring) -> tuple[keras.Model, Into]:
    source = candidate.source
    if isinstance(source, keras.Model):
        return source, None
    if isinstance(source, Restored):
        return source.model, None
    if not isinstance(source, Checkpoint | str | os.PathLike):
        raise DataError(
            f"{candidate.name!r} is no network.",
            [Problem("candidate", "a file, a checkpoint or a Keras model", type(source).__name__)],
        )
    checkpoint = source if isinstance(source, Checkpoint) else open_checkpoint(source)
    holds = checkpoint.config is not None or (checkpoint.card is not None and bool(checkpoint.card.architecture))
    into = None if holds else candidate.into
    return restore_file(checkpoint, into, how).model, into


def _refuse_shared(candidates: Sequence[Candidate]) -> None:
    """Refuse one model as the architecture of several files: the last would overwrite the others."""
    files: dict[int, set[str]] = {}
    for each in candidates:
        if isinstance(each.into, keras.Model):
            files.setdefault(id(each.into), set()).add(each.file)
    shared = next((names for names in files.values() if len(names) > 1), None)
    if shared:
        raise DataError(
            f"One model cannot hold the weights of {len(shared)} files at once.",
            [Problem(name, found="would go into the same model") for name in sorted(shared)],
            next_step="give a function that builds it: into=create_model",
        )


def _is_same(one: Candidate, other: Candidate) -> bool:
    """Whether two candidates of one name are one."""
    return one.is_random == other.is_random and (one.source is other.source or one.file == other.file != "")


def is_twin(control: Candidate, other: Candidate) -> bool:
    """Whether the first is the second with random weights."""
    same = control.source is other.source or control.file == other.file != ""
    return same and control.is_random and not other.is_random


def _name(source: Any) -> str:
    if isinstance(source, keras.Model):
        return str(source.name)
    if isinstance(source, Restored):
        return source.receipt.source
    if isinstance(source, Checkpoint):
        return str(source.path)
    return os.fspath(source) if isinstance(source, str | Path | os.PathLike) else repr(source)
