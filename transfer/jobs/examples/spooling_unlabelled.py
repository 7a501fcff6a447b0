"""Examples without labels as a network takes them: read in one pass, then at any places within bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.array_problems import FINITE, kept_inputs, step_for
from transfer.data.filling_arrays import BLOCK_BYTES
from transfer.data.fitting_arrays import fit_rows
from transfer.data.inputs import Inputs, one_array
from transfer.data.loading import ImageBatch
from transfer.data.mapped_rows import take_rows
from transfer.data.named_arrays import NamedArrays, digest_rows
from transfer.data.spooled_rows import SpooledRows
from transfer.errors import DataError, Problem
from transfer.jobs.examples.feeding import Feed
from transfer.jobs.examples.reading_unlabelled import FEWEST, too_few
from transfer.specs import Progress, silent
from transfer.training.batching import Readable

_BATCH = 64  # pictures that are decoded at a time


@dataclass(frozen=True, slots=True, eq=False)
class UnlabelledRows:
    """Examples as a network takes them, read at any places; no more than these are in memory.

    Attributes:
        source: where they come from, for messages.
        count: how many there are.
        shape: of one example.
        dtype: of their raw values.
        digest: SHA-256 of the digests of all examples that were read, in their order; of labelled sets the same.
        failures: what was left out, and why.
        notes: what else should be known of how they were taken, in a sentence each.
        rows: all of them, in their order.
    """

    source: str
    count: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    digest: str
    failures: tuple[Problem, ...]
    notes: tuple[str, ...]
    rows: Readable = field(repr=False)

    def __len__(self) -> int:
        return self.count

    def read(self, places: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Those at some places, (b, …)."""
        return self.rows.read(np.asarray(places, np.intp))


@dataclass(frozen=True, slots=True, eq=False)
class _ArrayRows:
    """Rows of an array, in memory or mapped from the disk."""

    values: NDArray[Any]

    def __len__(self) -> int:
        return len(self.values)

    def read(self, places: NDArray[np.integer[Any]]) -> NDArray[Any]:
        return take_rows(self.values, places)


def spool_rows(feed: Feed, inputs: Inputs, progress: Progress = silent) -> UnlabelledRows:
    """Bring all examples once to where a network takes them, so that any of them can be read again.

    Arrays that are taken as they are stay where they are; everything else lies on the disk. What is in memory at a time
    is a batch of pictures, or some megabytes of an array.

    Args:
        feed: how examples go into the network.
        inputs: examples.
        progress: told how many are done.

    Raises:
        DataError: if fewer than two can be read, or they are not what the network takes.
        OutputError: if the disk takes no more.
    """
    if isinstance(inputs.inputs, tuple):
        return _spool_pictures(feed, inputs, inputs.inputs, progress)
    return _spool_arrays(feed, inputs, progress)


def _spool_pictures(feed: Feed, inputs: Inputs, paths: tuple[Path, ...], progress: Progress) -> UnlabelledRows:
    spool, digest, count = SpooledRows(len(inputs)), hashlib.sha256(), 0
    failures: list[Problem] = []
    shape: tuple[int, ...] = ()
    for batch in feed.batches(inputs, _BATCH, progress):
        kept, failed = _digested(batch, inputs, paths, digest)
        failures += failed
        shape = batch.images.shape[1:]
        spool.write(np.arange(count, count + len(kept)), batch.images[kept])
        count += len(kept)
    left_out = (*inputs.problems, *failures)
    if count < FEWEST:
        raise too_few(inputs.source, count, left_out)
    dtype = np.dtype(np.uint8)
    return UnlabelledRows(inputs.source, count, shape, dtype, digest.hexdigest(), left_out, inputs.notes, spool)


def _digested(
    batch: ImageBatch, inputs: Inputs, paths: tuple[Path, ...], digest: Any
) -> tuple[list[int], list[Problem]]:
    """Places in a batch of the pictures that could be read, whose bytes are added to a digest; and all others."""
    failed, kept = dict(batch.failures), []
    for place in range(batch.first, batch.first + len(batch.images)):
        if place in failed:
            continue
        try:
            with paths[place].open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").hexdigest()[:32].encode())
            kept.append(place - batch.first)
        except OSError as error:
            failed[place] = Problem(inputs.names[place], found=error.strerror or str(error))
    return kept, list(failed.values())


