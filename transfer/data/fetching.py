"""Pictures at addresses (`s3://…`, `gs://…`, `https://…`): brought into a folder for as long as they are needed.

Reading them is left to fsspec, which has a filesystem for each kind of address; some need a package of their own.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from transfer.data.addresses import address_name, hide_secrets, local_path, with_plain_kind
from transfer.data.images import SUFFIXES
from transfer.errors import DataError, OutputError, Problem
from transfer.specs import Progress, silent

PATIENCE = 60.0  # seconds without a byte, where addresses are of the web; other filesystems have limits of their own
_AT_ONCE = 16
_WAITING = 1024
_TRIES = 2
_LARGEST_BYTES = 2**29  # of one picture
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_AS_IT_STANDS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")


def refuse_unreachable(addresses: Sequence[str]) -> None:
    """Refuse kinds of addresses that nothing here reads.

    Raises:
        DataError: if there is one, or fsspec is not installed.
    """
    for address in {each.rpartition("::")[2].split("://")[0].lower(): each for each in addresses}.values():
        if local_path(address) is None:
            _opened(address, PATIENCE)


def fetch_pictures(
    addresses: Sequence[str], folder: Path, *, patience: float = PATIENCE, progress: Progress = silent
) -> tuple[tuple[Path, ...], dict[int, str]]:
    """Copy pictures into a folder, several at once; in memory are parts of some. Files of this machine stay in place.

    What fails is tried a second time, unless it is not there.

    Args:
        addresses: of them, each once.
        folder: that is there and empty.
        patience: seconds to wait for the next byte from the web.
        progress: told how many are done.

    Returns:
        Where each is now, in their order, and by place why some are not.

    Raises:
        DataError: if nothing here reads addresses of such a kind.
        OutputError: if the folder has no room for them.
    """
    refuse_unreachable(addresses)
    local = [local_path(address) for address in addresses]
    places = [here or folder / f"{n}{_suffix(addresses[n])}" for n, here in enumerate(local)]

    def fetch(place: int) -> str:
        return _fault_of_file(places[place]) if local[place] else _fetch(addresses[place], places[place], patience)

    failed: dict[int, str] = {}
    with _pool() as pool:
        for first in range(0, len(addresses), _WAITING):
            some = range(first, min(first + _WAITING, len(addresses)))
            for place, reason in zip(some, pool.map(fetch, some), strict=True):
                if reason:
                    failed[place] = f"cannot be fetched: {reason}"
                progress("fetching pictures", place + 1, len(addresses))
    return tuple(places), failed


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fetch")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _fault_of_file(path: Path) -> str:
    try:
        is_file = path.stat() and path.is_file()
    except OSError as error:
        return error.strerror or str(error)
    return "" if is_file else "not a file"


def _fetch(address: str, place: Path, patience: float) -> str:
    """Why a picture did not come; empty where it lies at its place now, whole."""
    unfinished = place.with_name(f"{place.name}.unfinished")
    reason = ""
    try:
        for _ in range(_TRIES):
            try:
                files, path = _opened(address, patience)
                files.get_file(path, str(unfinished), callback=_bounded())
                unfinished.replace(place)
            except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
                return _told(error)
            except Exception as error:  # noqa: BLE001 -- each filesystem raises errors of its own
                _refuse_full(error, place.parent)
                reason = _told(error)
            else:
                return ""
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return reason


def _refuse_full(error: Exception, folder: Path) -> None:
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        raise OutputError(
            f"Pictures that are fetched have no room in {folder.parent}: {error.strerror}.",
            next_step="say where there is some (TMPDIR=…), or compute their features first: 'transfer features', "
            "which keeps a shard of them at a time",
        ) from error


def _bounded() -> Any:
    """What is told how many bytes have come, and refuses too many."""
    callback = importlib.import_module("fsspec.callbacks").Callback()

    def count(more: int = 1) -> None:
        callback.value += more
        if callback.value > _LARGEST_BYTES:
            raise ValueError(f"it has more than {_LARGEST_BYTES:,} bytes")

    callback.relative_update = count
    return callback


def _opened(address: str, patience: float) -> tuple[Any, str]:
    """The filesystem that reads an address, and what it calls the place."""
    address = with_plain_kind(address)
    kind = address.rpartition("::")[2].partition("://")[0]
    try:
        core = importlib.import_module("fsspec.core")
        if kind not in ("http", "https"):
            files, path = core.url_to_fs(address)
        else:
            limits = importlib.import_module("aiohttp").ClientTimeout(total=None, connect=patience, sock_read=patience)
            # One that was signed goes as it stands; one with blanks or letters such as ä is brought into form.
            web = {"encoded": _AS_IT_STANDS.fullmatch(address) is not None, "client_kwargs": {"timeout": limits}}
            files, path = core.url_to_fs(address, **(web if "::" not in address else {kind: web}))
    except ImportError as error:
        has_fsspec = importlib.util.find_spec("fsspec") is not None
        step = "pip install 'h5transfer[remote]'" if not has_fsspec else "install the package that it names"
        raise DataError(
            f"Pictures at {kind}:// addresses cannot be read here.",
            [Problem(address_name(address), "a filesystem of fsspec that reads it", str(error))],
            next_step=f"{step}, or copy the pictures beside the table",
        ) from error
    except ValueError as error:
        raise DataError(
            f"Pictures at {kind}:// addresses cannot be read.",
            [
                Problem(
                    address_name(address),
                    "an address that fsspec knows: s3, gs, https, file, …",
                    hide_secrets(str(error)),
                )
            ],
            next_step="correct the address, or copy the pictures beside the table",
        ) from None  # its own message may hold a part of a password
    return files, str(path)


def _suffix(address: str) -> str:
    suffix = PurePosixPath(address.split("?")[0].split("#")[0]).suffix.lower()
    return suffix if suffix in SUFFIXES else ""


def _told(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = hide_secrets(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__
