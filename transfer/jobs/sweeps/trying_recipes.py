"""One trial of a sweep: a recipe followed on each validation fold, wherever that is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from transfer.data.labelled import LabelledSet
from transfer.errors import DataError, OutputError, TransferError
from transfer.evidence.intervals import wilson_of_groups
from transfer.evidence.sweeps import Trial
from transfer.jobs.examples.cached_features import Cache, open_store
from transfer.jobs.examples.dealing_folds import DealtExamples
from transfer.jobs.examples.feeding import Feed, as_learnt, make_feed
from transfer.jobs.examples.kept_pictures import checked_batches
from transfer.jobs.examples.shared_folders import pictures_of, refuse_unseen
from transfer.jobs.students.checking_heads import check_heads
from transfer.jobs.students.checking_recipes import check_recipe
from transfer.jobs.students.clock import Clock
from transfer.jobs.students.following_recipes import follow
from transfer.jobs.students.preparing import Student
from transfer.jobs.students.telling_failures import as_told, is_slip, reason_of
from transfer.jobs.sweeps.sweep_folders import TRIES, SweepFolder
from transfer.recipes import Recipe
from transfer.specs import Preprocessing
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.labels import Labels
from transfer.training.learner import Learner
from transfer.training.recipe_spaces import Point, RecipeSpace
from transfer.training.stage_features import Examples

Task: TypeAlias = tuple[int, Point]  # number of a trial, and where in the space it is


@dataclass(frozen=True, slots=True, eq=False)
class Trying:
    """All that a trial needs, as plain values: it may be done in another process, on another machine.

    Attributes:
        student: of which every trial begins anew.
        data: the examples to learn from, without those of the test part.
        dealt: their folds.
        space: the recipe and what is varied of it.
        folder: of the sweep, which all processes see.
        cache: of features, likewise.
        preprocessing: of images, as `make_feed` takes it.
        size: likewise.
    """

    student: Student
    data: LabelledSet
    dealt: DealtExamples
    space: RecipeSpace
    folder: SweepFolder
    cache: Cache
    preprocessing: Preprocessing | str | None = field(default=None, repr=False)
    size: tuple[int, int] | None = None

    def placed(self) -> Trying:
        """The same with whole paths, for processes that work in other folders."""
        inputs = self.data.inputs
        if isinstance(inputs, tuple):
            inputs = tuple(each.absolute() for each in inputs)
        return replace(
            self,
            data=replace(self.data, inputs=inputs),
            folder=replace(self.folder, path=self.folder.path.absolute()),
            cache=replace(self.cache, folder=self.cache.folder.absolute()),
        )

    def prepare(self) -> Callable[[Task], Trial]:
        """The work, once wherever it is done.

        Raises:
            TrainingError: on a machine that does not see the pictures.
        """
        refuse_unseen(pictures_of(self.data))
        network, heads = check_heads(self.student, self.data, None)
        own = self.student.custom_objects
        feed = make_feed(network, self.data, preprocessing=self.preprocessing, size=self.size, custom_objects=own)
        return _Work(self, feed, heads, self.data.digests()).do

    def lost(self, task: Task, reason: str) -> Trial:
        """The row of a trial whose process died each time."""
        number, point = task
        return self.written(Trial(number, point, reason=reason))

    def written(self, trial: Trial) -> Trial:
        """The same trial, once it is kept in the folder."""
        self.folder.write_trial(trial)
        return trial


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What is the same for all trials of a process."""

    trying: Trying
    feed: Feed
    heads: tuple[str, ...]
    digests: tuple[str, ...]

    def do(self, task: Task) -> Trial:
        """A trial; an error in it is its reason, one of the folder or the disk ends the sweep."""
        (number, point), folder = task, self.trying.folder
        with folder.beginning(number) as before:
            if before >= TRIES:
                place = folder.path / "trials" / f"{number:04}.begun"
                return self.trying.lost(task, f"its process has died {before} times; to try it again, remove {place}")
            try:
                trial = self._tried(number, point, self.trying.space.at(point))
            except OutputError:
                raise
            except Exception as error:
                if is_slip(error):
                    raise
                trial = Trial(number, point, reason=reason_of(as_told(error)))
            return self.trying.written(trial)

    def _tried(self, number: int, point: Point, recipe: Recipe) -> Trial:
        trying = self.trying
        with open_store(trying.cache, memory_bytes=MEMORY_BYTES, own_classes=trying.student.custom_objects) as store:
            network = as_learnt(self.feed, trying.data)
            check_recipe(network.graph, self.heads, recipe)
            learner = Learner(network, recipe, self.heads, trying.student.custom_objects, store=store)
            batches = checked_batches(self.feed, trying.data, self.digests)
            shape = self.feed.example_shape(trying.data)
            rows = learner.read(Examples(self.digests, batches, shape, self.feed.to_json()))
            if rows.failures:
                raise DataError("Examples that could be read cannot be read any more.", dict(rows.failures).values())
            return self._folded(number, point, learner)

    def _folded(self, number: int, point: Point, learner: Learner) -> Trial:
        """What the recipe comes to on all folds."""
        data, dealt = self.trying.data, self.trying.dealt
        labels = Labels(data.labelling, data.targets)
        right, losses, shares = np.zeros(len(data), np.bool_), np.zeros(len(data)), []
        for learnt, tested in dealt:
            learner.begin(learnt, labels, dealt.alike)
            followed = follow(learner, tested, labels, dealt.alike, Clock())
            right[tested] = followed.scores[-1].right
            losses[tested] = _losses(followed.logits, labels[tested].targets[0])
            shares.append(float(right[tested].mean()))
        if not np.isfinite(losses).all():
            raise TransferError("Its answers are not finite.")
        groups = np.arange(len(data)) if dealt.alike is None else dealt.alike
        return Trial(number, point, wilson_of_groups(right, groups), tuple(shares), float(losses.mean()))


def _losses(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,), cross-entropy in nats."""
    wide = logits.astype(np.float64)
    above = wide - wide.max(1, keepdims=True)
    return np.asarray(np.log(np.exp(above).sum(1)) - above[np.arange(len(labels)), labels])
