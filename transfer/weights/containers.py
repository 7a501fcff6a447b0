"""Telling what a file is by its first bytes, never by its name."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Literal, TypeAlias

from transfer.errors import CheckpointError, Problem

Container: TypeAlias = Literal["hdf5", "zip", "folder", "shards"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
STARTS = (0, *(512 << k for k in range(12)))  # where HDF5's signature may stand: a user block comes before it
AGAIN = "get the file again from where it came from"

_HEAD = STARTS[-1] + 64
_FOREIGN: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (
        re.compile(rb"\s*(<!doctype html|<html|<\?xml)", re.I),
        "an HTML page, most likely a download's error or login page",
        "",
    ),
    (re.compile(rb"\x89HDF(\n|\r\r\n|\r)"), "HDF5 that a transfer as text damaged", "copy it again as binary"),
    (re.compile(rb"\x1f\x8b"), "a gzip archive", "unpack it first: gunzip FILE"),
    (re.compile(rb"BZh"), "a bzip2 archive", "unpack it first: bunzip2 FILE"),
    (re.compile(rb"\xfd7zXZ\x00"), "an xz archive", "unpack it first: unxz FILE"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "a zstandard archive", "unpack it first: unzstd FILE"),
    (re.compile(rb".{257}ustar", re.S), "a tar archive", "unpack it first: tar xf FILE"),
    (re.compile(rb"Rar!|7z\xbc\xaf"), "an archive", "unpack it first"),
    (re.compile(rb"\x93NUMPY"), "a single numpy array (.npy)", ""),
    (re.compile(rb"\x80[\x02-\x05]"), "a Python pickle, which can run code when it is opened", ""),
    (re.compile(rb"GGUF"), "a GGUF file", ""),
    (
        re.compile(rb"\xff\xd8\xff|\x89PNG|GIF8[79]a|RIFF.{4}WEBP|II\*\x00|MM\x00\*", re.S),
        "a picture",
        "give a file of weights here; pictures come after it, to learn from or to be asked about",
    ),
    (re.compile(rb".{4}TFL3", re.S), "a TensorFlow Lite model", ""),
    (re.compile(rb"CDF[\x01\x02\x05]"), "a netCDF classic file", ""),
    (
        re.compile(rb".{8}\{\s*\"", re.S),
        "a safetensors file",
        "turn it into HDF5 with: transfer convert FILE NAME.weights.h5",
    ),
    (re.compile(rb"\s*[\[{]"), "JSON text", ""),
)
_SHARDS = re.compile(rb"\s*\{\s*\"(metadata|weight_map)\"\s*:")


def recognise_container(path: Path) -> Container:
    """Tell HDF5, an archive, an unpacked archive and sharded weights apart.

    Raises:
        CheckpointError: if it is none of them, saying what it is instead.
    """
    if path.is_dir():
        return _recognise_folder(path)
    head = _head(path)
    if head.startswith(b"PK\x03\x04"):  # asked first: the HDF5 in an archive may stand where a user block would end
        return "zip"
    if any(head.startswith(SIGNATURE, start) for start in STARTS):
        return "hdf5"
    if _SHARDS.match(head):
        return "shards"
    found, advice = _describe(head)
    raise CheckpointError(
        f"{path} is not an HDF5 file.", [Problem(str(path), "HDF5, or a .keras archive", found)], advice or AGAIN
    )


def refuse_truncated(path: Path) -> None:
    """Hold the length of an HDF5 file against what its superblock says.

    Raises:
        CheckpointError: with both numbers, if the file is shorter.
    """
    wanted, found = _stated_length(_head(path)), path.stat().st_size
    if wanted is None:
        raise CheckpointError(
            f"{path} is truncated.", [Problem(str(path), "the superblock of HDF5", f"{found:,} bytes in all")], AGAIN
        )
    if found < wanted:
        raise CheckpointError(
            f"{path} is truncated: it has {found:,} of {wanted:,} bytes.",
            [Problem(str(path), f"{wanted:,} bytes", f"{found:,} bytes")],
            AGAIN,
        )


def _stated_length(head: bytes) -> int | None:
    """Where an HDF5 file ends by its own account; None where the superblock itself is cut off.

    Source: HDF5 File Format Specification 3.0, sections II.A (superblock) and III.
    """
    start = next(start for start in STARTS if head.startswith(SIGNATURE, start))
    block = head[start:]
    if len(block) < 9:
        return None
    version = block[8]
    if version > 3:
        return 0  # unknown: libhdf5 has the word
    size = block[13 if version < 2 else 9 :][:1]
    if size not in (b"\x04", b"\x08"):
        return None if not size else 0
    width = size[0]
    first = {0: 24, 1: 28}.get(version, 12)
    base, end = first, first + 2 * width  # base address, then one more address, then the end of file
    form = "<I" if width == 4 else "<Q"
    if len(block) < end + width:
        return None
    stated, offset = (int(struct.unpack_from(form, block, at)[0]) for at in (end, base))
    # Some writers state the end from the base address on, others from the file's first byte.
    return stated if stated >= offset else stated + offset


def _recognise_folder(path: Path) -> Container:
    names = {each.name for each in path.iterdir()}
    if {"config.json", "model.weights.h5"} <= names:
        return "folder"
    what = "a directory"
    if "saved_model.pb" in names:
        what = "a directory with a TensorFlow SavedModel"
    raise CheckpointError(f"{path} is a directory.", [Problem(str(path), "an HDF5 file or a .keras archive", what)])


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error


def _describe(head: bytes) -> tuple[str, str]:
    """What a file is, and what to do about it."""
    if not head:
        return "an empty file", AGAIN
    if head.startswith(b"version https://git-lfs"):
        size = re.search(rb"^size (\d+)", head, re.M)
        count = f"{size.group(1).decode()} bytes" if size else "unknown size"
        return f"a git-LFS pointer to a file of {count}", "fetch the file itself with: git lfs pull"
    if not head.strip(b"\x00"):
        return "nothing but zero bytes, as after a power cut", AGAIN
    for pattern, what, advice in _FOREIGN:
        if pattern.match(head):
            return what, advice
    return f"bytes that start with {head[:8]!r}", AGAIN
