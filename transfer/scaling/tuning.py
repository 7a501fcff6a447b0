"""The engine of `training` by Ray Tune: each piece of work is a trial, in a process that is kept for the next.

Which trials there are is settled before Tune sees them: it chooses nothing, gives them room, and starts one anew whose
process died. What it knows of them lies in a folder that all machines see, where its own tools look.
"""

from __future__ import annotations

import base64
import logging
import os
import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from transfer.errors import Problem, TrainingError
from transfer.scaling.clusters import load_ray
from transfer.scaling.interrupting import kept_handlers
from transfer.scaling.ray_engine import TRIES, RayEngine, module_folders, wait_until_free
from transfer.scaling.rooms import Need, look_around, settle_workers
from transfer.scaling.sending import keep
from transfer.scaling.workers import Answer, Worker
from transfer.training.engines import Lost, Prepare

_PLACE, _ANSWER = "place", "answer"
_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # an answer is no number that a log could show
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
}

_Shard = TypeVar("_Shard")
_Done = TypeVar("_Done")


class TuneEngine(RayEngine):
    """Runs work as trials of Ray Tune; `Engine` of `training.engines`, whose answers come when all are done."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        address: str | None = None,
        *,
        workers: int | None = None,
        threads: int = 1,
        gpus: int = 0,
        tries: int = TRIES,
    ) -> None:
        """Say where.

        Args:
            folder: in which Tune keeps what it knows of the trials; all machines see it.
            address: of the cluster; as are the others, see `RayEngine`.
            workers: how many processes.
            threads: of each.
            gpus: of each.
            tries: how often a piece of work is tried whose process dies.

        Raises:
            TrainingError: if Ray is not installed.
            ValueError: if a number is out of bounds.
        """
        super().__init__(address, workers=workers, threads=threads, gpus=gpus, tries=tries)
        load_ray("ray.tune")
        self._folder, self._asked, self._most = Path(folder).absolute(), Need(threads, gpus), workers

    def map(
        self, prepare: Prepare[_Shard, _Done], shards: Iterable[_Shard], *, lost: Lost[_Shard, _Done] | None = None
    ) -> Iterator[_Done]:
        """See `Engine`; in the order of the shards.

        Raises:
            TrainingError: if the cluster has no room, or a trial is lost each time it is tried.
            KeyboardInterrupt: at Ctrl-C; trials that were under way are tried anew by who asks again.
        """
        self._connected()
        tune, listed = load_ray("ray.tune"), list(shards)
        nodes = look_around()
        count = settle_workers(nodes, self._asked, self._most)
        worker = (self._asked.cpus, self._asked.gpus, module_folders())
        kept = {"kept": [keep(prepare)], "listed": listed, "worker": worker}
        trial = tune.with_resources(
            tune.with_parameters(_trial_of(tune), **kept), {"cpu": self._asked.cpus, "gpu": self._asked.gpus}
        )
        with _settled(), kept_handlers():
            grid = tune.Tuner(
                trial,
                param_space={_PLACE: tune.grid_search(list(range(len(listed))))},
                tune_config=tune.TuneConfig(max_concurrent_trials=count, reuse_actors=True),
                run_config=tune.RunConfig(
                    storage_path=str(self._folder),
                    name=f"round_{len(list(self._folder.glob('round_*')))}",
                    failure_config=tune.FailureConfig(max_failures=self._tries - 1),
                    verbose=0,
                ),
            ).fit()
        wait_until_free(sum(each.cpus for each in nodes))
        if len(grid) < len(listed) or any(_is_cut_off(each) for each in grid):
            raise KeyboardInterrupt  # which Tune takes for an end like any other
        for shard, result in zip(listed, grid, strict=True):
            yield self._answer(result, shard, lost)

    def _answer(self, result: Any, shard: Any, lost: Lost[Any, Any] | None) -> Any:
        """What the work gave; its error is raised here, where it was asked for."""
        text = (result.metrics or {}).get(_ANSWER)
        if text is not None:
            answer: Answer = pickle.loads(base64.b64decode(text))  # noqa: S301  # of our own workers
            if answer.error is not None:
                raise answer.error
            return answer.done
        lines = str(result.error).strip().splitlines()
        if any("creation task" in each for each in lines):
            raise TrainingError(
                "A worker cannot be started.",
                [Problem("worker", found=lines[-1].strip())],
                next_step="install the same h5transfer[ray] on every machine",
            )
        if lost is not None:
            return lost(shard, f"its process died {self._tries} times: {lines[0].strip()}")
        raise TrainingError(
            f"A trial was lost each time it was tried, {self._tries} times.",
            [Problem(str(shard)[:80], found=lines[0].strip())],
            next_step="see what it does; where memory is short, take fewer workers a machine",
        )


def _is_cut_off(result: Any) -> bool:
    """Whether a trial has neither ended nor failed."""
    return result.error is None and _ANSWER not in (result.metrics or {})


def _trial_of(tune: Any) -> type:
    """A class of Tune's own kind, which can be made once Tune is there."""

    class Trial(tune.Trainable):  # type: ignore[misc]
        """One shard after the other, in a process that is prepared once."""

        def setup(
            self, config: dict[str, Any], kept: list[Any], listed: list[Any], worker: tuple[int, int, list[str]]
        ) -> None:
            self._listed, self._place = listed, config[_PLACE]
            self._kept, self._worker = kept, Worker(*worker)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self._place = new_config[_PLACE]
            return True

        def step(self) -> dict[str, Any]:
            answer: Answer = self._worker.do(self._kept, self._listed[self._place])
            return {_ANSWER: base64.b64encode(pickle.dumps(answer)).decode(), "done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """Nothing is kept: a trial that was lost begins anew."""

        def load_checkpoint(self, checkpoint: Any) -> None:
            """Nothing was kept."""

    return Trial


@contextmanager
def _settled() -> Iterator[None]:
    """Without Tune's lines and logs, as long as it works."""
    before = {name: os.environ.get(name) for name in _SETTINGS}
    os.environ.update(_SETTINGS)
    loggers = [logging.getLogger(name) for name in ("ray.tune", "ray.train", "ray.air")]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
