"""Whether a file is still the one that was opened: where its structure was read, its values are read later."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from transfer.errors import CheckpointError, Problem

Stamp: TypeAlias = tuple[int, int, int]  # inode, size in bytes, time of the last change in ns


def stamp_of(status: os.stat_result) -> Stamp:
    """What differs once a file was replaced or written to."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def has_changed(path: Path, tensor: str = "") -> CheckpointError:
    """The error for a file that is another one by now.

    Args:
        path: the file.
        tensor: what was to be read; empty where nothing was yet.
    """
    what = [Problem(tensor, "bytes of the file that was opened", f"{path} has changed since")] if tensor else []
    return CheckpointError(f"{path} has changed since it was opened.", what, "open it again")
