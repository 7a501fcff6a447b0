"""Features that were computed once and are kept: in memory within a budget, in files past it or for the next run.

    store = FeatureStore(folder, memory_bytes=2**30)     # or FeatureStore(): nothing outlives the store
    rows = store.compute(piece, keys, batches, progress)
    rows.read(np.array([7, 3, 3]))                       # (3, …), from memory or from the disk
    rows.failures                                        # what could not be read, as (place, problem)

A row is found again by its key (see `feature_keys`), so one that is there is right: nothing is ever looked up by name
or by date. Examples of one key are computed once. With a folder, rows are written as they come, in shards that appear
whole (see `data.feature_shards`): several processes may use one folder at once, and what a killed one had written
serves the next. What a store works on it holds until it is closed, so that nobody takes it away (see
`data.feature_folders`).
"""

from __future__ import annotations

import tempfile
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from transfer.data.feature_folders import Hold, hold_piece
from transfer.data.feature_shards import KEY, Shard, find_shards, write_shard
from transfer.data.loading import ImageBatch
from transfer.errors import OutputError, Problem
from transfer.specs import Progress, silent
from transfer.training.feature_rows import Batches, Held, Rows
from transfer.training.running_ahead import run_ahead

MEMORY_BYTES = 2**30
_SHARD_BYTES = 2**23
_SHARDS_WITHIN = 8  # a shard is filled in memory, so it is small beside the budget
_PATIENCE = 60.0  # seconds after which a shard is written though it is not full


class Computing(Protocol):
    """A piece of a network, as a store needs it: `prefixing.Piece` is one."""

    @property
    def key(self) -> str:
        """What decides what it gives for an example, as hex digits."""

    def run(self, batch: NDArray[Any], /) -> NDArray[Any]:
        """Features of some examples, (b, …), float32 or bytes; after its first call two threads may call it at once."""


