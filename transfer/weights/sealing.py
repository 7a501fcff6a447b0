"""One digest over all that a checkpoint says beside the values of its tensors, so that nothing in it changes unseen.

It covers what is in the file, not what a reader makes of it: it holds also when a later reader tells layers better.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from transfer.errors import CheckpointError, Problem
from transfer.specs import Json
from transfer.weights.cards import ATTRIBUTE, MEMBER
from transfer.weights.containers import AGAIN
from transfer.weights.digests import digest_json
from transfer.weights.isolating import PendingScan, Source
from transfer.weights.outline import Dataset, Group
from transfer.weights.packages import MEMBER_CONFIG, MEMBER_METADATA, MEMBER_WEIGHTS, Package, open_package


def digest_outline(path: Path, roots: Sequence[Group] | None = None) -> str:
    """Sha256 over names, shapes, types and attributes of an HDF5 file, and over config and assets of an archive.

    Args:
        path: the file.
        roots: of the HDF5 files in it, where they have been read; by default another process reads them.

    Raises:
        CheckpointError: if the file is damaged.
    """
    package = open_package(path)
    return digest_json(
        {
            "files": [_outline(root) for root in (map(_scan, package.sources) if roots is None else roots)],
            "config": _config(package),
            "writer": package.writer,
            "members": _members(path) if zipfile.is_zipfile(path) else [],
        }
    )


def _scan(source: Source) -> Group:
    return PendingScan(source).result().root


def _outline(root: Group) -> Json:
    facts: list[Json] = [["", {name: value for name, value in root.attrs.items() if name != ATTRIBUTE}]]
    for each in root.walk():
        if isinstance(each, Dataset):
            facts.append([each.path, dict(each.attrs), each.dtype, list(each.shape)])
        elif isinstance(each, Group):
            facts.append([each.path, dict(each.attrs)])
    return sorted(facts, key=lambda fact: str(fact[0]))


def _config(package: Package) -> Json:
    if package.config is None:
        return None
    try:
        return json.loads(package.config)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{package.path}: {MEMBER_CONFIG} is damaged.", [Problem(MEMBER_CONFIG, "JSON", str(error)[:200])], AGAIN
        ) from error


def _members(path: Path) -> Json:
    """Whatever else an archive holds, by its own checksums; these are held against the bytes.

    Raises:
        CheckpointError: if a member is damaged.
    """
    known = {MEMBER_CONFIG, MEMBER_METADATA, MEMBER_WEIGHTS, MEMBER}
    try:
        with zipfile.ZipFile(path) as archive:
            others = sorted(
                (each for each in archive.infolist() if each.filename not in known), key=lambda e: e.filename
            )
            for member in others:
                with archive.open(member) as file:
                    while file.read(1 << 20):
                        pass
            return [[each.filename, each.CRC, each.file_size] for each in others]
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise CheckpointError(
            f"{path} is damaged.", [Problem(str(path), "members as packed", str(error))], AGAIN
        ) from error
