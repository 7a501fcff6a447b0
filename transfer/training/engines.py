"""Mapping work over shards: the seam between what a job does with a shard and where that happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

_Shard = TypeVar("_Shard")
_Done = TypeVar("_Done")


class Engine(Protocol):
    """What runs a job's work: here, or on several machines that see the same folders."""

    def map(self, prepare: Callable[[], Callable[[_Shard], _Done]], shards: Iterable[_Shard]) -> Iterator[_Done]:
        """What the work gives for each shard, in any order, as it is done; an error of the work ends it.

        Args:
            prepare: makes the work, once wherever it is done: networks are built there.
            shards: what there is to do, as plain values.
        """


class LocalEngine:
    """In this process, one shard after the other; the work itself keeps the processors busy."""

    def map(self, prepare: Callable[[], Callable[[_Shard], _Done]], shards: Iterable[_Shard]) -> Iterator[_Done]:
        """See `Engine`; in the order of the shards."""
        yield from map(prepare(), shards)
