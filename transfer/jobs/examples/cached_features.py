"""Features that one run keeps for others: where, how much of it, and what is done where that cannot be."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from transfer.data.feature_folders import trim_shards
from transfer.training.feature_store import FeatureStore


@dataclass(frozen=True, slots=True)
class Cache:
    """Where features are kept for other runs.

    Attributes:
        folder: of the shards; made when it is needed.
        largest_bytes: that all of it may take after a run, what was used longest ago going first; None for any size.
        is_needed: whether a run fails where nothing can be written there. Else it goes on and says so in its notes.
    """

    folder: Path
    largest_bytes: int | None = None
    is_needed: bool = True


@contextmanager
def open_store(
    cache: Cache | str | os.PathLike[str] | None, *, memory_bytes: int, own_classes: Collection[str] = ()
) -> Iterator[FeatureStore]:
    """A store of features for one run. At its end the cache is trimmed, and other runs may trim what it used.

    Args:
        cache: or its folder alone; None to keep nothing for other runs.
        memory_bytes: for features in memory; past it they lie on the disk.
        own_classes: names of classes of the caller's in the network. Their code may change and no digest tells, so
            that with any of them nothing is kept.
    """
    if cache is not None and not isinstance(cache, Cache):
        cache = Cache(Path(cache))
    if cache is None or own_classes:
        store = FeatureStore(memory_bytes=memory_bytes)
        if cache is not None and cache.is_needed:
            names = ", ".join(sorted(own_classes))
            store.trouble = f"features are not kept for other runs: the code of your own classes may change ({names})"
        yield store
        return
    store = FeatureStore(cache.folder, memory_bytes=memory_bytes, is_needed=cache.is_needed)
    try:
        yield store
    finally:
        store.close()
        if cache.largest_bytes is not None:
            with suppress(OSError):
                trim_shards(cache.folder, cache.largest_bytes)
