"""What is done for one shard of features: examples read, run through the network, and written whole with a record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.array_problems import kept_inputs
from transfer.data.feature_records import ShardRecord, write_record
from transfer.data.feature_shards import open_shard, write_shard
from transfer.data.inputs import Inputs, one_array
from transfer.data.mapped_rows import take_rows
from transfer.data.named_arrays import NamedArrays, digest_rows
from transfer.data.parquet_features import is_whole, write_parquet_features
from transfer.errors import DataError, Problem
from transfer.jobs.computed_features import place_of
from transfer.jobs.feeding import Feed
from transfer.training.feature_keys import example_keys
from transfer.training.prefixing import Piece
from transfer.training.running_ahead import run_ahead

_NOT_FINITE = "NaN or infinite"


@dataclass(frozen=True, slots=True)
class Filled:
    """A shard that is there.

    Attributes:
        record: of it.
        computed: how many rows were computed for it; 0 where it was there.
    """

    record: ShardRecord
    computed: int


@dataclass(frozen=True, slots=True, eq=False)
class ShardFilling:
    """The work on each shard. In memory are its rows a few times over, and some batches of examples.

    Attributes:
        feed: how examples go in.
        piece: of the network, which computes.
        inputs: all examples.
        ids: of them.
        folder: of the features.
        format: `hdf5` or `parquet`.
        shard_rows: examples of a shard.
        known: what is done, by first place.
    """

    feed: Feed
    piece: Piece
    inputs: Inputs
    ids: tuple[str, ...]
    folder: Path
    format: str
    shard_rows: int
    known: Mapping[int, ShardRecord]

    def __call__(self, first: int) -> Filled:
        """See to the shard that begins at some place.

        It is there where its file has the bytes that it is named by, and the examples those that it was made from.

        Raises:
            DataError: if examples change while they are read.
            OutputError: if it cannot be written.
        """
        examples = self._examples(first)
        digests = _digests(examples)
        digest = hashlib.sha256("\n".join(digests).encode()).hexdigest()
        old = self.known.get(first)
        if old is not None and (old.count, old.digest) == (len(examples), digest) and self._is_there(old):
            return Filled(old, 0)
        rows, failed = self._run(examples)
        _refuse_changed(examples, digests)
        good = [place for place in range(len(examples)) if place not in failed]
        names = self.ids[first : first + len(examples)]
        record = ShardRecord(
            first,
            len(examples),
            digest,
            tuple(names[place] for place in good),
            tuple((names[place], reason) for place, reason in sorted(failed.items())),
            rows.shape[1:] if good else (),
            self._write([digests[place] for place in good], [names[place] for place in good], rows) if good else "",
            tuple(digests[place] for place in good),
        )
        write_record(self.folder, record)
        return Filled(record, len(good))

    def _examples(self, first: int) -> Inputs:
        """Those of a shard; of arrays in this machine's byte order, and no page of a mapped one stays."""
        some, inputs = slice(first, first + self.shard_rows), self.inputs.inputs
        taken: Any
        if isinstance(inputs, tuple):
            taken = inputs[some]
        elif isinstance(inputs, NamedArrays):
            taken = NamedArrays({name: kept_inputs(take_rows(each, some)) for name, each in inputs.arrays.items()})
        else:
            taken = kept_inputs(take_rows(inputs, some))
        return Inputs(self.inputs.source, self.inputs.names[some], taken)

    def _is_there(self, record: ShardRecord) -> bool:
        if not record.ids:
            return True
        path = place_of(self.folder, self.piece.key, record, self.format)
        return is_whole(path) if self.format == "parquet" else open_shard(path) is not None

    def _run(self, examples: Inputs) -> tuple[NDArray[np.float32], dict[int, str]]:
        """The rows of those that gave some, and by place why the others did not."""
        failed = _not_finite(examples)
        if self.feed.image is not None and self.feed.image.size is not None and not isinstance(examples.inputs, tuple):
            examples = replace(
                examples, inputs=np.rint(one_array(examples)).astype(np.uint8)
            )  # were looked at as a whole
        parts = []
        for batch, values in run_ahead(self.piece.run, self.feed.batches(examples, self.piece.batch_size)):
            failed |= {place: problem.found for place, problem in batch.failures}
            bad = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
            failed = {**{batch.first + int(place): f"its features are {_NOT_FINITE}" for place in bad}, **failed}
            parts.append(values[[place for place in range(len(values)) if batch.first + place not in failed]])
        return np.concatenate(parts), failed

    def _write(self, digests: Sequence[str], names: Sequence[str], rows: NDArray[np.float32]) -> str:
        """The SHA-256 of the file."""
        place = self.folder / self.piece.key[:32]
        if self.format == "parquet":
            return write_parquet_features(place, names, rows).stem
        keys = np.array(example_keys(self.piece.key, digests), "S32")
        return write_shard(place, keys, rows).path.stem


def _digests(examples: Inputs) -> tuple[str, ...]:
    """Of the bytes of each, as for the cache of features; empty for a file that cannot be opened."""
    if not isinstance(examples.inputs, tuple):
        return digest_rows(examples.inputs)
    found = []
    for path in examples.inputs:
        try:
            with path.open("rb") as stream:
                found.append(hashlib.file_digest(stream, "sha256").hexdigest()[:32])
        except OSError:
            found.append("")
    return tuple(found)


def _refuse_changed(examples: Inputs, digests: Sequence[str]) -> None:
    if not isinstance(examples.inputs, tuple):
        return
    now = _digests(examples)
    changed = [name for name, old, new in zip(examples.names, digests, now, strict=True) if old != new]
    if changed:
        raise DataError(
            f"{len(changed)} pictures of {examples.source} have changed while they were read.",
            [Problem(name, found="other bytes than before") for name in changed],
            next_step="leave the files in place while they are used, and run the same again",
        )


def _not_finite(examples: Inputs) -> dict[int, str]:
    """By place, rows of arrays that hold NaN or infinity, or what is infinite in single precision."""
    if isinstance(examples.inputs, tuple):
        return {}
    arrays = examples.inputs.arrays if isinstance(examples.inputs, NamedArrays) else {"x": examples.inputs}
    failed: dict[int, str] = {}
    for name, each in arrays.items():
        if each.dtype.kind == "f":
            with np.errstate(over="ignore"):
                finite = np.isfinite(each.astype(np.float32, copy=False).reshape(len(each), -1)).all(axis=1)
            failed |= {int(place): f"{name} is {_NOT_FINITE}" for place in np.flatnonzero(~finite)}
    return failed
