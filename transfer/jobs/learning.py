"""From a file and a folder to a run: restoring, preparing a student, fine-tuning."""

from __future__ import annotations

from pathlib import Path

from transfer.data.labelled import LabelledSet
from transfer.jobs.finetuning import finetune
from transfer.jobs.preparing import prepare_student
from transfer.models.restoring import restore_file
from transfer.recipes import Recipe
from transfer.results import Run
from transfer.specs import Preprocessing, Progress, Restoring, silent
from transfer.training.feature_store import MEMORY_BYTES
from transfer.weights.checkpoint import Checkpoint


def learn_file(
    file: Checkpoint | str,
    data: LabelledSet,
    out: Path,
    *,
    into: str | None = None,
    restoring: Restoring | None = None,
    drop_last: int = 0,
    at: str | None = None,
    size: tuple[int, int] | None = None,
    preprocessing: Preprocessing | None = None,
    shots: int | None = None,
    test_share: float = 0.25,
    test: LabelledSet | None = None,
    recipe: Recipe | None = None,
    skip_unreadable: bool = False,
    force: bool = False,
    cache: Path | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress = silent,
) -> Run:
    """Restore a file, put a new head on its backbone, and fine-tune it on a labelled set.

    Args:
        file: a checkpoint, its path, or the name of a shipped one.
        data: labelled examples.
        out: the run's folder.
        into: name of the original architecture, where the file does not hold it.
        restoring: how the file is brought into the architecture.
        drop_last: number of last layers to drop.
        at: the last layer to keep; with neither, the old classifier goes.
        size: (h, w) of images.
        preprocessing: of images; by default what the card says.
        shots: examples a class to learn from.
        test_share: share to test on otherwise.
        test: examples to test on instead.
        recipe: stages and seed.
        skip_unreadable: whether damaged pictures are left out.
        force: whether `out` may be replaced.
        cache: a folder in which features are kept for other runs.
        memory_bytes: for features in memory; past it they lie on the disk.
        progress: told of what is going on.

    Raises:
        TransferError: of the kind that fits.
    """
    recipe = recipe or Recipe()
    restored = restore_file(file, into, restoring or Restoring())
    student = prepare_student(restored, len(data.classes), at=at, drop_last=drop_last, seed=recipe.seed)
    return finetune(
        student.model,
        data,
        recipe=recipe,
        test=test,
        shots=shots,
        test_share=test_share,
        preprocessing=preprocessing,
        size=size,
        out=out,
        force=force,
        skip_unreadable=skip_unreadable,
        cache=cache,
        memory_bytes=memory_bytes,
        receipt=restored.receipt,
        notes=(student.describe(recipe),),
        progress=progress,
    )
