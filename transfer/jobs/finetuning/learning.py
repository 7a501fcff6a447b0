"""From a file and a folder to a run: restoring, preparing a student, fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from transfer.data.labelled import LabelledSet
from transfer.jobs.examples.cached_features import Cache
from transfer.jobs.finetuning.finetuning import finetune
from transfer.jobs.students.clock import TimeLimit
from transfer.jobs.students.preparing import Student, prepare_student
from transfer.models.restoring import Restored, restore_file
from transfer.recipes import Recipe
from transfer.results import Run
from transfer.specs import Preprocessing, Progress, Restoring, silent
from transfer.training.feature_store import MEMORY_BYTES
from transfer.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    from transfer.scaling.ray_fitting import RayFitter


@dataclass(frozen=True, slots=True)
class Learning:
    """What is asked of a file and a labelled set.

    Attributes:
        into: name of the original architecture, where the file does not hold it.
        restoring: how the file is brought into the architecture.
        drop_last: number of last layers to drop.
        at: the last layer to keep; with neither, the old classifier goes.
        size: (h, w) of images; by default what the network or its card says.
        preprocessing: of images, or the name of a common way; by default what the card says.
        shots: examples a class to learn from, all others to test on.
        test_share: share to test on otherwise.
        test: examples to test on instead.
        baselines: that the result is held against, as `finetune` takes them.
        benchmark: a strong result, likewise: folder of a run, or a checkpoint.
        recipe: stages and seed.
        devices: that share each batch, likewise.
    """

    into: str | None = None
    restoring: Restoring = field(default_factory=Restoring)
    drop_last: int = 0
    at: str | None = None
    size: tuple[int, int] | None = None
    preprocessing: Preprocessing | str | None = None
    shots: int | None = None
    test_share: float = 0.25
    test: LabelledSet | None = None
    baselines: Literal["cheap", "all"] = "cheap"
    benchmark: str | None = None
    recipe: Recipe = field(default_factory=Recipe)
    devices: int | Literal["all"] | None = None


def prepare_file(file: Checkpoint | str, data: LabelledSet, how: Learning) -> tuple[Restored, Student]:
    """Restore a file, and put a new head for each output of a set on its backbone.

    Raises:
        TransferError: of the kind that fits.
    """
    restored = restore_file(file, how.into, how.restoring)
    student = prepare_student(restored, data.labelling, at=how.at, drop_last=how.drop_last, seed=how.recipe.seed)
    return restored, student


def learn_file(
    file: Checkpoint | str,
    data: LabelledSet,
    out: Path | None,
    how: Learning | None = None,
    *,
    skip_unreadable: bool = False,
    force: bool = False,
    cache: Cache | Path | None = None,
    memory_bytes: int = MEMORY_BYTES,
    fitter: RayFitter | None = None,
    time_limit: TimeLimit | None = None,
    progress: Progress = silent,
    tensorboard: Path | None = None,
    mlflow: str | None = None,
    report: bool = True,
    command: str = "",
) -> Run:
    """Restore a file, put a new head on its backbone, and fine-tune it on a labelled set.

    Args:
        file: a checkpoint, its path, or the name of a shipped one.
        data: labelled examples.
        out: the run's folder; None keeps the run in memory.
        how: what is taken from the file, tested on and trained.
        skip_unreadable: whether damaged pictures are left out.
        force: whether `out` may be replaced.
        cache: where features are kept for other runs; see `finetune`.
        memory_bytes: for features in memory; past it they lie on the disk.
        fitter: workers of a cluster that train; see `finetune`.
        time_limit: by which the run is written, with the best that was found by then.
        progress: told of what is going on.
        tensorboard: a folder for the numbers of each epoch; see `finetune`.
        mlflow: address of a server or store, likewise.
        report: whether a page is written into the run's folder.
        command: what was typed to get the run, to be kept with it.

    Raises:
        TransferError: of the kind that fits.
    """
    how = how or Learning()
    restored, student = prepare_file(file, data, how)
    return finetune(
        student,
        data,
        recipe=how.recipe,
        test=how.test,
        shots=how.shots,
        test_share=how.test_share,
        baselines=how.baselines,
        benchmark=how.benchmark,
        preprocessing=how.preprocessing,
        size=how.size,
        out=out,
        force=force,
        skip_unreadable=skip_unreadable,
        cache=cache,
        memory_bytes=memory_bytes,
        time_limit=time_limit,
        devices=how.devices,
        fitter=fitter,
        receipt=restored.receipt,
        notes=(student.describe(how.recipe),),
        progress=progress,
        tensorboard=tensorboard,
        mlflow=mlflow,
        report=report,
        command=command,
    )