def _spool_arrays(feed: Feed, inputs: Inputs, progress: Progress) -> UnlabelledRows:
    inputs = _native(inputs)
    straight = _as_they_are(feed, inputs)
    spool, digest, done = SpooledRows(len(inputs)), hashlib.sha256(), 0
    for block in _blocks(inputs):
        _refuse_not_finite(block, done)
        digest.update("".join(digest_rows(block.inputs)).encode())  # type: ignore[arg-type]
        if straight is None:
            _write(spool, feed.batches(block, _BATCH), done)
        elif feed.image is None:
            fit_rows(block, feed.shape or (), feed.ids)
        done += len(block)
        progress("reading examples", done, len(inputs))
    if done < FEWEST:
        raise too_few(inputs.source, done, inputs.problems)
    rows: Readable = spool if straight is None else _ArrayRows(straight)
    one = rows.read(np.arange(1))
    found = digest.hexdigest()
    return UnlabelledRows(inputs.source, done, one.shape[1:], one.dtype, found, inputs.problems, inputs.notes, rows)


def _write(spool: SpooledRows, batches: Iterator[ImageBatch], start: int) -> None:
    """Put batches of examples of a block that begins at some place where they belong."""
    for batch in batches:
        first = start + batch.first
        spool.write(np.arange(first, first + len(batch.images)), batch.images)


def _native(inputs: Inputs) -> Inputs:
    """The same in this machine's byte order."""
    arrays = inputs.inputs
    if isinstance(arrays, NamedArrays):
        return replace(inputs, inputs=NamedArrays({name: kept_inputs(each) for name, each in arrays.arrays.items()}))
    return replace(inputs, inputs=kept_inputs(one_array(inputs)))


def _as_they_are(feed: Feed, inputs: Inputs) -> NDArray[Any] | None:
    """The array in the network's shape, where a feed changes none of its values; None where it does."""
    if feed.inputs:
        return None
    if feed.image is None or feed.image.size is None:
        return fit_rows(inputs, feed.shape or ())
    rows, size = one_array(inputs), feed.image.size
    channels = 1 if feed.image.color == "grey" else 3
    shapes = [(*size, channels)] + ([size, (size[0] * size[1],)] if channels == 1 else [])
    return rows.reshape(-1, *shapes[0]) if rows.dtype == np.uint8 and rows.shape[1:] in shapes else None


def _blocks(inputs: Inputs) -> Iterator[Inputs]:
    """All examples in order, some megabytes of them in memory at a time."""
    arrays = inputs.inputs.arrays if isinstance(inputs.inputs, NamedArrays) else {"": one_array(inputs)}
    step = max(1, BLOCK_BYTES // max(1, sum(each.nbytes for each in arrays.values()) // len(inputs)))
    for start in range(0, len(inputs), step):
        some = slice(start, start + step)
        taken = {name: take_rows(each, some) for name, each in arrays.items()}
        yield Inputs(inputs.source, inputs.names[some], taken[""] if "" in taken else NamedArrays(taken))


def _refuse_not_finite(block: Inputs, start: int) -> None:
    """Refuse NaN and infinity, and what is infinite in single precision.

    Raises:
        DataError: if there is one.
    """
    arrays = block.inputs.arrays if isinstance(block.inputs, NamedArrays) else {"x": one_array(block)}
    problems = []
    for name, each in arrays.items():
        if each.dtype.kind != "f":
            continue
        with np.errstate(over="ignore"):
            finite = np.isfinite(each.astype(np.float32, copy=False)).reshape(len(each), -1).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            found = "beyond 3.4e38" if np.isfinite(each[row]).all() else "NaN or infinite"
            problems.append(Problem(name, FINITE, f"{found}, first in row {start + row}"))
    if problems:
        raise DataError(f"{block.source} cannot be learnt from.", problems, step_for(problems, ""))
