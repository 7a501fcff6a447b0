"""Pictures at addresses, fetched for as long as this process lives: each once, whoever asks for it again."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import sys
import tempfile
import time
import weakref
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from transfer.data.fetching import fetch_pictures
from transfer.errors import OutputError

if sys.platform != "win32":
    import fcntl

# Of this machine: where machines share the folder of temporary files, locks may tell nothing of each other.
_PREFIX = f"transfer-pictures-{hashlib.sha256(platform.node().encode()).hexdigest()[:8]}-"
_YOUNG = 60.0  # seconds in which another process may not have locked a folder yet


class FetchedPictures:
    """A folder of pictures among the temporary files. It takes as many bytes as they have, and goes with this object.

    A picture that has come is not looked up again, however it changes at its address; one that has not is. What a
    process left that was killed goes when the next folder is made.
    """

    def __init__(self) -> None:
        """Make the folder.

        Raises:
            OutputError: if it cannot be made.
        """
        try:
            self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        except OSError as error:
            raise OutputError(
                f"Pictures cannot be fetched into {tempfile.gettempdir()}: {error.strerror or error}.",
                next_step="say where they may lie: TMPDIR=…",
            ) from error
        weakref.finalize(self, _close, self._folder, _lock(self._folder))
        _clear_left(self._folder.parent)
        self._there: dict[str, Path] = {}
        self._lock = Lock()

    def bring(self, addresses: Iterable[str]) -> tuple[dict[str, Path], dict[str, str]]:
        """Where pictures are now, by their addresses, and why some are not.

        Raises:
            DataError: if nothing here reads addresses of such a kind.
            OutputError: if there is no room for them.
        """
        with self._lock:
            wanted = dict.fromkeys(addresses)
            missing = [each for each in wanted if each not in self._there]
            failed: dict[str, str] = {}
            if missing:
                with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                    paths, reasons = fetch_pictures(missing, Path(folder))
                    failed = {missing[place]: reason for place, reason in reasons.items()}
                    for address, path in zip(missing, paths, strict=True):
                        if address not in failed:
                            self._there[address] = self._kept(address, path, Path(folder))
            return {each: self._there[each] for each in wanted if each in self._there}, failed

    def _kept(self, address: str, path: Path, folder: Path) -> Path:
        """Where a picture stays: a file of this machine where it is, one that was fetched under a name of its own."""
        if path.parent != folder:
            return path
        name = hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return path.replace(self._folder / f"{name}{path.suffix}")


def _lock(folder: Path) -> int | None:
    """A handle that claims a folder until the process ends; None where another has it, or there are no locks."""
    if sys.platform == "win32":
        return None
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
        else:
            return handle
    return None


def _close(folder: Path, handle: int | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if handle is not None:
        os.close(handle)


def _clear_left(parent: Path) -> None:
    """Take away the folders that no process claims."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            handle = _lock(folder) if time.time() - folder.stat().st_mtime > _YOUNG else None
            if handle is not None:
                _close(folder, handle)


@functools.cache
def fetched_here() -> FetchedPictures:
    """Those of this process."""
    return FetchedPictures()


def bring_pictures(addresses: Iterable[str]) -> tuple[dict[str, Path], dict[str, str]]:
    """Where pictures at addresses are for as long as this process lives, and why some are not; by their addresses.

    Raises:
        DataError: if nothing here reads addresses of such a kind.
        OutputError: if there is no room for them.
    """
    wanted = list(addresses)
    return fetched_here().bring(wanted) if wanted else ({}, {})