class FeatureStore:
    """Rows of features by key. One thread uses it at a time; any number of stores may share a folder.

    Attributes:
        shard_bytes: rows of that size are kept together.
        trouble: why rows are not kept for other runs, though they should be; empty where they are.
    """

    def __init__(self, folder: Path | None = None, *, memory_bytes: int = MEMORY_BYTES, is_needed: bool = True) -> None:
        """Open a store.

        Args:
            folder: where rows are kept for other runs; made when it is needed. None to keep them in memory, and past
                the budget in a temporary folder that goes with the store.
            memory_bytes: budget for rows in memory. Beside it stand the batches at work and up to four shards.
            is_needed: whether it is an error where rows cannot be written into that folder. Else the store goes on
                without it, and says so in `trouble`.
        """
        self._folder = folder
        self._is_lasting = folder is not None
        self._is_needed = is_needed
        self._holds: dict[str, Hold | None] = {}
        self.trouble = ""
        self._memory_bytes = memory_bytes
        self.shard_bytes = max(1, min(_SHARD_BYTES, memory_bytes // _SHARDS_WITHIN))
        self._held: dict[str, list[Held]] = {}

    def compute(
        self,
        piece: Computing,
        keys: Sequence[str],
        batches: Batches,
        progress: Progress = silent,
        *,
        in_memory: bool = True,
    ) -> Rows:
        """The features of some examples under a piece of a network: those that are kept, and the others computed.

        Args:
            piece: what computes them.
            keys: one for each example, of this piece; see `feature_keys.example_keys`.
            batches: gives the examples at some places, in that order, in batches of at most the piece's size. It is
                asked once, for those that are missing, and not at all where none is. Examples that it could not read
                are not kept.
            progress: told how many are done of those that have to be computed.
            in_memory: whether they may stay there; else they wait on the disk, and leave the memory to others.

        Raises:
            ValueError: if there are no examples, or `batches` does not give those that it was asked for.
            OutputError: if a shard cannot be written.
            LayerError: if the piece cannot be built.
        """
        if not len(keys):
            raise ValueError("there are no examples to compute features of")
        self._find(piece.key)
        work = _Wanted(keys)
        work.take_up(self._held[piece.key])
        row_shape: tuple[int, ...] = ()
        if len(missing := work.missing()):
            computed = _Computed(self, piece.key, in_memory=in_memory)
            try:
                for batch, values in run_ahead(piece.run, batches(missing)):
                    own = [keys[place] for place in missing[batch.first :][: len(batch.images)]]
                    computed.take(batch, values, own)
                    progress("computing features", computed.count, len(missing))
            finally:
                computed.flush()
            if computed.count != len(missing):
                raise ValueError(f"{computed.count} examples came where {len(missing)} were asked for")
            work.take_up(self._held[piece.key])
            work.failed, row_shape = computed.failed, computed.row_shape
        rows = work.rows(self._held[piece.key], row_shape, self)
        if in_memory:
            self._fit(rows.held)
        return rows

    def keep(self, piece: str, keys: Sequence[str], values: NDArray[Any], *, in_memory: bool = True) -> None:
        """Keep rows (m, …), m > 0, of the piece of that key; in memory where they may stay there.

        Raises:
            OutputError: if they cannot be written.
        """
        held = Held(piece, np.array(keys, KEY), values)
        several = self._held.setdefault(piece, [])
        several.append(held)
        if self._is_lasting:
            held.shard = self._write_lasting(held)
        if not in_memory:
            self._put_down(held)
            return
        self._fit([each for each in several if each.values is not None])

    @property
    def is_lasting(self) -> bool:
        """Whether rows are kept for other runs."""
        return self._is_lasting

    def close(self) -> None:
        """Say that the kept rows are no longer needed here: other processes may take them away from then on."""
        for hold in self._holds.values():
            if hold is not None:
                hold.release()

    def _find(self, piece: str) -> None:
        """Look for shards that are not known yet, of earlier runs or of other processes."""
        several = self._held.setdefault(piece, [])
        if self._is_lasting:
            self._hold(piece)
            known = {each.shard.path.name for each in several if each.shard is not None}
            several += [Held(piece, each.keys, None, each) for each in find_shards(self._place(piece), known)]

    def _hold(self, piece: str) -> None:
        if self._holds.get(piece) is None:
            self._holds[piece] = hold_piece(self._place(piece))

    def _write_lasting(self, held: Held) -> Shard | None:
        """A shard for other runs; None where it cannot be written and need not be."""
        if held.values is None:
            raise ValueError("rows that are written are in memory")
        place = self._place(held.piece)
        with suppress(OSError):  # writing says why
            place.mkdir(parents=True, exist_ok=True)
        self._hold(held.piece)
        try:
            return write_shard(place, held.keys, held.values)
        except OutputError as error:
            if self._is_needed:
                raise OutputError(
                    f"Features cannot be kept: {error.summary}",
                    error.problems,
                    next_step="free some space, or name another folder for them (--cache, cache=…), or none",
                ) from error
            self.trouble = f"features are not kept for other runs: {error.summary}"
            self._is_lasting, self._folder = False, None
            return None

    def _fit(self, wanted: Sequence[Held]) -> None:
        """Stay within the budget: what is wanted now is in memory first, in order, then what happens to be there."""
        chosen = {id(each) for each in wanted}
        others = [each for several in self._held.values() for each in several if id(each) not in chosen]
        room = self._memory_bytes
        for each in (*wanted, *(each for each in others if each.values is not None)):
            if each.size_bytes > room:
                self._put_down(each)
                continue
            room -= each.size_bytes
            if each.values is None:
                each.values = each.read(np.arange(each.shape[0]))

    def _put_down(self, held: Held) -> None:
        if held.values is not None and held.shard is None:
            held.shard = write_shard(self._place(held.piece), held.keys, held.values)
        held.values = None

    def _place(self, piece: str) -> Path:
        if self._folder is None:
            temporary = tempfile.TemporaryDirectory(prefix="transfer-features-")
            weakref.finalize(self, temporary.cleanup)
            self._folder = Path(temporary.name)
        return self._folder / piece[:32]


class _Wanted:
    """What is asked for, and where it was found.

    Attributes:
        failed: what is wrong with examples that could not be read, by key.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        self._number_of = np.array([self._numbers[key] for key in keys], np.int64)
        self._part = np.full(len(self._numbers), -1, np.int32)
        self._place = np.zeros(len(self._numbers), np.int64)
        self._looked_at = 0
        self.failed: dict[str, Problem] = {}

    def take_up(self, held: Sequence[Held]) -> None:
        """Note where rows are; of two for one key the first serves."""
        for part in range(self._looked_at, len(held)):
            for place, key in enumerate(held[part].keys.tolist()):
                number = self._numbers.get(key.decode("ascii"), -1)
                if number >= 0 and self._part[number] < 0:
                    self._part[number], self._place[number] = part, place
        self._looked_at = len(held)

    def missing(self) -> NDArray[np.int64]:
        """For each key that was not found, the first place in the set that has it."""
        first = np.unique(self._number_of, return_index=True)[1]
        return np.asarray(first[self._part < 0], np.int64)

    def rows(self, held: Sequence[Held], row_shape: tuple[int, ...], store: object) -> Rows:
        """What was found.

        Args:
            held: as it was taken up.
            row_shape: of one example, where none was found.
            store: that keeps them.
        """
        used = np.unique(self._part[self._part >= 0])
        shapes = {held[part].shape[1:] for part in used.tolist()} or {row_shape}
        if len(shapes) > 1:
            raise ValueError(f"rows of one piece have one shape, not {sorted(shapes)}")
        among = np.where(self._part < 0, -1, np.searchsorted(used, self._part)).astype(np.int32)
        part, place = among[self._number_of], self._place[self._number_of]
        failures = tuple((k, self.failed[self._keys[k]]) for k in np.flatnonzero(part < 0).tolist())
        return Rows(tuple(held[each] for each in used.tolist()), part, place, shapes.pop(), failures, store)


class _Computed:
    """Rows on their way into a store.

    Attributes:
        count: examples that came, those that could not be read among them.
        row_shape: of one example.
        failed: what is wrong with examples that could not be read, by key.
    """

    def __init__(self, store: FeatureStore, piece: str, *, in_memory: bool) -> None:
        self._store, self._piece, self._in_memory = store, piece, in_memory
        self._waiting: list[tuple[list[str], NDArray[np.float32]]] = []
        self._since = time.monotonic()
        self.count = 0
        self.row_shape: tuple[int, ...] = ()
        self.failed: dict[str, Problem] = {}

    def take(self, batch: ImageBatch, values: NDArray[Any], keys: Sequence[str]) -> None:
        """Take the rows of a batch, and keep what is waiting where it fills a shard."""
        bad = {place - batch.first: problem for place, problem in batch.failures}
        self.failed |= {keys[place]: problem for place, problem in bad.items()}
        good = [place for place in range(len(keys)) if place not in bad]
        self._waiting.append(([keys[place] for place in good], values[good]))
        self.count, self.row_shape = self.count + len(keys), values.shape[1:]
        if sum(rows.nbytes for _, rows in self._waiting) >= self._store.shard_bytes or self._has_waited():
            self.flush()

    def flush(self) -> None:
        """Hand over what is waiting."""
        waiting, self._waiting = self._waiting, []
        keys = [key for some, _ in waiting for key in some]
        if keys:
            rows = np.concatenate([rows for _, rows in waiting])
            self._store.keep(self._piece, keys, rows, in_memory=self._in_memory)
        self._since = time.monotonic()

    def _has_waited(self) -> bool:
        return time.monotonic() - self._since > _PATIENCE
