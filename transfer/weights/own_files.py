"""Files that this process has just written: there is no need for another one to read their structure."""

from __future__ import annotations

import json
import zipfile
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from transfer.weights.checkpoint import Checkpoint, telling
from transfer.weights.isolating import Source
from transfer.weights.outline import Group, merge, parse_outline
from transfer.weights.packages import MEMBER_WEIGHTS, open_package
from transfer.weights.scanning import Window, scan


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file that is open, and what was read of its structure.

    Attributes:
        checkpoint: the file.
        roots: of each HDF5 file in it.
    """

    checkpoint: Checkpoint
    roots: tuple[Group, ...]


def open_own(path: Path) -> OwnFile:
    """As `open_checkpoint`.

    Raises:
        CheckpointError: if the file is damaged, or of no known dialect.
        OSError: if libhdf5 cannot read it.
    """
    package = open_package(path)
    with telling(package):
        roots = tuple(_scan_own(each) for each in package.sources)
        return OwnFile(Checkpoint(package, merge(roots), guarded=False), roots)


def _scan_own(source: Source) -> Group:
    """The structure of an HDF5 file, or of the one in an archive.

    Raises:
        OSError: if libhdf5 cannot read it.
    """
    with ExitStack() as held:
        place: Any = source.path
        if source.start is not None:
            place = _in_archive(source, held)
        file = held.enter_context(h5py.File(place, "r"))
        located = source.inflated is None
        return parse_outline(json.loads(json.dumps(list(scan(file, located=located)))))


def _in_archive(source: Source, held: ExitStack) -> Any:
    """The HDF5 file in an archive, as a file. One that is stored as it is need not be unpacked at each step back."""
    if source.start is not None and source.inflated is None:
        return held.enter_context(closing(Window(str(source.path), source.start, source.length)))
    return held.enter_context(held.enter_context(zipfile.ZipFile(source.path)).open(MEMBER_WEIGHTS))
