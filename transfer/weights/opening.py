"""Opening a checkpoint: its structure is read by another process, and held against what must not be there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from transfer.errors import CheckpointError, nearest
from transfer.weights.checkpoint import Checkpoint, telling
from transfer.weights.guarding import refuse_excess, refuse_pointers
from transfer.weights.isolating import PendingScan
from transfer.weights.outline import merge
from transfer.weights.packages import open_package
from transfer.weights.shipped import shipped_checkpoints

__all__ = ["Opening", "begin_opening", "open_checkpoint"]

_ENDINGS = (".h5", ".hdf5", ".keras", ".safetensors", ".weights.json")
_LIKE = 0.6  # of 1; from there on difflib calls names alike


class Opening:
    """A checkpoint being opened by another process, while this one may do something else."""

    def __init__(self, path: Path) -> None:
        self._package = open_package(path)
        self._first = PendingScan(self._package.sources[0])
        self._checkpoint: Checkpoint | None = None

    def __enter__(self) -> Opening:
        return self

    def __exit__(self, *exception: object) -> None:
        self._first.close()

    def checkpoint(self) -> Checkpoint:
        """Wait for it; the next time it is there.

        Raises:
            CheckpointError: if it is damaged, or of no known dialect.
        """
        if self._checkpoint is None:
            self._checkpoint = self._wait()
        return self._checkpoint

    def _wait(self) -> Checkpoint:
        roots, guarded = [], True
        with telling(self._package):
            for place, source in enumerate(self._package.sources):  # one process at a time: there may be many shards
                found = (PendingScan(source) if place else self._first).result()
                roots.append(found.root)
                guarded = guarded and found.limited
            for root, source in zip(roots, self._package.sources, strict=True):
                refuse_pointers(root)
                refuse_excess(root, source.length if source.inflated is None else source.inflated)
            return Checkpoint(self._package, merge(roots), guarded=guarded)


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Open a pretrained file, or a shipped checkpoint by its name.

    Args:
        path: an HDF5 file, a `.keras` archive or its folder, or the `.weights.json` of shards, whatever its suffix; or
            a name that `transfer checkpoints` lists.

    Raises:
        CheckpointError: if there is no such file, it is something else, damaged, or of no known dialect.
    """
    with begin_opening(path) as opening:
        return opening.checkpoint()


def _meant(file: Path, shipped: Iterable[str]) -> str:
    """What to give for a file that is not there: what is called alike, else what could be meant at all."""
    around = [each.name for each in file.parent.iterdir()] if file.parent.is_dir() else []
    if like := nearest(file.name, [*around, *shipped], cutoff=_LIKE):
        return f"did you mean {like}?"
    weights = nearest(file.name, [each for each in around if each.endswith(_ENDINGS)])
    where = f"files of weights there: {weights}" if weights else f"no file of weights lies in {file.parent}"
    return f"{where}; 'transfer checkpoints' lists the names of those that come along"


def begin_opening(path: str | os.PathLike[str]) -> Opening:
    """As `open_checkpoint`, without waiting for the process that reads the structure.

    Raises:
        CheckpointError: if there is no such file, or it is something else.
    """
    file = Path(path)
    if not os.path.lexists(file):
        shipped = shipped_checkpoints()
        if str(path) not in shipped:
            raise CheckpointError(
                f"There is no file {file}, nor a shipped checkpoint of that name.", next_step=_meant(file, shipped)
            )
        file = shipped[str(path)]
    return Opening(file)
