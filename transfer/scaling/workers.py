"""A process of a cluster that does one shard after the other: settled before TensorFlow starts, prepared once."""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from transfer.scaling.clusters import load_ray
from transfer.training.engines import highest_memory


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a shard.

    Attributes:
        done: what the work gave; None where it failed.
        error: that it ended with.
        seconds: that it took.
        memory_bytes: of the process at its highest.
    """

    done: Any
    error: BaseException | None = None
    seconds: float = 0.0
    memory_bytes: int = 0


class Worker:
    """Does the work of `prepare`, with so many threads.

    An error is an answer like any other: a process ends only if something kills it.
    """

    def __init__(self, threads: int, gpus: int, folders: Sequence[str]) -> None:
        """Get ready; TensorFlow starts with the first shard.

        Args:
            threads: to compute with.
            gpus: that are its own; with none it computes on processors, though the machine may have some.
            folders: in which modules are looked for where nothing else has them: those of whoever asks.
        """
        self._threads, self._gpus = threads, gpus
        self._work: Callable[[Any], Any] | None = None
        sys.path += [each for each in folders if each not in sys.path]

    def wake(self) -> int:
        """Number of the process: it is there."""
        return os.getpid()

    def do(self, kept: Sequence[Any], shard: Any) -> Answer:
        """The work on a shard.

        Args:
            kept: what Ray keeps `prepare` by, in a list, so that it is fetched once, and where a failure can be told.
            shard: that is to be done.
        """
        try:
            if self._work is None:
                self._work = self._prepared(kept[0])
            start = time.monotonic()
            done = self._work(shard)
            return Answer(done, None, time.monotonic() - start, highest_memory())
        except Exception as error:  # noqa: BLE001  # told, and raised, where it was asked for
            return Answer(None, portable(error))

    def _prepared(self, kept: Any) -> Callable[[Any], Any]:
        prepare = load_ray().get(kept)
        from transfer.training.devices import hide_gpus, make_repeatable, settle_threads

        if not self._gpus:
            hide_gpus()
        settle_threads(self._threads)
        make_repeatable()
        work: Callable[[Any], Any] = prepare()
        return work


def portable(error: Exception) -> Exception:
    """An error that can be sent, with where it was raised."""
    error.add_note(f"raised in a worker: process {os.getpid()} of {os.uname().nodename}")
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # of this very process
    except Exception:  # noqa: BLE001  # whatever it is, it cannot be sent
        plain = RuntimeError(f"{type(error).__name__}: {error}")
        plain.__notes__ = error.__notes__
        return plain
    return error
