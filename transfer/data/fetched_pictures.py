"""Pictures at addresses, fetched for as long as this process lives: each once, whoever asks for it again."""

from __future__ import annotations

import functools
import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from transfer.data.fetching import fetch_pictures
from transfer.errors import OutputError


class FetchedPictures:
    """A folder of pictures among the temporary files. It takes as many bytes as they have, and goes with this object.

    A picture that has come is not looked up again, however it changes at its address; one that has not is.
    """

    def __init__(self) -> None:
        """Make the folder.

        Raises:
            OutputError: if it cannot be made.
        """
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="transfer-fetched-"))
        except OSError as error:
            raise OutputError(
                f"Pictures cannot be fetched into {tempfile.gettempdir()}: {error.strerror or error}.",
                next_step="say where they may lie: TMPDIR=…",
            ) from error
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
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
