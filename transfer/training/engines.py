"""Mapping work over shards: the seam between what a job does with a shard and where that happens."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

_Shard = TypeVar("_Shard")
_Done = TypeVar("_Done")

Prepare = Callable[[], Callable[[_Shard], _Done]]
Lost = Callable[[_Shard, str], _Done]


@dataclass(frozen=True, slots=True)
class Tried(Generic[_Done]):
    """One shard, done to see what it costs.

    Attributes:
        done: what the work gave for it.
        seconds: that it took, without preparing.
        memory_bytes: that the process which did it had taken at its highest by then; 0 where the system does not tell.
        workers: how many there will be to do the others at once.
    """

    done: _Done
    seconds: float
    memory_bytes: int
    workers: int


class Engine(Protocol):
    """What runs a job's work: here, or on several machines that see the same folders.

    What is handed over, and what comes back, are plain values that can be pickled.
    """

    def try_out(self, prepare: Prepare[_Shard, _Done], shard: _Shard) -> Tried[_Done]:
        """Do one shard where all will be done; what was prepared for it serves a `map` of the same `prepare`."""

    def map(
        self, prepare: Prepare[_Shard, _Done], shards: Iterable[_Shard], *, lost: Lost[_Shard, _Done] | None = None
    ) -> Iterator[_Done]:
        """What the work gives for each shard, in any order, as it is done; an error of the work ends it.

        Args:
            prepare: makes the work, once wherever it is done: networks are built there.
            shards: what there is to do.
            lost: what there is of a shard whose process died each time it was tried, by the reason; by default that is
                an error.
        """


class LocalEngine:
    """In this process, one shard after the other; the work itself keeps the processors busy."""

    def __init__(self) -> None:
        """Nothing is prepared."""
        self._prepared: tuple[Any, Any] = None, None

    def try_out(self, prepare: Prepare[_Shard, _Done], shard: _Shard) -> Tried[_Done]:
        """See `Engine`."""
        work = self._work(prepare)
        start = time.monotonic()
        done = work(shard)
        return Tried(done, time.monotonic() - start, highest_memory(), 1)

    def map(
        self,
        prepare: Prepare[_Shard, _Done],
        shards: Iterable[_Shard],
        *,
        lost: Lost[_Shard, _Done] | None = None,  # noqa: ARG002  # this process dies with its work
    ) -> Iterator[_Done]:
        """See `Engine`; in the order of the shards."""
        yield from map(self._work(prepare), shards)

    def _work(self, prepare: Prepare[_Shard, _Done]) -> Callable[[_Shard], _Done]:
        if self._prepared[0] is not prepare:
            self._prepared = prepare, prepare()
        work: Callable[[_Shard], _Done] = self._prepared[1]
        return work


def highest_memory() -> int:
    """Bytes that this process had in memory at most; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024
