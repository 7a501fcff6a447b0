"""Outputs appear whole or not at all, and nothing is replaced without being asked to."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transfer.errors import OutputError


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


@contextmanager
def placed_file(path: Path, *, force: bool = False) -> Iterator[Path]:
    """Give a temporary name in the folder of `path`; what stands there at the end becomes `path` in one step.

    The file is on the disk before it takes the name, and the folder after. An error, a kill or a full disk leaves the
    old file as it was.

    Args:
        path: where the file shall be. The temporary name keeps its suffixes (Keras looks at them).
        force: whether an existing file may be replaced.

    Raises:
        OutputError: if `path` exists and `force` is false, or it cannot be written.
    """
    refuse_existing(path, force=force)
    suffixes = "".join(path.suffixes)
    try:
        handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.", suffix=suffixes)
        os.close(handle)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        _sync(temporary)
        refuse_existing(path, force=force)
        if force:
            temporary.replace(path)
        else:
            _rename_exclusively(temporary, path)
        _sync(path.absolute().parent)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}.", next_step="free some space or choose another place"
        ) from error
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
    refuse_existing(path, force=force, parents=True)
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.absolute().parent, prefix=f".{path.name}."))
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        for each in sorted(temporary.rglob("*")):
            _sync(each)
        _sync(temporary)
        refuse_existing(path, force=force)
        if os.path.lexists(path):
            aside = Path(tempfile.mkdtemp(dir=path.absolute().parent, prefix=f".{path.name}.old."))
            path.replace(aside / path.name)
            try:
                temporary.replace(path)
            except OSError:
                (aside / path.name).replace(path)
                raise
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        else:
            temporary.replace(path)
        _sync(path.absolute().parent)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}.", next_step="free some space or choose another place"
        ) from error
    finally:
        if temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def _rename_exclusively(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        refuse_existing(path, force=False)
        raise
    except OSError:  # a file system without hard links: the check just made has to do
        temporary.replace(path)


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
