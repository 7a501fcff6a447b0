"""What computing features needs, how long it should take and what it writes: said before it begins."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from transfer.errors import OutputError, Problem
from transfer.jobs.features.filling_shards import FillingPlan
from transfer.jobs.features.shard_portions import Portion, Rehearse
from transfer.specs import Json
from transfer.tabulating import Part, counted, format_parts
from transfer.training.engines import Engine

_MIB, _GIB = 2**20, 2**30
_BESIDE_BYTES = 120  # a row's key, id and place in the manifest


@dataclass(frozen=True, slots=True)
class FeatureEstimate:
    """What some examples need, by a few batches of them that were read and run for the second time.

    Attributes:
        examples: that are to be computed.
        shards: that they come in, each of which is the work of one worker.
        seconds_each: for one of them in one worker.
        workers: that there is room for.
        memory_bytes: that one took at its highest, with room for the rows of a shard; 0 where it is not known.
        written_bytes: of all their features.
        free_bytes: on the disk that they go to.
    """

    examples: int
    shards: int
    seconds_each: float
    workers: int
    memory_bytes: int
    written_bytes: int
    free_bytes: int

    @property
    def seconds(self) -> float:
        """For all, a shard after the other in each worker, where workers lose nothing to each other."""
        rounds = -(-self.shards // self.workers)
        return self.examples * self.seconds_each * rounds / max(self.shards, 1)

    def __str__(self) -> str:
        return format_parts(self.parts)

    @property
    def parts(self) -> Iterator[Part]:
        """The lines in print."""
        at_work = max(1, min(self.workers, self.shards))
        idle = (
            f"; {self.workers:,} would find work with smaller --shard-rows"
            if self.workers > at_work and self.shards
            else ""
        )
        work = f"{counted(self.examples, 'example')} in {counted(self.shards, 'shard')}"
        time = f"{_duration(self.seconds)} with {counted(at_work, 'worker')}"
        yield f"to do     {work}, {self.seconds_each * 1000:.3g} ms each: {time}{idle}"
        memory = f"{self.memory_bytes / _GIB:.1f} GiB a worker; " if self.memory_bytes else ""
        yield f"needs     {memory}{_size(self.written_bytes)} on the disk, which has {_size(self.free_bytes)} free"

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "examples": self.examples,
            "shards": self.shards,
            "seconds_each": self.seconds_each,
            "seconds": self.seconds,
            "workers": self.workers,
            "memory_bytes": self.memory_bytes,
            "written_bytes": self.written_bytes,
            "free_bytes": self.free_bytes,
        }


def estimate_work(
    engine: Engine, plan: FillingPlan, first: Portion, missing: Sequence[Portion], shard_rows: int
) -> FeatureEstimate:
    """Try a few batches where all will be done.

    Args:
        engine: that does it.
        plan: of the work.
        first: with some examples.
        missing: what is to be computed.
        shard_rows: examples of a shard.

    Raises:
        TrainingError: if a cluster has too little room.
    """
    examples = sum(len(each.ids) for each in missing)
    tried = engine.try_out(plan, Rehearse(first.ids, first.pictures, shard_rows, first.addresses))
    written = examples * (tried.done.row_bytes + _BESIDE_BYTES)
    there = next(each for each in (plan.folder.absolute(), *plan.folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(there).free
    done, room = tried.done, tried.workers
    return FeatureEstimate(examples, len(missing), done.seconds, room, tried.memory_bytes, written, free)


def refuse_full_disk(estimate: FeatureEstimate, folder: Path) -> None:
    """Refuse to begin what the disk has no room for.

    Raises:
        OutputError: if so, with how much is missing.
    """
    missing = estimate.written_bytes - estimate.free_bytes
    if missing > 0:
        raise OutputError(
            f"The disk of {folder} has too little room for these features: {_size(missing)} are missing.",
            [Problem(str(folder), f"{_size(estimate.written_bytes)} free", _size(estimate.free_bytes))],
            next_step="free some space, choose another disk with -o (out=…), or cut where features are smaller: --at",
        )


def _size(count: float) -> str:
    return f"{count / _GIB:,.1f} GiB" if count >= _GIB else f"{count / _MIB:,.1f} MiB"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:,.3g} h"
