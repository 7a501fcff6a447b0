"""The workers of a map: those that wait for a shard, those that have one, and those that are started anew."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from transfer.errors import Problem, TrainingError
from transfer.scaling.sending import first_line, unsent
from transfer.scaling.workers import Answer

PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Try:
    """A shard and how often it has been given to a worker, with this time."""

    shard: Any
    number: int = 1


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a try: an answer, or the reason why there is none."""

    tried: Try
    answer: Answer | None
    reason: str = ""


class Pool:
    """The workers of a map.

    Attributes:
        awake: those without a shard.
        at_work: by what they are to give.
        sleeping: those that were started, by what they give when they are awake.
    """

    def __init__(self, ray: Any, kept: Any, awake: Iterable[Any]) -> None:
        self._ray, self._kept = ray, kept
        self.awake = list(awake)
        self.at_work: dict[Any, tuple[Any, Try]] = {}
        self.sleeping: dict[Any, Any] = {}

    def add(self, worker: Any) -> None:
        """Wait for a worker to wake up."""
        self.sleeping[worker.wake.options(max_task_retries=-1).remote()] = worker

    def give(self, tried: Try) -> None:
        """Give a shard to a worker that is awake."""
        worker = self.awake.pop()
        self.at_work[worker.do.remote([self._kept], tried.shard)] = worker, tried

    def wait(self, seconds: float) -> Iterator[Ended]:
        """What has ended by the time that something has, or so many seconds have gone by."""
        ready, _ = self._ray.wait([*self.at_work, *self.sleeping], timeout=seconds)
        for each in ready:
            worker, tried = self.at_work.pop(each, (None, None))
            if tried is None:
                self._wake(each)
                continue
            try:
                answer = self._ray.get(each)
            except self._ray.exceptions.RayTaskError as error:
                self.awake.append(worker)
                raise unsent(error) from error
            except self._ray.exceptions.RayError as error:
                self.add(worker)
                yield Ended(tried, None, first_line(error))
            else:
                self.awake.append(worker)
                yield Ended(tried, answer)

    def _wake(self, one: Any) -> None:
        worker = self.sleeping.pop(one)
        try:
            self._ray.get(one)
        except self._ray.exceptions.RayError as error:
            if not isinstance(error, self._ray.exceptions.ActorUnavailableError) and "creation task" in str(error):
                raise died("A worker cannot be started.", error) from error
            time.sleep(PAUSE_SECONDS)
            self.add(worker)
        else:
            self.awake.append(worker)

    def end(self) -> None:
        """Let all workers end."""
        for worker in {id(each): each for each in self._all()}.values():
            self._ray.kill(worker)

    def _all(self) -> Iterator[Any]:
        yield from self.awake
        yield from (worker for worker, _ in self.at_work.values())
        yield from self.sleeping.values()


def died(what: str, error: BaseException) -> TrainingError:
    """The error for a worker that has ended by itself, or never began."""
    return TrainingError(
        what,
        [Problem("worker", found=first_line(error))],
        next_step="install the same h5transfer[ray] on every machine, and see the log of the worker in Ray's folder",
    )
