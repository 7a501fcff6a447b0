"""What lies around the HDF5 bytes: nothing, a `.keras` archive, its folder, or a set of shards.

Whatever the form, a `Package` tells where the HDF5 files begin and what stands beside them. Nothing is unpacked.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from transfer.errors import CheckpointError, Problem
from transfer.specs import Json
from transfer.weights.cards import MEMBER
from transfer.weights.containers import AGAIN, SIGNATURE, recognise_container, refuse_truncated
from transfer.weights.isolating import Source

MEMBER_WEIGHTS = "model.weights.h5"
MEMBER_CONFIG = "config.json"
MEMBER_METADATA = "metadata.json"
LARGEST_TEXT = 64 << 20  # bytes of a config or a card
LARGEST_INFLATION = 128 << 20  # bytes beyond twice the archive that a compressed member may take
MOST_SHARDS = 10_000
_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class Package:
    """A checkpoint's outer form.

    Attributes:
        path: what the user named.
        kind: for people: `.keras archive`; empty for a file of its own.
        sources: the HDF5 files.
        config: the architecture as JSON text; None where it stands inside the HDF5 file, or nowhere.
        writer: Keras version that the metadata name.
        card: text of the card beside the weights; None where there is none.
        checksums: CRC-32 of each source that has one, by its place among the sources.
    """

    path: Path
    kind: str
    sources: tuple[Source, ...]
    config: str | None = None
    writer: str = ""
    card: str | None = None
    checksums: Mapping[int, int] = field(default_factory=dict)

    def verify(self) -> None:
        """Hold the bytes of an archive against the checksums that it keeps of them.

        Raises:
            CheckpointError: if they differ.
        """
        for place, expected in self.checksums.items():
            try:
                found = f"the CRC {_checksum(self.sources[place]):08x}"
            except zlib.error as error:
                found = str(error)
            if found != f"the CRC {expected:08x}":
                raise CheckpointError(
                    f"{self.path} is damaged.",
                    [Problem(MEMBER_WEIGHTS, f"bytes with the CRC {expected:08x}", found)],
                    AGAIN,
                )


def open_package(path: Path) -> Package:
    """Look at the outer form of a checkpoint.

    Raises:
        CheckpointError: if it is none, truncated, or made to harm.
    """
    container = recognise_container(path)
    if container == "zip":
        return _open_archive(path)
    if container == "folder":
        return _open_folder(path)
    if container == "shards":
        return _open_shards(path)
    refuse_truncated(path)
    return Package(path, "", (Source(path, None, path.stat().st_size),))


def _open_archive(path: Path) -> Package:
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path)
            texts = {name: _text(archive, members[name], path) for name in _TEXTS if name in members}
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, zlib.error, ValueError) as error:
        raise CheckpointError(
            f"{path} is a truncated or damaged zip archive.",
            [Problem(str(path), "a .keras archive", str(error))],
            AGAIN,
        ) from error
    weights = members[MEMBER_WEIGHTS]
    source = _locate(path, weights)
    return Package(
        path,
        ".keras archive",
        (source,),
        config=texts[MEMBER_CONFIG],
        writer=_writer(texts.get(MEMBER_METADATA, "")),
        card=texts.get(MEMBER),
        checksums={0: weights.CRC},
    )


_TEXTS = (MEMBER_CONFIG, MEMBER_METADATA, MEMBER)


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    members = {each.filename: each for each in archive.infolist()}
    missing = [name for name in (MEMBER_CONFIG, MEMBER_WEIGHTS) if name not in members]
    if missing:
        raise CheckpointError(
            f"{path} is a zip, but not what Keras saves.",
            [Problem(name, "in the archive", _instead(members)) for name in missing],
        )
    problems = [
        Problem(each.filename, "a path inside the archive", "one that leads out of it")
        for each in members.values()
        if PurePosixPath(each.filename.replace("\\", "/")).is_absolute()
        or ".." in PurePosixPath(each.filename.replace("\\", "/")).parts
    ]
    if len(members) < len(archive.infolist()):
        problems.append(Problem(str(path), "each member once", "several members of one name"))
    if members[MEMBER_WEIGHTS].flag_bits & _ENCRYPTED:
        problems.append(Problem(MEMBER_WEIGHTS, "plain bytes", "encrypted ones"))
    if problems:
        raise CheckpointError(f"{path} is damaged, or made to harm.", problems, AGAIN)
    return members


def _instead(members: Mapping[str, object]) -> str:
    """What a foreign zip seems to be."""
    names = list(members)
    if any(name.endswith("data.pkl") for name in names):
        return "missing: it is a PyTorch file"
    if names and all(name.endswith(".npy") for name in names):
        return "missing: it is numpy's npz"
    return "missing"


def _text(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> str:
    if member.file_size > min(LARGEST_TEXT, 1000 * member.compress_size + 4096):
        found = f"{member.file_size:,} bytes said to lie in {member.compress_size:,}"
        raise CheckpointError(
            f"{path} asks for more than it holds.", [Problem(member.filename, "a member of honest size", found)]
        )
    return archive.read(member).decode("utf-8", "replace")


def _locate(path: Path, member: zipfile.ZipInfo) -> Source:
    """Where a member's bytes lie in the archive.

    Source: PKWARE APPNOTE 6.3.10, section 4.3.7 (local file header).
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        file.seek(member.header_offset)
        header = file.read(30)
    fits = len(header) == 30 and header.startswith(b"PK\x03\x04")
    names, extra = struct.unpack_from("<HH", header, 26) if fits else (0, 0)
    start = member.header_offset + 30 + names + extra
    if not fits or start + member.compress_size > length:
        raise CheckpointError(
            f"{path} is a truncated or damaged zip archive.",
            [Problem(member.filename, "a member within the file", "one that ends beyond it")],
            AGAIN,
        )
    if member.compress_type == zipfile.ZIP_STORED:
        return Source(path, start, member.file_size)
    if member.compress_type != zipfile.ZIP_DEFLATED:
        raise CheckpointError(
            f"{path} is packed in a way that is not read here.",
            [Problem(member.filename, "stored or deflated", f"zip method {member.compress_type}")],
            next_step="pack it again with an ordinary zip program",
        )
    if member.file_size > 2 * length + LARGEST_INFLATION:
        found = f"{member.file_size:,} bytes said to lie in {member.compress_size:,}"
        raise CheckpointError(
            f"{path} asks for more than it holds.", [Problem(member.filename, "a member of honest size", found)]
        )
    return Source(path, start, member.compress_size, inflated=member.file_size)


