"""A file is data: what is no HDF5 is told for what it is; nothing points outside or asks for more than is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import h5py

from transfer.errors import CheckpointError, Problem

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
LARGEST_USER_BLOCK = 1 << 20  # HDF5's signature may stand at 0, 512, 1024, 2048, …
EXPANSION = 1000  # bytes in memory for each byte stored, at most: deflate cannot do more

_FOREIGN = (
    (
        re.compile(rb"\s*(<!doctype html|<html|<\?xml)", re.I),
        "an HTML page, most likely a download's error or login page",
    ),
    (re.compile(rb"\x1f\x8b"), "a gzip archive; unpack it first"),
    (re.compile(rb"\x93NUMPY"), "a single numpy array (.npy)"),
    (re.compile(rb"\x80[\x02-\x05]"), "a Python pickle, which can run code when it is opened"),
    (re.compile(rb".{8}\{\s*\"", re.S), "a safetensors file"),
    (re.compile(rb"\s*[\[{]"), "JSON text"),
)


class DamagedError(CheckpointError):
    """Something inside a file is not as Keras writes it. Whoever opened the file adds its name."""


def recognise_container(path: Path) -> Literal["hdf5", "zip"]:
    """Tell an HDF5 file and an archive by their first bytes, never by the name.

    Raises:
        CheckpointError: if it is neither, saying what it is instead.
    """
    if path.is_dir():
        raise CheckpointError(
            f"{path} is a directory.", [Problem(str(path), "an HDF5 file or a .keras archive", "a directory")]
        )
    try:
        with path.open("rb") as file:
            head = file.read(LARGEST_USER_BLOCK)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    starts = [0, *(512 << k for k in range(12))]
    if any(head.startswith(HDF5_SIGNATURE, start) for start in starts):
        return "hdf5"
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    raise CheckpointError(
        f"{path} is not an HDF5 file.",
        [Problem(str(path), "HDF5, or a .keras archive", _describe(head))],
        next_step=_advice(head),
    )


def children(group: h5py.Group) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """The members of a group, in the order of their names, links refused.

    Raises:
        CheckpointError: at a soft or external link: the first can loop, the second reads other files.
    """
    for name in group:
        if not isinstance(name, str):  # h5py gives names that are not UTF-8 as bytes
            raise _damaged(repr(name), "a name that is text", "other bytes")
        yield name, child(group, name)


def child(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    """The member `name` of a group, for which '..' and links are refused.

    Raises:
        CheckpointError: if there is none, or it is a link or external storage.
    """
    here = group
    for part in name.split("/"):
        link = here.get(part, getlink=True) if isinstance(here, h5py.Group) and part not in ("", ".", "..") else None
        if link is None:
            raise _damaged(name, "a group or data set of this file", "nothing of that name")
        if not isinstance(link, h5py.HardLink):
            kind = "an external link" if isinstance(link, h5py.ExternalLink) else "a soft link"
            raise _damaged(name, "data in this file", f"{kind} to {getattr(link, 'path', '?')!r}")
        here = here[part]
        if h5py.h5o.get_info(here.id).rc > 1:  # Keras never does; a few such links make a tree without end
            raise _damaged(name, "data that stand in one place", "a group or data set that is linked several times")
    if isinstance(here, h5py.Dataset):
        _check_dataset(here)
    return here


def subgroup(group: h5py.Group, name: str) -> h5py.Group:
    """The group `name` of a group.

    Raises:
        CheckpointError: if it is something else, or a link.
    """
    return as_group(child(group, name))


def dataset(group: h5py.Group, name: str) -> h5py.Dataset:
    """The data set `name` of a group, checked for links and for the space it asks for.

    Raises:
        CheckpointError: if it is something else, or not safe to read.
    """
    return as_dataset(child(group, name))


def as_group(found: h5py.Group | h5py.Dataset) -> h5py.Group:
    """The same.

    Raises:
        CheckpointError: if it is no group.
    """
    if not isinstance(found, h5py.Group):
        raise _damaged(str(found.name), "a group", "a tensor")
    return found


def as_dataset(found: h5py.Group | h5py.Dataset) -> h5py.Dataset:
    """The same.

    Raises:
        CheckpointError: if it is no data set.
    """
    if not isinstance(found, h5py.Dataset):
        raise _damaged(str(found.name), "a tensor", "a group")
    return found


def _check_dataset(found: h5py.Dataset) -> None:
    where = found.name
    if found.is_virtual or found.external:
        raise _damaged(where, "values in this file", "storage in another file")
    if found.dtype.kind not in "fiub":
        raise _damaged(where, "numbers", f"values of type {found.dtype}")
    stored = found.id.get_storage_size()
    if found.nbytes > EXPANSION * stored + 4096:
        raise _damaged(where, f"{found.nbytes:,} bytes for shape {found.shape}", f"{stored:,} bytes stored")


def _damaged(name: str, expected: str, found: str) -> DamagedError:
    return DamagedError("damaged, or made to harm", [Problem(name.strip("/") or repr(name), expected, found)])


def _describe(head: bytes) -> str:
    if not head:
        return "an empty file"
    pointer = _lfs_pointer(head)
    if pointer:
        return f"a git-LFS pointer to a file of {pointer} bytes"
    for pattern, what in _FOREIGN:
        if pattern.match(head):
            return what
    return f"bytes that start with {head[:8]!r}"


def _advice(head: bytes) -> str:
    if _lfs_pointer(head):
        return "fetch the file itself with 'git lfs pull'"
    return "get the file again from where it came from"


def _lfs_pointer(head: bytes) -> str:
    if not head.startswith(b"version https://git-lfs"):
        return ""
    size = re.search(rb"^size (\d+)", head, re.M)
    return size.group(1).decode() if size else "unknown size"
