"""The engine of `training` on a Ray cluster: a shard goes to a worker that is free, and again to another if that dies.

A worker has one shard at a time; one that was lost with its shard is started anew by Ray wherever there is room, and
gets no shard before it has woken up. So nothing waits for a machine that has gone, and what was done is done once.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from transfer.errors import Problem, TrainingError
from transfer.scaling.clusters import cluster, load_ray
from transfer.scaling.pools import PAUSE_SECONDS, Pool, Try, died
from transfer.scaling.rooms import Need, look_around, settle_workers
from transfer.scaling.sending import keep, unsent
from transfer.scaling.workers import Answer, Worker
from transfer.training.engines import Lost, Prepare, Tried

TRIES = 3
_LOOK_SECONDS = 5.0
_PATIENCE_SECONDS = 300.0  # a machine that was lost may come back, or another one
_ENDING_SECONDS = 5.0
_SPARE = 1.25  # of the memory that one batch took: shards hold more

_Shard = TypeVar("_Shard")
_Done = TypeVar("_Done")


class RayEngine:
    """Runs work in processes of a cluster whose machines see the same folders; `Engine` of `training.engines`."""

    def __init__(
        self,
        address: str | None = None,
        *,
        workers: int | None = None,
        threads: int = 1,
        gpus: int = 0,
        tries: int = TRIES,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        """Say where.

        Args:
            address: of the cluster, as `scaling.clusters.cluster` takes it.
            workers: how many processes; by default as many as there is room for.
            threads: of each, which each needs a processor for. With one, a worker computes the same bits as one thread
                of any machine of that kind.
            gpus: of each.
            tries: how often a shard is tried whose process dies.
            patience_seconds: how long a cluster may be without any worker.

        Raises:
            TrainingError: if Ray is not installed.
            ValueError: if a number is out of bounds.
        """
        if (workers is not None and workers < 1) or threads < 1 or gpus < 0 or tries < 1:
            raise ValueError(
                f"workers, threads and tries are above 0, gpus not below: {workers=}, {threads=}, {tries=}"
            )
        load_ray()
        self._address, self._workers, self._tries = address, workers, tries
        self._need, self._patience = Need(threads, gpus), patience_seconds
        self._stack = cluster(address)
        self._ray: Any = None
        self._first: _First | None = None

    def __repr__(self) -> str:
        need = self._need
        return f"RayEngine(address={self._address!r}, workers={self._workers}, threads={need.cpus}, gpus={need.gpus})"

    def __enter__(self) -> RayEngine:
        """Connect to the cluster, which is left with the block."""
        self._ray = self._stack.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        """Let the workers end, and leave the cluster."""
        self._drop_first()
        self._stack.__exit__(*error)
        self._ray = None

    def try_out(self, prepare: Prepare[_Shard, _Done], shard: _Shard) -> Tried[_Done]:
        """See `Engine`; in the first worker, by whose memory the others find room.

        Raises:
            TrainingError: if the cluster has no room, the work cannot be sent, or the worker dies.
        """
        ray = self._connected()
        if self._first is None or self._first.prepare is not prepare:
            self._drop_first()
            settle_workers(look_around(), self._need, 1)
            kept = keep(prepare)
            self._first = _First(prepare, kept, self._start())
        try:
            answer: Answer = ray.get(self._first.worker.do.remote([self._first.kept], shard))
        except ray.exceptions.RayTaskError as error:
            self._drop_first()
            raise unsent(error) from error
        except ray.exceptions.RayError as error:
            self._drop_first()
            raise died("The first worker has died while its work was tried.", error) from error
        done = _done(answer)
        self._need = replace(self._need, memory_bytes=int(answer.memory_bytes * _SPARE))
        workers = settle_workers(look_around(), self._need, self._workers, begun=1)
        return Tried(done, answer.seconds, answer.memory_bytes, workers)

    def map(
        self, prepare: Prepare[_Shard, _Done], shards: Iterable[_Shard], *, lost: Lost[_Shard, _Done] | None = None
    ) -> Iterator[_Done]:
        """See `Engine`.

        Raises:
            TrainingError: if the cluster has no room, the work cannot be sent, a shard is lost each time it is tried,
                or no worker is left.
        """
        ray = self._connected()
        first, self._first = self._first, None
        if first is None or first.prepare is not prepare:
            if first is not None:
                ray.kill(first.worker)
            kept, begun = keep(prepare), []
        else:
            kept, begun = first.kept, [first.worker]
        pool, nodes = Pool(ray, kept, begun), look_around()
        free = sum(each.cpus for each in nodes) + self._need.cpus * len(begun)
        try:
            count = settle_workers(nodes, self._need, self._workers, begun=len(begun))
            for _ in range(count - len(begun)):
                pool.add(self._start())
            yield from self._go_through(pool, iter(shards), lost)
        finally:
            pool.end()
            wait_until_free(free)

    def _go_through(self, pool: Pool, shards: Iterator[Any], lost: Lost[Any, Any] | None) -> Iterator[Any]:
        again: deque[Try] = deque()
        alive_at = time.monotonic()
        while True:
            while pool.awake and (one := again.popleft() if again else _next(shards)) is not None:
                pool.give(one)
            if not pool.at_work and not again and (pool.awake or not pool.sleeping):
                return
            for ended in pool.wait(_LOOK_SECONDS):
                if ended.answer is not None:
                    yield _done(ended.answer)
                elif ended.tried.number < self._tries:
                    again.append(Try(ended.tried.shard, ended.tried.number + 1))
                elif lost is not None:
                    yield lost(ended.tried.shard, f"its process died {self._tries} times: {ended.reason}")
                else:
                    raise TrainingError(
                        f"A worker has died each time on the same shard, {self._tries} times.",
                        [Problem(_shown(ended.tried.shard), found=ended.reason)],
                        next_step="see what the shard holds; where memory is short, take fewer workers a machine",
                    )
            if pool.at_work or pool.awake:
                alive_at = time.monotonic()
            elif time.monotonic() - alive_at > self._patience:
                found = [Problem(each.name, f"{self._need} for a worker", str(each)) for each in look_around()]
                raise TrainingError(
                    f"No worker has been left for {self._patience:g} s.",
                    found or [Problem("cluster", f"{self._need} for a worker", "no machine")],
                    next_step="add machines to the cluster, and run the same again: what is done stays",
                )

    def _start(self) -> Any:
        """A new worker, which Ray starts anew whenever its process or machine is lost."""
        ray = self._connected()
        options: dict[str, Any] = {"num_cpus": self._need.cpus, "num_gpus": self._need.gpus, "max_restarts": -1}
        if self._need.memory_bytes:
            options["memory"] = self._need.memory_bytes
        return ray.remote(Worker).options(**options).remote(self._need.cpus, self._need.gpus, module_folders())

    def _connected(self) -> Any:
        if self._ray is None:
            raise ValueError("a RayEngine is connected within its block: with RayEngine(…) as engine")
        return self._ray

    def _drop_first(self) -> None:
        if self._first is not None:
            self._ray.kill(self._first.worker)
            self._first = None


@dataclass(frozen=True, slots=True)
class _First:
    """The worker in which a shard was tried, with what it was told to prepare: as given, and as Ray keeps it."""

    prepare: Any
    kept: Any
    worker: Any


def wait_until_free(cpus: float) -> None:
    """Wait until workers that were told to end have left their room, which takes moments; machines may have gone."""
    until = time.monotonic() + _ENDING_SECONDS
    while time.monotonic() < until and sum(each.cpus for each in look_around()) < cpus:
        time.sleep(PAUSE_SECONDS / 5)


def module_folders() -> list[str]:
    """Where this process looks for modules."""
    return [str(Path(each or ".").absolute()) for each in sys.path]


def _next(shards: Iterator[Any]) -> Try | None:
    for shard in shards:
        return Try(shard)
    return None


def _done(answer: Answer) -> Any:
    """What the work gave; its error is raised here, where it was asked for."""
    if answer.error is not None:
        raise answer.error
    return answer.done


def _shown(shard: Any) -> str:
    return str(getattr(shard, "name", shard))[:80]
