"""What a head on computed features is learnt from: the network, the rows of the examples, and the way it is solved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, Problem, TrainingError
from transfer.jobs.examples.feeding import Feed, make_feed
from transfer.jobs.features.computed_features import ComputedFeatures
from transfer.jobs.features.matching_features import MatchedFeatures, match_features
from transfer.jobs.features.opening_features import layer_of, open_features, refuse_other_network
from transfer.jobs.finetuning.learning import Learning
from transfer.jobs.students.checking_heads import check_heads
from transfer.jobs.students.preparing import Student, prepare_student
from transfer.models.restoring import Restored, restore_file
from transfer.specs import Progress, silent
from transfer.surgery.network import Network
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.streamed_heads import HeadSolver
from transfer.weights.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True, eq=False)
class HeadTask:
    """What is learnt, from which rows, and how.

    Attributes:
        features: of the folder.
        restored: the network whose features they are.
        student: the same with new heads.
        network: of the student.
        heads: names of the layers that give the logits.
        feed: how examples go in.
        matched: labelled examples with their rows.
        solver: that was asked for.
        memory_bytes: for features in memory.
    """

    features: ComputedFeatures
    restored: Restored
    student: Student
    network: Network
    heads: tuple[str, ...]
    feed: Feed
    matched: MatchedFeatures
    solver: HeadSolver
    memory_bytes: int

    @property
    def size_bytes(self) -> int:
        """Of all rows in memory."""
        return len(self.matched.rows) * prod(self.matched.rows.row_shape) * 4

    @property
    def is_streamed(self) -> bool:
        """Whether rows stay on the disk."""
        return self.solver == "ridge" or self.size_bytes > self.memory_bytes

    @property
    def way(self) -> str:
        """`logistic`, which is in memory, `streamed logistic` or `streamed ridge`."""
        return f"streamed {self.solver}" if self.is_streamed else self.solver

    @property
    def notes(self) -> Iterator[str]:
        """What a reader of the result should know."""
        yield f"features are those of {self.features.folder}: no example was opened"
        yield from self.matched.notes
        yield "baselines on raw input are left out: they take the examples themselves"


def prepare_head(
    file: Checkpoint | str | Restored,
    data: LabelledSet,
    features: Path,
    how: Learning,
    *,
    solver: HeadSolver = "logistic",
    skip_unreadable: bool = False,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress = silent,
) -> HeadTask:
    """Restore the network, put heads on it, and find the features of the examples; the arguments are `learn_features`'.

    Raises:
        DataError: if they are features of another network or of other examples, or shards are damaged.
        TrainingError: if the recipe trains more than the head.
        TransferError: of the kind that fits.
    """
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
    return HeadTask(there, restored, student, network, heads, feed, matched, solver, memory_bytes)


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
