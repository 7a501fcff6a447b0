"""From computed features and labels to a run: a head learnt without opening an example, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.data.loading import ImageBatch
from transfer.errors import DataError, Problem, TrainingError
from transfer.jobs.examples.feeding import Feed, as_learnt, make_feed
from transfer.jobs.examples.reading_examples import ReadExamples
from transfer.jobs.features.computed_features import ComputedFeatures
from transfer.jobs.features.matching_features import MatchedFeatures, match_features
from transfer.jobs.features.opening_features import layer_of, open_features, refuse_other_network
from transfer.jobs.finetuning.learning import Learning
from transfer.jobs.finetuning.scoring_stages import Division, Outcome, learn_and_score
from transfer.jobs.pages.reporting import with_page
from transfer.jobs.pages.showing_examples import count_learnt
from transfer.jobs.runs.describing import describe_request
from transfer.jobs.runs.finished_models import finished_model
from transfer.jobs.runs.kept_examples import KeptExamples
from transfer.jobs.runs.learnt_before import learnt_by
from transfer.jobs.runs.running import find_finished, refuse_run, write_run
from transfer.jobs.runs.unfinished import kept_state
from transfer.jobs.students.checking_heads import check_heads
from transfer.jobs.students.preparing import prepare_student
from transfer.models.building import read_model
from transfer.models.restoring import Restored, restore_file
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
    there = open_features(features)
    _refuse_unfit(there, how)
    restored = file if isinstance(file, Restored) else restore_file(file, how.into, how.restoring)
    student = prepare_student(restored, data.labelling, at=layer_of(there), seed=how.recipe.seed)
    network, heads = check_heads(student, data, how.test)
    feed = make_feed(
        network, data, preprocessing=how.preprocessing, size=how.size, custom_objects=student.custom_objects
    )
    refuse_other_network(there, restored, feed, network)
    matched = match_features(there, data, how.test, skip_unreadable=skip_unreadable, progress=progress)
    whole = as_learnt(feed, matched.data)
    size_bytes = len(matched.rows) * prod(matched.rows.row_shape) * 4
    is_streamed = solver == "ridge" or size_bytes > memory_bytes
    how_solved = f"streamed {solver}" if is_streamed else solver
    asked = describe_request(
        how.recipe,
        network,
        whole.graph,
        feed,
        matched.data,
        matched.test,
        shots=how.shots,
        test_share=how.test_share,
        features={"digest": digest_json([each.sha256 for each in there.records]), "solver": how_solved},
    )
    if out is not None:
        finished = None if force else find_finished(out, asked, student.custom_objects)
        if finished is not None:
            return with_page(finished) if report and finished.report is None else finished
        refuse_run(out, force=force, asked=asked)
    with kept_state(out, asked, force=force) as state_folder:
        given = (whole, how.recipe, heads, student.custom_objects)
        way: dict[str, Any] = {"state_folder": state_folder, "progress": progress}
        learner = (
            StreamedLearner(*given, **way, solver=solver, memory_bytes=memory_bytes)
            if is_streamed
            else Learner(*given, **way)
        )
        outcome = learn_and_score(
            learner,
            feed,
            matched.data,
            Division(matched.test, how.shots, how.test_share),
            skip_unreadable=skip_unreadable,
            before=learnt_by(student, network, restored.receipt),
            read_all=partial(_read, matched.rows),
        )
        notes = (student.describe(how.recipe), *_notes(there, matched), *outcome.result.notes)
        result = replace(outcome.result, notes=notes, warnings=(*data.notes, *outcome.result.warnings))
        model = finished_model(feed.network, learner, data.labelling, network.card)
        receipt, lines = restored.receipt.to_json(), tuple(learner.history)
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


def _refuse_unfit(features: ComputedFeatures, how: Learning) -> None:
    """Refuse what cannot be learnt from features alone.

    Raises:
        TrainingError: if the recipe trains what is below the head, or a rival needs the examples themselves.
        DataError: if features have positions, or another cut is asked for.
    """
    at = layer_of(features)
    if [stage.kind for stage in how.recipe.stages] != ["probe"]:
        kinds = ", ".join(stage.kind for stage in how.recipe.stages)
        step = "give --recipe probe (named_recipe('probe', …)), or leave --features out and train on the examples"
        found = Problem("recipe", "probe, which trains the head alone", kinds)
        raise TrainingError("Layers below the head are trained on examples, not on their features.", [found], step)
    if how.baselines != "cheap" or how.benchmark:
        name = "--benchmark" if how.benchmark else "--baselines all"
        found = Problem(name, "nothing that takes the examples themselves", "another network that learns from them")
        step = "leave it out, and hold the two runs against each other: transfer compare RUN RUN"
        raise TrainingError(
            "With --features no example is opened, so no other network can learn from them.", [found], step
        )
    if how.drop_last or how.at not in (None, at):
        found = Problem("--at", at, how.at or f"--drop-last-n {how.drop_last}")
        raise DataError("Features end where they were cut.", [found], "leave --at and --drop-last out")
    if len(features.shape) != 1:
        found = Problem(at, "features (n, d)", f"(n, {', '.join(map(str, features.shape))})")
        step = "compute them at the layer that pools or flattens, which 'transfer features' takes without --at"
        raise DataError("A head takes features without positions.", [found], step)


def _read(rows: Rows, learner: Learner, feed: Feed, data: LabelledSet) -> ReadExamples:
    """Let a learner have the features of a set, which were matched."""
    learner.read(Examples(data.digests(), _unopened, feed.example_shape(data), feed.to_json(), known=rows))
    return ReadExamples(np.arange(len(data)), Labels(data.labelling, data.targets), None, ())


def _unopened(places: NDArray[np.int64]) -> Iterator[ImageBatch]:
    raise ValueError(f"features of {len(places)} examples are missing")


def _notes(features: ComputedFeatures, matched: MatchedFeatures) -> Iterator[str]:
    yield f"features are those of {features.folder}: no example was opened"
    yield from matched.notes
    yield "baselines on raw input are left out: they take the examples themselves"


def _kept(outcome: Outcome) -> KeptExamples:
    learnt = count_learnt(outcome.examples.subset(outcome.train))
    return KeptExamples(learnt, absent=dict.fromkeys(("wrong", "suspects"), _NOT_OPENED))
