"""A folder of cached features as a whole: what lies in it, and what may go.

Each piece of a network has a folder of its own there, named by 32 hex digits, with its shards. A run holds those that
it works on, by a lock on the folder that other runs share; it goes with the process, however that ends. From a folder
that is held nothing is taken. Where a system has no such locks, what was used within the last day is taken to be held.
"""

from __future__ import annotations

import os
import re
import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from transfer.data.feature_shards import NAME
from transfer.placing import clear_unfinished

if sys.platform != "win32":
    import fcntl

_PIECE = re.compile(r"[0-9a-f]{32}")
_DAY = 86_400.0
_TRIES, _PAUSE = 40, 0.05  # taking shards away is a matter of moments


@dataclass(frozen=True, slots=True)
class KeptPiece:
    """The shards of one piece of a network.

    Attributes:
        name: of its folder.
        shards: how many there are.
        size_bytes: of all of them.
        used_at: seconds since 1970 when the last of them was written or looked up.
        is_held: whether a run is at work on them; None where the system cannot tell.
    """

    name: str
    shards: int
    size_bytes: int
    used_at: float
    is_held: bool | None


class Hold:
    """A run's claim on the folder of a piece; it ends with `release`, with the object, or with the process."""

    def __init__(self, handle: int) -> None:
        self._close = weakref.finalize(self, os.close, handle)

    def release(self) -> None:
        """Let go, once or more often."""
        self._close()


def hold_piece(folder: Path) -> Hold | None:
    """Hold the folder of a piece; None where it is not there or cannot be held."""
    for _ in range(_TRIES):
        try:
            handle = _lock(folder, alone=False)
        except BlockingIOError:  # another process is just taking shards away
            time.sleep(_PAUSE)
        except OSError:
            return None
        else:
            return Hold(handle)
    return None


def list_pieces(folder: Path) -> tuple[KeptPiece, ...]:
    """What is kept in a folder, by what was used last; nothing where it is not there."""
    pieces = []
    for piece in _pieces(folder):
        statuses = [status for _, status in _shards(piece)]
        if statuses:
            sizes, times = [each.st_size for each in statuses], [each.st_mtime for each in statuses]
            with _alone(piece) as alone:
                is_held = None if alone is None else not alone
            pieces.append(KeptPiece(piece.name, len(sizes), sum(sizes), max(times), is_held))
    return tuple(sorted(pieces, key=lambda each: (-each.used_at, each.name)))


def trim_shards(folder: Path, largest_bytes: int, *, idle_seconds: float = _DAY) -> None:
    """Take shards away, those first that were used longest ago, until the others fit; and what killed writers left.

    Args:
        folder: of the folders of pieces; it need not be there. Nothing else in it is touched.
        largest_bytes: that all shards may take.
        idle_seconds: where the system does not say what is held, what was used since then stays.
    """
    pieces = _pieces(folder)
    for piece in pieces:
        with suppress(OSError):
            clear_unfinished(piece)
    found = [(path, status) for piece in pieces for path, status in _shards(piece)]
    total = sum(status.st_size for _, status in found)
    for path, status in sorted(found, key=lambda each: (each[1].st_mtime, each[0])):
        if total <= largest_bytes:
            return
        with _alone(path.parent) as alone:
            if alone or (alone is None and time.time() - status.st_mtime >= idle_seconds):
                with suppress(OSError):
                    path.unlink(missing_ok=True)
                    total -= status.st_size
                with suppress(OSError):  # it is not empty yet
                    path.parent.rmdir()


def _pieces(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if _PIECE.fullmatch(each.name) and each.is_dir())
    except OSError:
        return []


def _shards(piece: Path) -> Iterator[tuple[Path, os.stat_result]]:
    with suppress(OSError):
        for path in sorted(piece.iterdir()):
            if NAME.fullmatch(path.name):
                with suppress(FileNotFoundError):  # another process was faster
                    yield path, path.stat()


@contextmanager
def _alone(piece: Path) -> Iterator[bool | None]:
    """Keep runs from beginning to use a piece: true, or false where one does already; None where nothing tells."""
    try:
        handle = _lock(piece, alone=True)
    except BlockingIOError:
        yield False
    except OSError:
        yield None
    else:
        try:
            yield True
        finally:
            os.close(handle)


def _lock(folder: Path, *, alone: bool) -> int:
    """A handle with a lock on a folder that still stands there.

    Raises:
        BlockingIOError: if another process has a lock that excludes it.
        OSError: if the folder is not there, or the system has no such locks.
    """
    if sys.platform == "win32":
        raise OSError("folders cannot be locked on Windows")
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(handle), folder.stat()):
            raise BlockingIOError(f"{folder} has just been made anew")
    except OSError:
        os.close(handle)
        raise
    return handle
