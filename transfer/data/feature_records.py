"""A folder of computed features: its manifest, what each shard holds, and what is done of one that is not finished.

    OUT/manifest.json            what was asked; of a finished one each shard's rows, ids and SHA-256
    OUT/failed.csv               id and reason of what could not be read
    OUT/unfinished/0000….json    a shard that is done, as the manifest will tell it; gone when all are
    OUT/PIECE/SHA256.h5          a shard, as the cache of features has it (or .parquet)

Each file appears whole or not at all. A shard's record is written after the shard, so that one with a record is there.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transfer.errors import OutputError, Problem
from transfer.placing import place_json, placed_file
from transfer.specs import Json

SCHEMA = 1
MANIFEST, FAILED, UNFINISHED = "manifest.json", "failed.csv", "unfinished"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """What became of the examples of one shard.

    Attributes:
        first: place of the first among all.
        count: of examples, those that could not be read among them.
        digest: SHA-256 of the digests of the examples' bytes: by it a change of them is found.
        ids: of the rows, in their order.
        failed: (id, reason) of the others.
        shape: of one row; empty where there is none.
        sha256: of the file, which is called so; empty where there is no row and no file.
        digests: of the bytes of each row's example, 32 hex digits: by them it is known again in a labelled set.
    """

    first: int
    count: int
    digest: str
    ids: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    shape: tuple[int, ...]
    sha256: str
    digests: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "first": self.first,
            "count": self.count,
            "rows": len(self.ids),
            "shape": list(self.shape),
            "sha256": self.sha256,
            "digest": self.digest,
            "ids": list(self.ids),
            "digests": list(self.digests),
            "failed": [list(each) for each in self.failed],
        }

    @classmethod
    def from_json(cls, told: Json) -> ShardRecord:
        """The record that stands in a file.

        Raises:
            ValueError: if it is none; or a KeyError or TypeError.
        """
        ids = tuple(str(each) for each in told["ids"])
        failed = tuple((str(name), str(reason)) for name, reason in told["failed"])
        shape, sha256 = tuple(int(each) for each in told["shape"]), str(told["sha256"])
        if bool(ids) != bool(_SHA256.fullmatch(sha256)):
            raise ValueError(f"not the digest of a file: {sha256!r}")
        digests = tuple(str(each) for each in told["digests"])
        if len(digests) != len(ids):
            raise ValueError(f"{len(digests)} digests of {len(ids)} examples")
        return cls(int(told["first"]), int(told["count"]), str(told["digest"]), ids, failed, shape, sha256, digests)


def read_manifest(folder: Path) -> Json | None:
    """What a folder's manifest says; None where there is no folder, or nothing in it.

    Raises:
        OutputError: if something else is there, or the manifest cannot be read.
    """
    path = folder / MANIFEST
    try:
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return None
        found = "no manifest of features" if not path.is_file() else "one that cannot be read"
        told: Any = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(told, dict) or not isinstance(told.get("asked"), dict) or told["schema"] != SCHEMA:
            raise ValueError(found)
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise OutputError(
            f"{folder} holds something else than features.",
            [Problem(str(path), "a manifest that 'transfer features' wrote", found)],
            next_step="choose another folder with -o (out=…)",
        ) from error
    return told


def read_records(folder: Path, manifest: Json | None) -> dict[int, ShardRecord]:
    """What is known to be done, by its first place: of the manifest, and of what is not finished.

    What cannot be read is not there: it is computed anew.
    """
    told = list((manifest or {}).get("shards") or ())
    for path in sorted((folder / UNFINISHED).glob("*.json")):
        try:
            told.append(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, RecursionError):
            continue
    found = {}
    for each in told:
        try:
            record = ShardRecord.from_json(each)
        except (ValueError, KeyError, TypeError):
            continue
        found[record.first] = record
    return found


def write_record(folder: Path, record: ShardRecord) -> None:
    """Note that a shard is done.

    Raises:
        OutputError: if it cannot be written.
    """
    place_json(folder / UNFINISHED / f"{record.first:012}.json", record.to_json())


def begin_manifest(folder: Path, asked: Json) -> None:
    """Say what is asked, before anything is computed.

    Raises:
        OutputError: if it cannot be written.
    """
    place_json(folder / MANIFEST, {"schema": SCHEMA, "finished": False, "asked": asked})


def is_finished(folder: Path, manifest: Json | None, records: Iterable[ShardRecord]) -> bool:
    """Whether a manifest says all that there is to say, and nothing is left of what was done before it."""
    if manifest is None or manifest.get("finished") is not True or (folder / UNFINISHED).exists():
        return False
    is_listed = (folder / FAILED).is_file()
    return is_listed and manifest.get("shards") == json.loads(json.dumps([each.to_json() for each in records]))


def finish_manifest(folder: Path, asked: Json, records: Iterable[ShardRecord], failed: Iterable[Problem]) -> None:
    """Say that all is done, and what came of it.

    Raises:
        OutputError: if it cannot be written.
    """
    shards, left_out = list(records), list(failed)
    table = io.StringIO()
    lines = csv.writer(table, lineterminator="\n")
    lines.writerow(("id", "reason"))
    lines.writerows((each.where, each.found) for each in left_out)
    with placed_file(folder / FAILED, force=True) as temporary:
        temporary.write_bytes(table.getvalue().encode("utf-8", "surrogateescape"))
    counts = {"rows": sum(len(each.ids) for each in shards), "failed": len(left_out)}
    told: Mapping[str, Json] = {"schema": SCHEMA, "finished": True, **counts, "asked": asked}
    place_json(folder / MANIFEST, {**told, "shards": [each.to_json() for each in shards]})
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
