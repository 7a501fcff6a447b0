"""Outputs appear whole or not at all, and nothing is replaced without being asked to.

What is not finished stands beside its target as `.NAME.unfinished-HOST-PROCESS-…`. A process that is killed leaves it
there; the next one that writes the same target takes it away. A folder that is being replaced steps aside as
`.NAME.replaced-…` where the platform cannot swap two names in one step, and comes back in the same way.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from transfer.errors import OutputError, Problem, TransferError

_TRACE = re.compile(r"(unfinished|replaced)-([0-9a-f]{8})-(\d+)-")
_LONGEST_NAME = 255  # bytes that file systems take
_SWAP = 2  # RENAME_EXCHANGE of Linux
_HERE = -100  # AT_FDCWD: paths are relative to the current folder


def refuse_existing(path: Path, *, force: bool, parents: bool = False) -> None:
    """Ask for permission before any work is done.

    Raises:
        OutputError: if `path` exists and `force` is false, or its folder does not exist and is not to be made
            (`parents`).
    """
    if not force and os.path.lexists(path):
        raise OutputError(
            f"{path} exists already.", next_step="choose another name, or replace it with --force (force=True)"
        )
    if not parents and not path.absolute().parent.is_dir():
        raise OutputError(
            f"{path.parent} is not a folder, so {path.name} cannot be written there.",
            next_step="create the folder first",
        )


def refuse_full(path: Path, size_bytes: int) -> None:
    """Refuse to begin a file that the disk has no room for: libhdf5 may crash after a write that fails.

    Raises:
        OSError: as the write would.
    """
    if shutil.disk_usage(path.absolute().parent).free < size_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def make_folder(folder: Path, next_step: str = "choose another folder") -> None:
    """Make a folder and those above it, where it is not there.

    Raises:
        OutputError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror or error}.", next_step=next_step) from error


def place_json(path: Path, values: Any) -> None:
    """Write values as JSON in one step, over what is there; folders above the file are made.

    Raises:
        OutputError: if it cannot be written.
    """
    make_folder(path.parent)
    with placed_file(path, force=True) as temporary:
        temporary.write_text(json.dumps(values, indent=1), encoding="utf-8")


@contextmanager
def placed_file(path: Path, *, force: bool = False) -> Iterator[Path]:
    """Give a temporary name in the folder of `path`; what stands there at the end becomes `path` in one step.

    The file is on the disk before it takes the name, and the folder after. An error, a kill or a full disk leaves the
    old file as it was. Errors that speak of the temporary name are raised with the name of `path` in its place.

    Args:
        path: where the file shall be. The temporary name keeps its suffixes (Keras looks at them).
        force: whether an existing file may be replaced.

    Raises:
        OutputError: if `path` exists and `force` is false, or it cannot be written.
    """
    refuse_existing(path, force=force)
    with _told(path):
        _clear(path)
        handle, name = tempfile.mkstemp(
            dir=path.absolute().parent, prefix=_prefix(path, "unfinished"), suffix="".join(path.suffixes[-2:])[-32:]
        )
        os.close(handle)
    temporary = Path(name)
    try:
        with _naming(path, temporary), _told(path):
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            _sync(temporary)
            refuse_existing(path, force=force)
            if force:
                temporary.replace(path)
            else:
                _rename_exclusively(temporary, path)
            _sync(path.absolute().parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def placed_folder(path: Path, *, force: bool = False) -> Iterator[Path]:
    """Give an empty folder beside `path` to fill; at the end it becomes `path`. Folders above it are made.

    Args:
        path: where the folder shall be.
        force: whether an existing folder may be replaced. The old one goes when the new one is complete.

    Raises:
        OutputError: if `path` exists and `force` is false, or it cannot be written.
    """
    parent = path.absolute().parent
    with _told(path):
        if parent.is_dir():
            _clear(path)
    refuse_existing(path, force=force, parents=True)
    with _told(path):
        parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=parent, prefix=_prefix(path, "unfinished")))
    try:
        with _naming(path, temporary), _told(path):
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            for each in sorted(temporary.rglob("*")):
                _sync(each)
            _sync(temporary)
            refuse_existing(path, force=force)
            if os.path.lexists(path):
                _replace_folder(temporary, path)
            else:
                temporary.replace(path)
            _sync(parent)
    finally:
        _remove(temporary)


