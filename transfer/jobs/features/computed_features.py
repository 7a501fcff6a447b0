"""What computing features gives: a folder of shards, and the ways to read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.feature_records import FAILED, ShardRecord
from transfer.data.feature_shards import open_shard
from transfer.data.parquet_features import is_whole, read_parquet_features
from transfer.errors import DataError, Problem
from transfer.html_tables import as_html
from transfer.specs import Json
from transfer.tabulating import Part, counted, format_parts

_SUFFIXES = {"hdf5": ".h5", "parquet": ".parquet"}


def place_of(folder: Path, piece: str, record: ShardRecord, format: str) -> Path:
    """Where the file of a shard lies: where a cache of features in that folder would look for it."""
    return folder / piece[:32] / f"{record.sha256}{_SUFFIXES[format]}"


@dataclass(frozen=True, slots=True, eq=False)
class ComputedFeatures:
    """Features of many examples, in files; printed, it says how many and where.

    Attributes:
        folder: where they lie, with `manifest.json` and `failed.csv`.
        source: of the examples.
        asked: what was asked, by digests.
        records: what each shard holds, in the order of the examples.
        failed: what could not be read, by its id, and why.
        computed: how many rows this call computed; the others were there.
        notes: what else there is to know.
    """

    folder: Path
    source: str
    asked: Json = field(repr=False)
    records: tuple[ShardRecord, ...] = field(repr=False)
    failed: tuple[Problem, ...] = field(repr=False)
    computed: int
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(len(each.ids) for each in self.records)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what the network gives for one example."""
        return next(each.shape for each in self.records if each.ids)

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the rows, in the order of the examples; none comes twice."""
        return tuple(name for each in self.records for name in each.ids)

    @property
    def is_reused(self) -> bool:
        """Whether all of it was there already."""
        return self.computed == 0

    def __len__(self) -> int:
        return self.rows

    def __str__(self) -> str:
        return format_parts(self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.parts)

    @property
    def parts(self) -> Iterator[Part]:
        """The lines in print."""
        size = " x ".join(map(str, self.shape))
        files = sum(bool(each.ids) for each in self.records)
        yield f"{counted(self.rows, 'row')} of {size} features, of {self.source}, in {counted(files, 'shard')}"
        if self.is_reused:
            yield "finished  before: nothing was computed"
        elif self.computed < self.rows:
            yield f"computed  {counted(self.computed, 'row')}; {self.rows - self.computed:,} were there"
        yield from (f"note      {each}" for each in self.notes)
        if self.failed:
            yield f"failed    {len(self.failed):,}, listed in {self.folder / FAILED}"
        yield f"written   {self.folder}"

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "folder": str(self.folder),
            "source": self.source,
            "rows": self.rows,
            "shape": list(self.shape),
            "shards": sum(bool(each.ids) for each in self.records),
            "computed": self.computed,
            "failed": len(self.failed),
            "notes": list(self.notes),
            "asked": self.asked,
        }

    def shards(self) -> Iterator[tuple[tuple[str, ...], NDArray[np.float32]]]:
        """The ids and the rows (m, d) of one shard after the other; those of HDF5 are mapped from the disk.

        Raises:
            DataError: if a file has gone or was changed.
        """
        for record in self.records:
            if record.ids:
                yield record.ids, self._read(record)

    def load(self) -> NDArray[np.float32]:
        """All rows in memory, (n, d), in the order of `ids`; what is too large for that is read by `shards`.

        Raises:
            DataError: if a file has gone or was changed.
        """
        found = np.empty((self.rows, prod(self.shape)), np.float32)
        start = 0
        for ids, rows in self.shards():
            found[start : start + len(ids)] = rows
            start += len(ids)
        return found

    def _read(self, record: ShardRecord) -> NDArray[Any]:
        path = place_of(self.folder, self.asked["key"], record, self.asked["format"])
        if self.asked["format"] == "parquet":
            rows = read_parquet_features(path) if is_whole(path) else None
        else:
            shard = open_shard(path)
            rows = None if shard is None else shard.mapped().reshape(shard.shape[0], -1)
        if rows is None or len(rows) != len(record.ids):
            raise DataError(
                f"Features in {self.folder} have gone or were changed.",
                [Problem(str(path), "the file that was written", "none, or other bytes")],
                next_step="run the same again: what is missing is computed anew",
            )
        return rows
