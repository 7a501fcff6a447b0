"""Computing the features of many examples once, into a folder of shards, as a whole job."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from transfer.data.addresses import is_address
from transfer.data.feature_records import (
    ShardRecord,
    begin_manifest,
    finish_manifest,
    is_finished,
    read_manifest,
    read_records,
)
from transfer.data.fetching import refuse_unreachable
from transfer.data.inputs import Inputs
from transfer.data.parquet_features import refuse_without_parquet
from transfer.errors import DataError, Problem
from transfer.graphs.feature_layers import encoder_layer
from transfer.jobs.examples.feeding import as_learnt, make_feed
from transfer.jobs.examples.reading_unlabelled import Unlabelled, read_unlabelled
from transfer.jobs.examples.shared_folders import refuse_missing
from transfer.jobs.features.computed_features import ComputedFeatures, place_of
from transfer.jobs.features.estimating_features import FeatureEstimate, estimate_work, refuse_full_disk
from transfer.jobs.features.feature_requests import Computing, Ends, describe_request, refuse_other
from transfer.jobs.features.filling_shards import FillingPlan
from transfer.jobs.features.row_arrays import Arrays
from transfer.jobs.features.shard_portions import Describe, Filled, Portion
from transfer.models.building import classes_of, read_model
from transfer.models.extracting import extract_from_model
from transfer.models.restoring import Into, Restored, restore_file
from transfer.specs import Extraction, Json, Preprocessing, Progress, Restoring, silent
from transfer.tabulating import counted
from transfer.training.engines import Engine, LocalEngine
from transfer.weights.opening import open_checkpoint

SHARD_ROWS = 1024


def compute_features(
    checkpoint: str | os.PathLike[str] | Restored,
    data: Unlabelled,
    out: str | os.PathLike[str],
    *,
    at: str | None = None,
    into: Into = None,
    restoring: Restoring | None = None,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    format: Literal["hdf5", "parquet"] = "hdf5",
    shard_rows: int = SHARD_ROWS,
    engine: Engine | None = None,
    before: Callable[[FeatureEstimate], None] | None = None,
    progress: Progress = silent,
) -> ComputedFeatures:
    """Run the frozen part of a network once over all examples, and keep what it gives in a folder of shards.

    Asked for again, only what is missing is computed: a job that was killed goes on with the shard at which it was, and
    ends with the same bytes; one that is finished computes nothing. Examples are read again, to see that they are the
    same; a shard of which one has changed is computed anew. In memory are the names of all examples, the rows of one
    shard a few times over and some batches; arrays of files lie on the disk where they are large. One process at a time
    works on a folder.

    What cannot be read ends nothing: it stands in `failed.csv`. The code of layers of your own is in no digest: take
    another folder where you change it.

    Args:
        checkpoint: a file, a shipped name, or what `restore` gave.
        data: a folder of pictures with all below it, a table that names some (each once, by a path or an address,
            `s3://…`, which needs the extra `remote`), a file of arrays, or arrays. Labels are not looked at.
        out: a folder: new, empty, or of this very request.
        at: the last layer; by default all but a classifier.
        into: the architecture of a file that holds none.
        restoring: how the file is brought into it.
        preprocessing: how images are prepared, or the name of a common way; by default what the card says.
        size: (h, w) to which images are fitted.
        format: `hdf5`, as the cache of features has it, so that `cache=out` serves a run; or `parquet`.
        shard_rows: examples of a shard; its rows stand in memory.
        engine: what maps the work over shards: by default this process; `scaling.ray_engine.RayEngine` for a cluster.
        before: told what the work needs and how long it should take, before any of it begins; what it raises ends all.
        progress: told how many are done.

    Raises:
        DataError: if no example can be read, an id comes twice, or the examples do not go into the network.
        LayerError: if the network cannot be cut there.
        OutputError: if `out` holds something else or another request, cannot be written, or has too little room.
        TrainingError: if a cluster has too little room, loses what it works on again and again, or has machines that
            do not see the same folders.
        ValueError: if `shard_rows` is below 1 or there is no such format.
    """
    job = _set_up(checkpoint, data, out, at, into, restoring, preprocessing, size, format, shard_rows, engine)
    folder, inputs = job.plan.folder, job.inputs
    if job.manifest is None:
        begin_manifest(folder, job.asked)
    if job.missing:
        estimate = job.estimate()
        refuse_full_disk(estimate, folder)
        if before is not None:
            before(estimate)
    filled = _fill(job, progress)
    records = tuple(each.record for each in filled)
    failed = (
        *(_below(data, each) for each in inputs.problems),
        *(Problem(name, found=reason) for record in records for name, reason in record.failed),
    )
    if not is_finished(folder, job.manifest, records):
        finish_manifest(folder, job.asked, records, failed)
        gone = {each.known for each in job.portions if each.known is not None} - set(records)
        _clear(folder, job.asked["key"], format, gone, {each.sha256 for each in records})
    if not any(each.ids for each in records):
        count = len(job.ids) + len(inputs.problems)
        raise DataError(f"None of the {count:,} examples of {inputs.source} can be read.", failed)
    computed = sum(each.computed for each in filled)
    notes = (job.plan.feed.note, *inputs.notes)
    return ComputedFeatures(folder, inputs.source, job.asked, records, failed, computed, notes)


def estimate_features(
    checkpoint: str | os.PathLike[str] | Restored,
    data: Unlabelled,
    out: str | os.PathLike[str],
    *,
    at: str | None = None,
    into: Into = None,
    restoring: Restoring | None = None,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    format: Literal["hdf5", "parquet"] = "hdf5",
    shard_rows: int = SHARD_ROWS,
    engine: Engine | None = None,
) -> FeatureEstimate:
    """What `compute_features` with these arguments needs, how long it should take, and what it writes.

    A few batches of the examples are tried where all would be done; nothing is written.

    Raises:
        TransferError: as `compute_features` does before it begins.
    """
    job = _set_up(checkpoint, data, out, at, into, restoring, preprocessing, size, format, shard_rows, engine)
    return job.estimate()


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """What is to be done.

    Attributes:
        inputs: all examples.
        ids: of them.
        plan: of the work.
        engine: that does it.
        asked: as plain values.
        manifest: of what is in the folder; None where there is none.
        portions: of the work, in the order of the examples.
        shard_rows: examples of each.
    """

    inputs: Inputs
    ids: tuple[str, ...]
    plan: FillingPlan
    engine: Engine
    asked: dict[str, Json]
    manifest: Json | None
    portions: list[Portion]
    shard_rows: int

    @property
    def missing(self) -> list[Portion]:
        """Those that nothing is known of."""
        return [each for each in self.portions if each.known is None and each.ids]

    def estimate(self) -> FeatureEstimate:
        return estimate_work(self.engine, self.plan, self.portions[0], self.missing, self.shard_rows)


def _set_up(
    checkpoint: str | os.PathLike[str] | Restored,
    data: Unlabelled,
    out: str | os.PathLike[str],
    at: str | None,
    into: Into,
    restoring: Restoring | None,
    preprocessing: Preprocessing | str | None,
    size: tuple[int, int] | None,
    format: Literal["hdf5", "parquet"],
    shard_rows: int,
    engine: Engine | None,
) -> _Job:
    """Look at all that is asked for; nothing is written."""
    if shard_rows < 1 or format not in ("hdf5", "parquet"):
        raise ValueError(f"shard_rows is above 0 and format 'hdf5' or 'parquet': {shard_rows=}, {format=}")
    folder = Path(out)
    manifest = read_manifest(folder)
    if format == "parquet":
        refuse_without_parquet()
    inputs = read_unlabelled(data, fewest=1, remote=True)
    refuse_unreachable([*inputs.addresses.values()])
    ids = _ids(data, inputs)
    restored = _restored(checkpoint, into, restoring or Restoring())
    ends, own = _up_to_features(restored, at), classes_of(restored.model)
    feed = make_feed(ends.network, inputs, preprocessing=preprocessing, size=size, custom_objects=own)
    if not isinstance(inputs.inputs, tuple):
        feed.batches(inputs, 1)  # says what is wrong with an array as a whole, and reads no batch
    arrays = None if isinstance(inputs.inputs, tuple) else Arrays(inputs, _file_of(data))
    whole, shape = as_learnt(feed, inputs), feed.example_shape(inputs)
    plan = FillingPlan(whole, shape, feed, own, arrays, inputs.source, folder, format, _seen(inputs))
    engine = engine or LocalEngine()
    computing: Computing = engine.try_out(plan, Describe()).done
    asked = describe_request(ends, feed, computing, ids, format=format, shard_rows=shard_rows)
    if manifest is not None:
        refuse_other(folder, asked, manifest["asked"])
    portions = _portions(inputs, ids, read_records(folder, manifest), computing.key, shard_rows)
    return _Job(inputs, ids, plan, engine, asked, manifest, portions, shard_rows)


def _seen(inputs: Inputs) -> tuple[Path, ...]:
    """One of the pictures that is there, if any is."""
    if not isinstance(inputs.inputs, tuple):
        return ()
    local = (path for name, path in zip(inputs.names, inputs.inputs, strict=True) if not is_address(name))
    return tuple(islice((path.absolute() for path in local if path.exists()), 1))


def _restored(checkpoint: str | os.PathLike[str] | Restored, into: Into, how: Restoring) -> Restored:
    if isinstance(checkpoint, Restored):
        return checkpoint
    return restore_file(open_checkpoint(os.fspath(checkpoint)), into, how)


def _up_to_features(restored: Restored, at: str | None) -> Ends:
    end = at or encoder_layer(read_model(restored.model).graph)
    return Ends(extract_from_model(restored, Extraction(at=(end,))).network, end)


def _portions(
    inputs: Inputs, ids: tuple[str, ...], known: Mapping[int, ShardRecord], key: str, shard_rows: int
) -> list[Portion]:
    pictures = inputs.inputs if isinstance(inputs.inputs, tuple) else None
    found = []
    for first in range(0, len(ids), shard_rows):
        some = slice(first, first + shard_rows)
        own = None if pictures is None else _places(inputs.names[some], pictures[some])
        where = {name: inputs.addresses[name] for name in ids[some] if name in inputs.addresses}
        found.append(Portion(first, ids[some], own, known.get(first), key, where))
    return found


def _places(names: Sequence[str], pictures: Sequence[Path]) -> tuple[Path, ...]:
    return tuple(path if is_address(name) else path.absolute() for name, path in zip(names, pictures, strict=True))


def _fill(job: _Job, progress: Progress) -> list[Filled]:
    """All shards, in the order of the examples."""
    filled: list[Filled] = []
    done = 0
    each: Filled
    for each in job.engine.map(job.plan, job.portions):
        if each.record.ids:
            refuse_missing(place_of(job.plan.folder, job.asked["key"], each.record, job.plan.format))
        filled.append(each)
        done += each.record.count
        progress("computing features", done, len(job.ids))
    return sorted(filled, key=lambda each: each.record.first)


def _file_of(data: Unlabelled) -> Path | None:
    return Path(data) if isinstance(data, str | os.PathLike) else None


def _clear(folder: Path, piece: str, format: str, old: Iterable[ShardRecord], kept: Collection[str]) -> None:
    """Take away the files of shards whose examples have changed since."""
    for each in old:
        if each.sha256 and each.sha256 not in kept:
            with suppress(OSError):
                place_of(folder, piece, each, format).unlink(missing_ok=True)


def _ids(data: Unlabelled, inputs: Inputs) -> tuple[str, ...]:
    """Paths below the folder, or numbers of rows.

    Raises:
        DataError: if one comes twice.
    """
    if not isinstance(inputs.inputs, tuple):
        return tuple(map(str, range(len(inputs))))
    ids = tuple(_relative(data, name) for name in inputs.names)
    twice = _repeated(ids)
    if twice:
        raise DataError(
            f"{counted(len(twice), 'example')} of {inputs.source} {'comes' if len(twice) == 1 else 'come'} twice.",
            [Problem(name, "once", "twice") for name in twice],
            next_step="give each once",
        )
    return ids


def _repeated(ids: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in ids if name in seen or seen.add(name)]  # type: ignore[func-returns-value]


def _relative(data: Unlabelled, name: str) -> str:
    """A name of an example as it lies below the folder that was given; of an address the name as it is."""
    if isinstance(data, str | os.PathLike) and not is_address(name):
        root = Path(data)
        root = root if root.is_dir() else root.parent
        if Path(name).is_relative_to(root):
            return Path(name).relative_to(root).as_posix()
    return name


def _below(data: Unlabelled, problem: Problem) -> Problem:
    return Problem(_relative(data, problem.where), found=problem.found or problem.expected)