def clear_unfinished(folder: Path) -> None:
    """Take away what dead processes left unfinished in a folder, whatever it was to become."""
    for each in folder.iterdir():
        found = _TRACE.search(each.name) if each.name.startswith(".") else None
        if found and found[1] == "unfinished" and found[2] == _machine() and not _is_alive(int(found[3])):
            _remove(each)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say of an error of the system which output it hit."""
    try:
        yield
    except OSError as error:
        # HDF5 tells the system's reason in the midst of its own text.
        reason = os.strerror(errno.ENOSPC) if os.strerror(errno.ENOSPC) in str(error) else error.strerror or str(error)
        raise OutputError(
            f"{path} cannot be written: {reason}.", next_step="free some space or choose another place"
        ) from error


@contextmanager
def _naming(path: Path, temporary: Path) -> Iterator[None]:
    """Let errors that speak of the temporary name speak of the one that it shall become."""

    def named(text: str) -> str:
        return text.replace(str(temporary), str(path)).replace(temporary.name, path.name)

    try:
        yield
    except TransferError as error:
        problems = tuple(Problem(*map(named, (each.where, each.expected, each.found))) for each in error.problems)
        told = (named(error.summary), problems, named(error.next_step))
        if told == (error.summary, error.problems, error.next_step):
            raise
        raise type(error)(*told) from error


# What is not finished, and what a dead process left


def _prefix(path: Path, state: str) -> str:
    """A name that tells what the file is, and which process of which machine it belongs to."""
    trace = f".{state}-{_machine()}-{os.getpid()}-"
    room = _LONGEST_NAME - len(trace) - 48  # for the suffixes and what makes it unique
    return f".{path.name.encode()[:room].decode(errors='ignore')}{trace}"


def _machine() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _clear(path: Path) -> None:
    """Take away what dead processes left of this output; a folder that had stepped aside comes back."""
    start = _prefix(path, "").split(f".-{_machine()}")[0] + "."
    for each in path.absolute().parent.iterdir():
        found = _TRACE.match(each.name, len(start)) if each.name.startswith(start) else None
        if found is None or found.group(2) != _machine() or _is_alive(int(found.group(3))):
            continue
        inner = each / path.name
        if found.group(1) == "replaced" and inner.exists() and not os.path.lexists(path):
            inner.replace(path)
        _remove(each)


def _is_alive(process: int) -> bool:
    """Whether there is a process of that number; on Windows there is no harmless way to ask."""
    if os.name == "nt" or process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


# Taking the name


def _rename_exclusively(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        refuse_existing(path, force=False)
        raise
    except OSError:  # a file system without hard links: the check just made has to do
        temporary.replace(path)


def _replace_folder(temporary: Path, path: Path) -> None:
    """Put a folder where another stands: in one step where the platform has it, else with the old one set aside."""
    if _swap(temporary, path):
        return
    aside = Path(tempfile.mkdtemp(dir=path.absolute().parent, prefix=_prefix(path, "replaced")))
    path.replace(aside / path.name)
    try:
        temporary.replace(path)
    except OSError:
        (aside / path.name).replace(path)
        aside.rmdir()
        raise
    _remove(aside)


def _swap(one: Path, other: Path) -> bool:
    """Exchange two names in one step; false where that is not possible."""
    if sys.platform != "linux":
        return False
    exchange = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return exchange is not None and exchange(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _SWAP) == 0


def _sync(path: Path) -> None:
    if path.is_dir():
        if os.name == "nt":  # Windows has no handle for a folder, and needs none
            return
        handle = os.open(path, os.O_RDONLY)
    else:
        handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
