"""The `.keras` archive: a zip with `config.json`, `metadata.json` and `model.weights.h5`."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from transfer.errors import CheckpointError, Problem
from transfer.weights.cards import MEMBER

MEMBER_WEIGHTS = "model.weights.h5"
MEMBER_CONFIG = "config.json"
MEMBER_METADATA = "metadata.json"
EXPANSION = 1000  # deflate cannot do more
LARGEST_TEXT = 64 << 20  # bytes of a config or a card


@dataclass(frozen=True, slots=True)
class Archive:
    """A `.keras` archive, its texts read and its weights not.

    Attributes:
        path: the file.
        config: the architecture as JSON text.
        writer: the Keras version that the metadata name.
        card: text of the card; None where there is none.
    """

    path: Path
    config: str
    writer: str
    card: str | None

    def read_weights(self) -> bytes:
        """The HDF5 file inside.

        Raises:
            CheckpointError: if it is missing, damaged, or asks for more than it can hold.
        """
        with _opened(self.path) as archive:
            return _read(archive, MEMBER_WEIGHTS, self.path)


def open_archive(path: Path) -> Archive:
    """Read what an archive says of itself.

    Raises:
        CheckpointError: if it is damaged or lacks a member that Keras writes.
    """
    with _opened(path) as archive:
        names = archive.namelist()
        missing = [name for name in (MEMBER_CONFIG, MEMBER_WEIGHTS) if name not in names]
        if missing:
            raise CheckpointError(
                f"{path} is a zip, but not what Keras saves.",
                [Problem(name, "in the archive", "missing") for name in missing],
            )
        texts = {
            name: _read(archive, name, path, largest=LARGEST_TEXT).decode("utf-8", "replace")
            for name in (MEMBER_CONFIG, MEMBER_METADATA, MEMBER)
            if name in names
        }
    return Archive(path, texts[MEMBER_CONFIG], _writer(texts.get(MEMBER_METADATA, "")), texts.get(MEMBER))


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise CheckpointError(
            f"{path} is a truncated or damaged zip archive.", [Problem(str(path), "a .keras archive", str(error))]
        ) from error


def _read(archive: zipfile.ZipFile, name: str, path: Path, *, largest: int | None = None) -> bytes:
    member = archive.getinfo(name)
    if member.file_size > EXPANSION * member.compress_size + 4096 or (
        largest is not None and member.file_size > largest
    ):
        found = f"{member.file_size:,} bytes said to lie in {member.compress_size:,}"
        raise CheckpointError(f"{path} asks for more than it holds.", [Problem(name, "a member of honest size", found)])
    try:
        return archive.read(member)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError) as error:
        raise CheckpointError(f"{path} is damaged.", [Problem(name, "bytes that fit their CRC", str(error))]) from error


def _writer(metadata: str) -> str:
    try:
        return str(json.loads(metadata)["keras_version"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
