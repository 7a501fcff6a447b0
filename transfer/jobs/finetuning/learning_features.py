"""From computed features and labels to a run: a head learnt without opening an example, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.data.loading import ImageBatch
from transfer.jobs.examples.feeding import Feed, as_learnt
from transfer.jobs.examples.reading_examples import ReadExamples
from transfer.jobs.finetuning.learning import Learning
from transfer.jobs.finetuning.preparing_heads import prepare_head
from transfer.jobs.finetuning.scoring_stages import Division, Outcome, learn_and_score
from transfer.jobs.pages.reporting import with_page
from transfer.jobs.pages.showing_examples import count_learnt
from transfer.jobs.runs.describing import describe_request
from transfer.jobs.runs.finished_models import finished_model
from transfer.jobs.runs.kept_examples import KeptExamples
from transfer.jobs.runs.learnt_before import learnt_by
from transfer.jobs.runs.running import find_finished, refuse_run, write_run
from transfer.jobs.runs.unfinished import kept_state
from transfer.models.building import read_model
from transfer.models.restoring import Restored
from transfer.results import Run
from transfer.specs import Progress, silent
from transfer.training.feature_rows import Rows
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.labels import Labels
from transfer.training.learner import Learner
from transfer.training.stage_features import Examples
from transfer.training.streamed_heads import HeadSolver
from transfer.training.streamed_learner import StreamedLearner
from transfer.weights.checkpoint import Checkpoint
from transfer.weights.digests import digest_json

_NOT_OPENED = "Examples are not opened where their features are there already."


def learn_features(
    file: Checkpoint | str | Restored,
    data: LabelledSet,
    features: Path,
    out: Path | None,
    how: Learning | None = None,
    *,
    solver: HeadSolver = "logistic",
    skip_unreadable: bool = False,
    force: bool = False,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress = silent,
    report: bool = True,
    command: str = "",
) -> Run:
    """Learn a head on features that `compute_features` has left in a folder; no example is opened.

    The run is one as `finetune` gives it, of the recipe `probe`: its model takes raw input. Where the features fit into
    the memory, a logistic head is solved as there, to the same bits. The baselines are those that take no raw input.

    Args:
        file: the network whose features they are: a checkpoint, its path, the name of a shipped one, or what `restore`
            gave.
        data: labelled examples, by the same paths below their folder, or numbers of rows. Read them with
            `max_pixels=None`, and none is opened.
        features: the folder.
        out: the run's folder; None keeps the run in memory.
        how: as for `learn_file`; its cut is the features' own.
        solver: `logistic`, or `ridge`, which takes one pass to solve and another to answer.
        skip_unreadable: whether examples without features, and features without a label, are left out.
        force: whether `out` may be replaced.
        memory_bytes: past which features are not brought into memory, but streamed from the disk.
        progress: told of what is going on.
        report: whether a page is written into the run's folder.
        command: what was typed to get the run, to be kept with it.

    Raises:
        DataError: if they are features of another network or of other examples, or shards are damaged.
        TrainingError: if the recipe trains more than the head.
        TransferError: of the kind that fits.
    """
    how = how or Learning()
    task = prepare_head(
        file,
        data,
        features,
        how,
        solver=solver,
        skip_unreadable=skip_unreadable,
        memory_bytes=memory_bytes,
        progress=progress,
    )
    student, network, feed, matched = task.student, task.network, task.feed, task.matched
    whole = as_learnt(feed, matched.data)
    asked = describe_request(
        how.recipe,
        network,
        whole.graph,
        feed,
        matched.data,
        matched.test,
        shots=how.shots,
        test_share=how.test_share,
        features={"digest": digest_json([each.sha256 for each in task.features.records]), "solver": task.way},
    )
    if out is not None:
        finished = None if force else find_finished(out, asked, student.custom_objects)
        if finished is not None:
            return with_page(finished) if report and finished.report is None else finished
        refuse_run(out, force=force, asked=asked)
    with kept_state(out, asked, force=force) as state_folder:
        given = (whole, how.recipe, task.heads, student.custom_objects)
        way: dict[str, Any] = {"state_folder": state_folder, "progress": progress}
        learner = (
            StreamedLearner(*given, **way, solver=solver, memory_bytes=memory_bytes)
            if task.is_streamed
            else Learner(*given, **way)
        )
        outcome = learn_and_score(
            learner,
            feed,
            matched.data,
            Division(matched.test, how.shots, how.test_share),
            skip_unreadable=skip_unreadable,
            before=learnt_by(student, network, task.restored.receipt),
            read_all=partial(_read, matched.rows),
        )
        notes = (student.describe(how.recipe), *task.notes, *outcome.result.notes)
        result = replace(outcome.result, notes=notes, warnings=(*data.notes, *outcome.result.warnings))
        model = finished_model(feed.network, learner, data.labelling, network.card)
        receipt, lines = task.restored.receipt.to_json(), tuple(learner.history)
        run = Run(result, model, None, receipt, {**asked, **outcome.split}, resumed=learner.resumed, history=lines)
        if out is None:
            return run
        run = write_run(
            run,
            out,
            examples=_kept(outcome) if report else None,
            command=command,
            answers=outcome.answers,
            seconds=outcome.clock.seconds,
            predictions=outcome.predictions,
            force=force,
        )
        return with_page(run, read_model(model).graph) if report else run


def _read(rows: Rows, learner: Learner, feed: Feed, data: LabelledSet) -> ReadExamples:
    """Let a learner have the features of a set, which were matched."""
    learner.read(Examples(data.digests(), _unopened, feed.example_shape(data), feed.to_json(), known=rows))
    return ReadExamples(np.arange(len(data)), Labels(data.labelling, data.targets), None, ())


def _unopened(places: NDArray[np.int64]) -> Iterator[ImageBatch]:
    raise ValueError(f"features of {len(places)} examples are missing")


def _kept(outcome: Outcome) -> KeptExamples:
    learnt = count_learnt(outcome.examples.subset(outcome.train))
    return KeptExamples(learnt, absent=dict.fromkeys(("wrong", "suspects"), _NOT_OPENED))
