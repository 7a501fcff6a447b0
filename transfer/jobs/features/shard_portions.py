"""What is asked of the work on features, and what it answers: plain values, which go to other machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from transfer.data.feature_records import ShardRecord


@dataclass(frozen=True, slots=True)
class Describe:
    """Asks what computes."""


@dataclass(frozen=True, slots=True, eq=False)
class Rehearse:
    """Asks what some examples cost, a few batches of them at most; nothing is written.

    Attributes:
        ids: of the first examples.
        pictures: where they lie; None for rows of arrays.
        shard_rows: examples of a shard, for which there has to be memory.
        addresses: by id, of those that are to be fetched.
    """

    ids: tuple[str, ...]
    pictures: tuple[Path, ...] | None
    shard_rows: int
    addresses: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What examples cost.

    Attributes:
        seconds: for one of them, read and run.
        row_bytes: of its features.
    """

    seconds: float
    row_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Portion:
    """Asks for a shard.

    Attributes:
        first: place of its first example among all.
        ids: of its examples.
        pictures: where they lie; None for rows of arrays.
        known: what was done before; None for nothing.
        key: of the piece that is to compute: one with another would give other bits.
        addresses: by id, of those that are to be fetched.
    """

    first: int
    ids: tuple[str, ...]
    pictures: tuple[Path, ...] | None
    known: ShardRecord | None
    key: str
    addresses: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Filled:
    """A shard that is there.

    Attributes:
        record: of it.
        computed: how many rows were computed for it; 0 where it was there.
    """

    record: ShardRecord
    computed: int


Asked = Describe | Rehearse | Portion
