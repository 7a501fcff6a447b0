"""Training on several machines: Ray Train starts the workers, and each takes its rows of every batch.

Every worker has a copy of the weights, goes through the same batches in the same order, and works on its own rows of
each; gradients are added up over all before any weight moves (`MultiWorkerMirroredStrategy`). So the weights are those
of one device, but for rounding. The first worker tells what goes on and gives the weights back. Where a worker dies,
all are started anew and go on from the last state, which lies with whoever asked.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from transfer.errors import Problem, TrainingError
from transfer.models.building import read_model
from transfer.models.variables import assign_variables
from transfer.scaling.clusters import cluster, load_ray
from transfer.scaling.interrupting import kept_handlers
from transfer.scaling.lesson_post import Ended, LessonPost
from transfer.scaling.lesson_workers import Part, take_part
from transfer.scaling.ray_engine import module_folders
from transfer.scaling.rooms import Need, look_around, settle_workers
from transfer.scaling.sending import keep
from transfer.scaling.shipped_rows import ship_rows
from transfer.specs import Progress
from transfer.training.fitting import Fit
from transfer.training.history import Watch, unwatched
from transfer.training.lessons import Lesson

TRIES = 3
_LOOK_SECONDS = 0.2


class RayFitter:
    """Trains in processes of a Ray cluster; `Fitter` of `training.lessons`.

    Attributes:
        workers: processes that share each batch.
        gpus: of each.
    """

    def __init__(
        self, workers: int, address: str | None = None, *, threads: int = 1, gpus: int = 0, tries: int = TRIES
    ) -> None:
        """Say where.

        Args:
            workers: processes that share each batch; their number changes rounding, so it is part of what is asked.
            address: of the cluster, as `RayEngine` takes it.
            threads: of each, which each needs a processor for.
            gpus: of each.
            tries: how often the workers are started before their deaths are an error.

        Raises:
            TrainingError: if Ray is not installed.
            ValueError: if a number is out of bounds.
        """
        if workers < 1 or threads < 1 or gpus < 0 or tries < 1:
            raise ValueError(
                f"workers, threads and tries are above 0, gpus not below: {workers=}, {threads=}, {tries=}"
            )
        load_ray("ray.train")
        self.workers, self.gpus = workers, gpus
        self._address, self._threads, self._tries = address, threads, tries
        self._stack = cluster(address)
        self._ray: Any = None

    def __repr__(self) -> str:
        return (
            f"RayFitter(workers={self.workers}, address={self._address!r}, threads={self._threads}, gpus={self.gpus})"
        )

    def __enter__(self) -> RayFitter:
        """Connect to the cluster, and see that it has room.

        Raises:
            TrainingError: if no cluster answers, or it has too little room, with how much is missing.
        """
        self._ray = self._stack.__enter__()
        try:
            self._see_room()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        """Leave the cluster."""
        self._stack.__exit__(*error)
        self._ray = None

    def _see_room(self) -> None:
        settle_workers(look_around(), Need(self._threads, self.gpus), self.workers)

    def __call__(
        self,
        model: keras.Model,
        lesson: Lesson,
        *,
        heads: Sequence[str],
        seed: int,
        state_folder: Path | None,
        custom_objects: Mapping[str, Any],
        progress: Progress,
        watch: Watch = unwatched,
    ) -> Fit:
        """Train a model; it has the workers' weights then.

        Args:
            model: features to logits, flagged as the stage asks.
            lesson: what it learns from.
            heads: names of the layers that give the logits.
            seed: of all that is drawn.
            state_folder: for the states of all lessons, here; None keeps them as long as the lesson lasts.
            custom_objects: classes of the caller's in the model, by name; their modules are on every machine.
            progress: told of each epoch.
            watch: given each epoch, with the lesson's name.

        Raises:
            NotFiniteError: if a step is not finite; the model has the weights before it.
            LayerError: if a frozen tensor has changed.
            TrainingError: if the cluster has no room, the model cannot be sent, or workers die each time they are
                started.
        """
        if self._ray is None:
            raise ValueError("a RayFitter is connected within its block: with RayFitter(2) as fitter")
        self._see_room()
        read = read_model(model)
        part = Part(
            replace(read, tensors=dict(read.tensors)),
            _shipped(lesson),
            tuple(heads),
            seed,
            dict(custom_objects),
        )
        folder = str(Path(state_folder / lesson.name).absolute()) if state_folder is not None else None
        post = self._post(folder, lesson.deadline)
        try:
            with _told(self._ray, post, progress, watch):
                ended = self._run(post, keep(part))
        finally:
            self._ray.kill(post)
        if ended.values:
            assign_variables(model, ended.values)
        if ended.error is not None:
            raise ended.error
        if ended.fit is None:
            raise ValueError("training ends with a result or an error")
        return ended.fit

    def _post(self, folder: str | None, deadline: float | None) -> Any:
        """On this machine, where the folder and the clock are."""
        strategies = load_ray("ray.util.scheduling_strategies")
        here = strategies.NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=False)
        return self._ray.remote(LessonPost).options(num_cpus=0, scheduling_strategy=here).remote(folder, deadline)

    def _run(self, post: Any, part: Any) -> Ended:
        """Have the workers take their parts.

        Raises:
            TrainingError: if they die each time.
        """
        train, trainers = load_ray("ray.train"), load_ray("ray.train.tensorflow")
        settings = {
            "part": [part],
            "post": post,
            "threads": self._threads,
            "gpus": self.gpus,
            "devices": self.workers * max(1, self.gpus),
            "folders": module_folders(),
        }
        resources = {"CPU": self._threads, **({"GPU": self.gpus} if self.gpus else {})}
        failed: BaseException | None = None
        with tempfile.TemporaryDirectory(prefix="transfer-ray-train-", ignore_cleanup_errors=True) as scratch:
            trainer = trainers.TensorflowTrainer(
                take_part,
                train_loop_config=settings,
                scaling_config=train.ScalingConfig(
                    num_workers=self.workers, use_gpu=self.gpus > 0, resources_per_worker=resources
                ),
                run_config=train.RunConfig(
                    name="lesson",
                    storage_path=scratch,
                    failure_config=train.FailureConfig(max_failures=self._tries - 1),
                ),
            )
            try:
                _uninterrupted(trainer.fit)
            except train.TrainingFailedError as error:
                failed = error
        ended: Ended | None = self._ray.get(post.ended.remote())
        if ended is None:
            raise TrainingError(
                f"The workers were started {self._tries} times, and one has died each time.",
                [Problem("worker", found=_last_line(failed))],
                "take fewer workers a machine where memory is short; what was reached stays with -o RUN (out=…)",
            ) from failed
        return ended


def _shipped(lesson: Lesson) -> Lesson:
    """A lesson as it goes to other machines."""
    validation = lesson.validation
    return replace(
        lesson,
        rows=ship_rows(lesson.rows),
        validation=None if validation is None else (ship_rows(validation[0]), validation[1]),
        deadline=None,
        stepping=None,
        runner=None,
    )


def _uninterrupted(fit: Callable[[], Any]) -> None:
    """Run Ray's `fit`, which ends its workers at Ctrl-C and then the process; here that is an interruption as ever."""
    try:
        with kept_handlers():
            fit()
    except SystemExit as error:
        raise KeyboardInterrupt from error


@contextmanager
def _told(ray: Any, post: Any, progress: Progress, watch: Watch) -> Iterator[None]:
    """Tell what workers tell the post, for a while; each epoch once, also where they were started anew."""
    over, troubles, told = threading.Event(), list[Exception](), 0

    def collect() -> None:
        nonlocal told
        for kind, values in ray.get(post.collect.remote()):
            if kind == "progress":
                progress(*values)
            elif values[1].number > told:
                told = values[1].number
                watch(*values)

    def listen() -> None:
        while not over.wait(_LOOK_SECONDS):
            try:
                collect()
            except Exception as error:  # noqa: BLE001  # raised below, in the thread of whoever asked
                troubles.append(error)
                return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if troubles:
        raise troubles[0]
    collect()


def _last_line(error: BaseException | None) -> str:
    lines = [line.strip() for line in str(error or "").splitlines() if line.strip()]
    return lines[-1] if lines else "no reason is told"