def _open_folder(path: Path) -> Package:
    texts = {}
    for name in _TEXTS:
        file = path / name
        if file.is_file():
            if file.stat().st_size > LARGEST_TEXT:
                raise CheckpointError(f"{file} is too large for a text.", [Problem(str(file), "a text", "more")])
            texts[name] = file.read_text(encoding="utf-8", errors="replace")
    if MEMBER_CONFIG not in texts:
        raise CheckpointError(f"{path} lacks its config.", [Problem(MEMBER_CONFIG, "a file", "something else")], AGAIN)
    weights = path / MEMBER_WEIGHTS
    if recognise_container(weights) != "hdf5":
        raise CheckpointError(f"{weights} is not HDF5.", [Problem(str(weights), "HDF5", "an archive")], AGAIN)
    refuse_truncated(weights)
    source = Source(weights, None, weights.stat().st_size)
    return Package(
        path,
        "unpacked .keras archive",
        (source,),
        config=texts[MEMBER_CONFIG],
        writer=_writer(texts.get(MEMBER_METADATA, "")),
        card=texts.get(MEMBER),
    )


def _open_shards(path: Path) -> Package:
    """`NAME.weights.json` of Keras 3.12: which shard, a file beside it, holds which group."""
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise ValueError("too large")
        places: Json = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        found = [each if isinstance(each, list) else [each] for each in places.values()]
        names = list(dict.fromkeys(str(name) for each in found for name in each))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} does not say which shard holds what.", [Problem("weight_map", "groups and files", str(error))]
        ) from error
    problems = [
        Problem(name, "a file beside it", "a path" if PurePosixPath(name).name != name else "no such file")
        for name in names
        if PurePosixPath(name.replace("\\", "/")).name != name or not (path.parent / name).is_file()
    ]
    if problems or not 0 < len(names) <= MOST_SHARDS:
        raise CheckpointError(
            f"{path} names shards that cannot be read.",
            problems or [Problem("weight_map", f"1 to {MOST_SHARDS:,} files", str(len(names)))],
            next_step="put all shards into its folder",
        )
    for name in names:
        if recognise_container(path.parent / name) != "hdf5":
            raise CheckpointError(f"{path.parent / name} is not HDF5.", [Problem(name, "HDF5", "something else")])
        refuse_truncated(path.parent / name)
    sources = tuple(Source(path.parent / name, None, (path.parent / name).stat().st_size) for name in names)
    return Package(path, f"{len(names)} shard{'s' * (len(names) > 1)}", sources)


def starts_as_hdf5(source: Source) -> bool:
    """Whether a member of an archive begins as HDF5 does."""
    if source.start is None or source.inflated is not None:
        return True
    with source.path.open("rb") as file:
        file.seek(source.start)
        return file.read(len(SIGNATURE)) == SIGNATURE


def _checksum(source: Source) -> int:
    value, left = 0, source.length
    unpack = zlib.decompressobj(-zlib.MAX_WBITS) if source.inflated is not None else None
    with source.path.open("rb") as file:
        file.seek(source.start or 0)
        while left:
            block = file.read(min(left, 1 << 20))
            if not block:
                break
            left -= len(block)
            while block:
                piece = unpack.decompress(block, 1 << 20) if unpack else block
                value = zlib.crc32(piece, value)
                block = unpack.unconsumed_tail if unpack else b""
    return value


def _writer(metadata: str) -> str:
    try:
        return str(json.loads(metadata)["keras_version"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
