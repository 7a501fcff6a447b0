"""One door to labelled sets: what lies at a path decides how it is read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from transfer.data.arrays import holds_arrays, read_npz
from transfer.data.folders import read_folder
from transfer.data.images import MAX_PIXELS
from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem, nearest

_READABLE = "a folder of pictures with one subfolder a class, or an .npz file with the arrays x and y"


def read_labelled(
    path: str | os.PathLike[str],
    *,
    strict: bool = False,
    skip_unreadable: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> LabelledSet:
    """The labelled examples at `path`, a folder of pictures or an .npz file.

    Args:
        path: what it holds decides, not its name.
        strict: whether anything left out is an error.
        skip_unreadable: whether damaged pictures are left out, and not an error.
        max_pixels: larger pictures are left out.

    Raises:
        DataError: if there is nothing, or nothing that can be read, or it is not right.
    """
    source = Path(path)
    if source.is_dir():
        return read_folder(source, strict=strict, skip_unreadable=skip_unreadable, max_pixels=max_pixels)
    if not os.path.lexists(source):
        raise _missing(source)
    if not source.is_file():
        raise _other(source, "a link that leads nowhere" if source.is_symlink() else "neither a file nor a folder")
    try:
        with source.open("rb") as stream:
            start = stream.read(8)
            if holds_arrays(stream):
                return read_npz(source)
    except OSError as error:
        raise _other(source, f"a file that cannot be read: {error.strerror}") from error
    raise _other(source, f"a file that starts with {start!r}" if start else "an empty file")


def _missing(source: Path) -> DataError:
    parent, there = source.parent, ""
    if not parent.is_dir():
        return DataError(f"{source} does not exist, nor does the folder {parent}.", next_step=f"give {_READABLE}")
    with suppress(OSError):
        there = nearest(source.name, (path.name for path in sorted(parent.iterdir()) if path.name[0] != "."))
    return DataError(f"{source} does not exist.", next_step=f"nearest there: {there}" if there else f"give {_READABLE}")


def _other(source: Path, found: str) -> DataError:
    step = "give a folder of class folders, or write arrays with numpy.savez(path, x=…, y=…)"
    return DataError(f"{source} is not a labelled set.", [Problem(str(source), _READABLE, found)], step)
