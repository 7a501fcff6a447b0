"""What is done for one shard of features: examples read, run through the network, and written whole with a record.

The work is made by a `FillingPlan`, which can be sent to another machine that sees the same folders; what it does is
asked by plain values as well.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.feature_records import ShardRecord, write_record
from transfer.data.feature_shards import open_shard, write_shard
from transfer.data.fetching import fetch_pictures
from transfer.data.inputs import Inputs, one_array
from transfer.data.named_arrays import NamedArrays, digest_rows
from transfer.data.parquet_features import is_whole, write_parquet_features
from transfer.errors import DataError, Problem, TrainingError
from transfer.jobs.examples.feeding import Feed
from transfer.jobs.examples.shared_folders import refuse_unseen
from transfer.jobs.features.computed_features import place_of
from transfer.jobs.features.feature_requests import Computing
from transfer.jobs.features.row_arrays import Arrays
from transfer.jobs.features.shard_portions import Asked, Describe, Filled, Portion, Rehearse, Rehearsed
from transfer.specs import Json
from transfer.surgery.network import Network
from transfer.tabulating import counted
from transfer.training.arithmetic import describe_arithmetic
from transfer.training.feature_keys import example_keys
from transfer.training.prefixing import Piece
from transfer.training.running_ahead import run_ahead

_NOT_FINITE = "NaN or infinite"
_BATCHES = 4  # some are read while others run
_COPIES = 3  # of the rows of a shard: as they come, together, and as a file


@dataclass(frozen=True, slots=True, eq=False)
class FillingPlan:
    """All that the work on shards needs, as values that can be sent.

    Attributes:
        network: that computes, from raw inputs to features; its tensors are read where it is sent from.
        shape: of an example.
        feed: how examples go in; its own network is not needed.
        own: classes of the caller's, by name.
        arrays: of the examples; None for pictures.
        source: of the examples, for messages.
        folder: of the features.
        format: `hdf5` or `parquet`.
        seen: one of the pictures that is there, for machines that do not see it.
    """

    network: Network
    shape: tuple[int, ...]
    feed: Feed
    own: dict[str, Any]
    arrays: Arrays | None
    source: str
    folder: Path
    format: str
    seen: tuple[Path, ...] = ()

    def __call__(self) -> ShardFilling:
        """The work.

        Raises:
            TrainingError: on a machine that does not see the pictures.
        """
        refuse_unseen(self.seen)
        piece = Piece(self.network, shape=self.shape, feeding=self.feed.to_json(), custom_objects=self.own)
        return ShardFilling(self, piece, describe_arithmetic())

    def __getstate__(self) -> tuple[Any, ...]:
        network = replace(self.network, tensors=dict(self.network.tensors))
        feed, folder = replace(self.feed, network=None), self.folder.absolute()
        return network, self.shape, feed, self.own, self.arrays, self.source, folder, self.format, self.seen

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        for name, value in zip(self.__slots__, state, strict=True):
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True, eq=False)
class ShardFilling:
    """The work on each shard. In memory are its rows a few times over, and some batches of examples.

    Attributes:
        plan: what it is made from.
        piece: of the network, which computes.
        arithmetic: what computes, here.
    """

    plan: FillingPlan
    piece: Piece
    arithmetic: dict[str, Json]

    def __call__(self, asked: Asked) -> Any:
        """Do what is asked, and give a `Computing`, a `Rehearsed` or a `Filled`."""
        if isinstance(asked, Describe):
            return Computing(self.piece.key, self.piece.batch_size, self.arithmetic)
        return self.rehearse(asked) if isinstance(asked, Rehearse) else self.fill(asked)

    def rehearse(self, asked: Rehearse) -> Rehearsed:
        """Some batches, read once and run for the second time: the first builds the network."""
        count = _BATCHES * self.piece.batch_size
        pictures = None if asked.pictures is None else asked.pictures[:count]
        start = time.monotonic()
        with self._examples(0, asked.ids[:count], pictures, asked.addresses) as (examples, _):
            seconds = time.monotonic() - start
            self._run(examples)
            start = time.monotonic()
            rows = self._run(examples)[0]
            seconds += time.monotonic() - start
        row_bytes = int(np.prod(rows.shape[1:])) * rows.itemsize
        np.ones(_COPIES * asked.shard_rows * row_bytes, np.uint8)  # what a shard takes shows in the process's memory
        return Rehearsed(seconds / max(1, len(examples)), row_bytes)

    def fill(self, portion: Portion) -> Filled:
        """See to a shard.

        It is there where its file has the bytes that it is named by, and the examples those that it was made from.

        Raises:
            DataError: if examples change while they are read.
            OutputError: if it cannot be written.
            TrainingError: if something else computes here than where the work was described.
        """
        if portion.key != self.piece.key:
            raise TrainingError(
                "Two machines would give features with other bits, so they cannot share this work.",
                [Problem("what computes", portion.key, f"{self.piece.key}: {_shown(self.arithmetic)}")],
                next_step="take machines of one kind, with the same versions of transfer, TensorFlow, Keras and Pillow",
            )
        with self._examples(portion.first, portion.ids, portion.pictures, portion.addresses) as (examples, not_fetched):
            digests = _digests(examples)
            digest = hashlib.sha256("\n".join(digests).encode()).hexdigest()
            old = portion.known
            if old is not None and (old.count, old.digest) == (len(examples), digest) and self._is_there(old):
                return Filled(old, 0)
            rows, failed = self._run(examples)
            _refuse_changed(examples, digests)
        failed |= not_fetched
        good = [place for place in range(len(examples)) if place not in failed]
        names = portion.ids
        record = ShardRecord(
            portion.first,
            len(examples),
            digest,
            tuple(names[place] for place in good),
            tuple((names[place], reason) for place, reason in sorted(failed.items())),
            rows.shape[1:] if good else (),
            self._write([digests[place] for place in good], [names[place] for place in good], rows) if good else "",
            tuple(digests[place] for place in good),
        )
        write_record(self.plan.folder, record)
        return Filled(record, len(good))

    @contextmanager
    def _examples(
        self, first: int, names: tuple[str, ...], pictures: tuple[Path, ...] | None, addresses: Mapping[str, str]
    ) -> Iterator[tuple[Inputs, dict[int, str]]]:
        """Those of a shard, for a while, and by place why some could not be fetched."""
        if pictures is None:
            if self.plan.arrays is None:
                raise ValueError("a plan has arrays, or its portions have pictures")
            rows = self.plan.arrays.rows(slice(first, first + len(names)))
            yield Inputs(self.plan.source, names[: len(rows)], rows), {}
            return
        remote = [place for place, name in enumerate(names) if name in addresses]
        if not remote:
            yield Inputs(self.plan.source, names, pictures), {}
            return
        with tempfile.TemporaryDirectory(prefix="transfer-fetched-") as folder:
            fetched, failed = fetch_pictures([addresses[names[place]] for place in remote], Path(folder))
            where = dict(zip(remote, fetched, strict=True))
            here = tuple(where.get(place, path) for place, path in enumerate(pictures))
            yield Inputs(self.plan.source, names, here), {remote[place]: reason for place, reason in failed.items()}

    def _is_there(self, record: ShardRecord) -> bool:
        if not record.ids:
            return True
        path = place_of(self.plan.folder, self.piece.key, record, self.plan.format)
        return is_whole(path) if self.plan.format == "parquet" else open_shard(path) is not None

    def _run(self, examples: Inputs) -> tuple[NDArray[np.float32], dict[int, str]]:
        """The rows of those that gave some, and by place why the others did not."""
        failed = _not_finite(examples)
        if (
            self.plan.feed.image is not None
            and self.plan.feed.image.size is not None
            and not isinstance(examples.inputs, tuple)
        ):
            examples = replace(
                examples, inputs=np.rint(one_array(examples)).astype(np.uint8)
            )  # were looked at as a whole
        parts = []
        for batch, values in run_ahead(self.piece.run, self.plan.feed.batches(examples, self.piece.batch_size)):
            failed |= {place: problem.found for place, problem in batch.failures}
            bad = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
            failed = {**{batch.first + int(place): f"its features are {_NOT_FINITE}" for place in bad}, **failed}
            parts.append(values[[place for place in range(len(values)) if batch.first + place not in failed]])
        return np.concatenate(parts), failed

    def _write(self, digests: Sequence[str], names: Sequence[str], rows: NDArray[np.float32]) -> str:
        """The SHA-256 of the file."""
        place = self.plan.folder / self.piece.key[:32]
        if self.plan.format == "parquet":
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
            f"{counted(len(changed), 'picture')} of {examples.source} changed while being read.",
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


def _shown(arithmetic: dict[str, Json]) -> str:
    """The part of it that a reader may tell machines apart by."""
    return f"{arithmetic['versions']}, {str(arithmetic['processor'])[:60]}, threads {arithmetic['threads']}"
