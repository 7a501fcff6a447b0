"""From a file and a folder to a run: restoring, preparing a student, fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transfer.data.reading import read_labelled
from transfer.errors import OutputError
from transfer.jobs.finetuning import finetune
from transfer.jobs.preparing import prepare_student
from transfer.models.restoring import restore
from transfer.results import Run
from transfer.specs import Preprocessing, Progress, Recipe, silent


def learn_file(
    file: str,
    data: Path,
    out: Path,
    *,
    into: str | None = None,
    rules: Sequence[str] = (),
    drop_last: int = 0,
    at: str | None = None,
    size: tuple[int, int] | None = None,
    preprocessing: Preprocessing | None = None,
    shots: int | None = None,
    test_share: float = 0.25,
    test_data: Path | None = None,
    recipe: Recipe | None = None,
    strict: bool = False,
    skip_unreadable: bool = False,
    force: bool = False,
    progress: Progress = silent,
) -> Run:
    """Restore a file, put a new head on its backbone, and fine-tune it on a labelled set.

    The set is read before the network is restored: what is wrong with it shows at once.

    Args:
        file: a checkpoint, or the name of a shipped one.
        data: a labelled set (see `read_labelled`).
        out: the run's folder.
        into: name of the original architecture, where the file does not hold it.
        rules: for names (see `match`).
        drop_last: number of last layers to drop.
        at: the last layer to keep; with neither, the old classifier goes.
        size: (h, w) of images.
        preprocessing: of images; by default what the card says.
        shots: examples a class to learn from.
        test_share: share to test on otherwise.
        test_data: a labelled set to test on instead.
        recipe: stages and seed.
        strict: whether anything left out of a set is an error.
        skip_unreadable: whether damaged pictures are left out.
        force: whether `out` may be replaced.
        progress: told of what is going on.

    Raises:
        TransferError: of the kind that fits.
    """
    recipe = recipe or Recipe()
    if not out.absolute().parent.is_dir():
        out.absolute().parent.mkdir(parents=True)
    if out.exists() and not force and not (out / "run.json").is_file():
        raise OutputError(
            f"{out} exists already and is not a run.",
            next_step="choose another name, or replace it with --force (force=True)",
        )
    labelled = read_labelled(data, strict=strict, skip_unreadable=skip_unreadable)
    test = read_labelled(test_data, strict=strict, skip_unreadable=skip_unreadable) if test_data is not None else None
    restored = restore(file, into, rules=rules)
    student = prepare_student(restored, len(labelled.classes), at=at, drop_last=drop_last, seed=recipe.seed)
    return finetune(
        student.model,
        labelled,
        recipe=recipe,
        test=test,
        shots=shots,
        test_share=test_share,
        preprocessing=preprocessing,
        size=size,
        out=out,
        force=force,
        skip_unreadable=skip_unreadable,
        receipt=restored.receipt,
        notes=(student.note,),
        progress=progress,
    )
