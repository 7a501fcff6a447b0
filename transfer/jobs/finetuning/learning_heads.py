"""A head on features that were computed before, as it is asked for from Python."""

from __future__ import annotations

import os
from pathlib import Path

from transfer.data.forms import LabelledData, as_divided
from transfer.data.reading import read_labelled
from transfer.jobs.finetuning.learning import Learning
from transfer.jobs.finetuning.learning_features import learn_features
from transfer.models.restoring import Restored, restore
from transfer.recipes import Recipe, Stage
from transfer.results import Run
from transfer.specs import Preprocessing, Progress, silent
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.streamed_heads import HeadSolver
from transfer.weights.checkpoint import Checkpoint


def learn_head(
    checkpoint: Checkpoint | str | os.PathLike[str] | Restored,
    data: LabelledData,
    features: str | os.PathLike[str],
    *,
    test: LabelledData | None = None,
    shots: int | None = None,
    test_share: float = 0.25,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    solver: HeadSolver = "logistic",
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    skip_unreadable: bool = False,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress = silent,
    report: bool = True,
) -> Run:
    """Learn a linear head from features (n, d) that `compute_features` left in a folder; no picture is opened.

    The run is one of the recipe `probe`: its model takes raw input and gives probabilities. Features that fit into the
    memory give the head that `finetune` solves, to the bit. Others are streamed from the disk: a logistic head, on the
    same folds and penalties, by a hundred passes or two; or a ridge head by their sums in one pass.

    Args:
        checkpoint: the network whose features they are: a file, a shipped name, or what `restore` gave.
        data: labelled examples, as for `finetune`; paths below their folder, or numbers of rows, are those of the
            features. What is read before is best read with `read_labelled(…, max_pixels=None)`, which opens nothing.
        features: the folder.
        test: examples to test on, whose features are in the folder too; by default some of `data` are held out.
        shots: that many examples a class to learn from, all others to test on.
        test_share: share of `data` to test on otherwise.
        preprocessing: as the features were computed with.
        size: (h, w), likewise.
        seed: of what is held out, and of the folds.
        solver: `logistic`, or `ridge`: faster, and a worse classifier.
        out: a new folder for the run; None keeps it in memory. One that was cut off goes on when it is asked for again.
        force: whether an existing folder may be replaced.
        skip_unreadable: whether examples without features, and features without a label, are left out.
        memory_bytes: past which features are streamed; sums over them take 56 d² bytes of it, for ridge 128 d².
        progress: told of what is going on.
        report: whether a run with a folder writes a page there.

    Raises:
        DataError: if they are features of another network, of other examples or with positions, or are damaged; or if
            the sums do not fit into the memory.
        MatchError: if the checkpoint does not fit its network.
        OutputError: if `out` exists already, unless it holds this very run.
        ValueError: if `shots` stands beside `test`.

    Source of the logistic head: Liu & Nocedal (1989), "On the limited memory BFGS method for large scale optimization",
    Math. Programming 45; of the ridge head: Hoerl & Kennard (1970), "Ridge regression", Technometrics 12.
    """
    if shots is not None and test is not None:
        raise ValueError("shots divide one set; with a test set of its own all of data is learnt from")
    learnt, tested = as_divided(_unopened(data), None if test is None else _unopened(test))
    how = Learning(
        size=size,
        preprocessing=preprocessing,
        shots=shots,
        test_share=test_share,
        test=tested,
        recipe=Recipe((Stage("probe"),), seed=seed),
    )
    return learn_features(
        checkpoint if isinstance(checkpoint, Restored) else restore(checkpoint),
        learnt,
        Path(features),
        None if out is None else Path(out),
        how,
        solver=solver,
        skip_unreadable=skip_unreadable,
        force=force,
        memory_bytes=memory_bytes,
        progress=progress,
        report=report,
    )


def _unopened(data: LabelledData) -> LabelledData:
    """What lies at a path, without a picture being opened."""
    return read_labelled(data, max_pixels=None) if isinstance(data, str | os.PathLike) else data
