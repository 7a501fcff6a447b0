"""The stages of a recipe, one after the other, on features that are computed once.

A recipe that tunes from a probe is followed twice: on a part of the training examples, so that the others can tell
which point on the line between probe and tuned is the best, and on all of them, to that point. Nothing that was
validated on has been learnt from.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.errors import NotFiniteError, TrainingError
from transfer.graphs.graph import Graph
from transfer.graphs.joining_outputs import join_outputs
from transfer.graphs.packing import pack_inputs
from transfer.models.building import build_model
from transfer.models.taking_over import take_over
from transfer.models.variables import copy_variables
from transfer.recipes import Recipe, Stage
from transfer.specs import Json, Progress, silent
from transfer.surgery.network import Network
from transfer.tabulating import shorten
from transfer.training.augmenting import Augmentation
from transfer.training.choosing import Choice, choose
from transfer.training.devices import scope, strategy_of
from transfer.training.feature_rows import Rows
from transfer.training.feature_store import FeatureStore
from transfer.training.features import make_answering
from transfer.training.fitting import Fit
from transfer.training.fresh import start_anew
from transfer.training.history import Watch, unwatched
from transfer.training.holding_out import hold_out
from transfer.training.labels import Labels, logit_places
from transfer.training.lessons import Fitter, Lesson, take_lesson
from transfer.training.number_scales import NumberScales
from transfer.training.prefixing import BATCH, with_tensors
from transfer.training.probing import HeadInputs, scaled_heads
from transfer.training.solving_outputs import SolvedOutput
from transfer.training.stage_features import Examples, StageFeatures
from transfer.training.stage_flags import flag_stage
from transfer.training.stilling import drawing_layers
from transfer.training.time_shares import TimeShares
from transfer.training.tracks import Track, Trial
from transfer.training.viewed_rows import join_views, spread_over_views

_MORE_TIME = "give more time (--dry-run says how much)"


class _OutOfTimeError(TrainingError):
    """The deadline passed before what was going on was done."""


@dataclass(slots=True)
class Learner:
    """A network that learns a recipe.

    Attributes:
        network: from raw inputs to logits, of each output by a head; left as it is.
        recipe: what is done.
        heads: names of the layers that give the logits, in the order of the outputs.
        custom_objects: classes of the caller's, by name.
        store: keeps features.
        state_folder: where training writes down where it stands; None for nowhere.
        progress: told of what is going on.
        watch: given each epoch, with `trial_1` or `stage_1` by the stage's place in the recipe.
        deadline: of `time.monotonic`, by which the last stage is over; None for no limit.
        devices: of this machine, that share each batch; None for all GPUs.
        fitter: where lessons are taken.
        history: a line for each stage and epoch.
        remarks: what was kept of each stage that was validated, and what the deadline ended.
        resumed: the last step of a run that was cut off, from which training went on; empty where it began anew.
    """

    network: Network
    recipe: Recipe
    heads: tuple[str, ...]
    custom_objects: dict[str, Any] = field(default_factory=dict)
    store: FeatureStore = field(default_factory=FeatureStore)
    state_folder: Path | None = None
    progress: Progress = silent
    watch: Watch = unwatched
    deadline: float | None = None
    devices: int | None = None
    fitter: Fitter = take_lesson
    history: list[Json] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    resumed: str = ""
    _graphs: list[Graph] = field(init=False)
    _features: StageFeatures = field(init=False)
    _background: int = field(init=False)
    _labels: Labels = field(init=False)
    _scales: NumberScales = field(init=False)
    _groups: NDArray[np.int64] | None = field(init=False)
    _all: Track = field(init=False)
    _trial: Track | None = field(init=False, default=None)
    _held_out: NDArray[np.int64] = field(init=False)
    _time: TimeShares = field(init=False)
    _answers: Callable[[NDArray[np.int64]], NDArray[np.float32]] | None = field(init=False, default=None)
    _inputs: HeadInputs | None = field(init=False, default=None)
    _validated: NDArray[np.float32] | None = field(init=False, default=None)

    def read(self, examples: Examples) -> Rows:
        """Run what no stage trains once over all examples.

        Returns:
            Its outputs; `failures` names examples that could not be read.

        Raises:
            TrainingError: if the deadline passes meanwhile.
        """
        if self.recipe.stages[0].fresh:
            self.network = start_anew(self.network, self.recipe.seed, self.custom_objects)
        joined = join_outputs(self.network.graph, self.heads)
        self._graphs = [flag_stage(joined, stage, self.heads) for stage in self.recipe.stages]
        self._background = int((examples.feeding or {}).get("background", 255))
        self._features = StageFeatures(
            replace(self.network, graph=joined),
            self._graphs,
            examples,
            self.store,
            custom_objects=self.custom_objects,
            progress=self._progress_until_deadline,
        )
        return self._features.rows

    def _progress_until_deadline(self, stage: str, done: int, total: int) -> None:
        self.progress(stage, done, total)
        if done < total and self.deadline is not None and time.monotonic() >= self.deadline:
            raise _OutOfTimeError(
                f"The time limit passed while {stage}: {done} of {total} are done.",
                next_step=f"{_MORE_TIME}; with a cache, what is done serves the next run",
            )

    def begin(self, train: NDArray[np.int64], labels: Labels, groups: NDArray[np.int64] | None = None) -> None:
        """Settle what is learnt from.

        Args:
            train: places of the examples to learn from, among those that were read.
            labels: of all that were read; what stands at other places is not looked at.
            groups: (n,) of all that were read; examples of one stay together. None where there are none.
        """
        self._groups = groups
        self._scales = NumberScales.of(labels[train])
        self._labels = self._scales.standardised(labels)
        self._all = Track(self._features.rest, train)
        self._held_out = train[:0]
        tuned = sum(stage.kind == "tune" for stage in self.recipe.stages)
        self._time = TimeShares(self.deadline, tuned)
        held_out = hold_out(self._labels[train], self.recipe, self._groups_of(train))
        if not len(held_out):
            return
        kept = np.delete(train, held_out)
        self._trial, self._held_out = Track(self._features.rest, kept, is_trial=True), train[held_out]
        self._time = TimeShares(self.deadline, 2 * tuned)

    def solve(self) -> tuple[SolvedOutput, ...]:
        """The probe: each head at its optimum on features as they are; what was found on all examples.

        Raises:
            TrainingError: if the deadline has passed.
        """
        if self._time.is_over:
            raise _OutOfTimeError("The time limit passed before the head was solved.", next_step=_MORE_TIME)
        self._inputs = HeadInputs(self.heads, self._features.into_heads(self._graphs[0], self.heads))
        several = []
        for track in self._tracks:
            own, seed = self._groups_of(track.places), self.recipe.seed
            found, tensors = self._inputs.solve(
                self._labels, track.places, seed=seed, groups=own, progress=self.progress
            )
            track.take(tensors)
            several.append(found)
        self._answers = self._inputs.logits(self._all.rest.tensors).__getitem__
        if self._trial is not None:
            self._validated = self._inputs.logits(self._trial.rest.tensors)[self._held_out]
        names = self._labels.labelling.names if len(self.heads) > 1 else ("",)
        self.history += [line for name, head in zip(names, several[0], strict=True) for line in head.lines(name)]
        return several[0]

    def _groups_of(self, places: NDArray[np.int64]) -> NDArray[np.int64] | None:
        return None if self._groups is None else self._groups[places]

    @property
    def _tracks(self) -> list[Track]:
        return [self._all, *([self._trial] if self._trial is not None else [])]

    def tune(self, place: int) -> None:
        """One stage of training.

        Args:
            place: of the stage in the recipe.

        Raises:
            NotFiniteError: if a step is not finite; the weights as they are now are those before it.
            LayerError: if a frozen tensor has changed.
        """
        if self._time.is_over:
            self.remarks.append(f"the time limit left nothing for stage {place}")
            return
        try:
            self._tune(place)
        except _OutOfTimeError as error:
            self.remarks.append(f"{error.summary.rstrip('.')}, for stage {place}")

    def _tune(self, place: int) -> None:
        stage, graph, choice, tried = self.recipe.stages[place], self._graphs[place], None, None
        if self._trial is not None:
            tried = self._try(self._trial, stage, graph, place)
            stage, choice = tried.stage, tried.choice
            if choice.alpha == 0:
                return
        self._answers = None
        rows, suffix = self._features.of_stage(self._all.rest, graph)
        if tried is None or stage.lora_rank or self.custom_objects:  # whose layers may keep what they drew
            model, stepping = self._build(suffix), None
        else:
            model, stepping = tried.model, tried.stepping
            take_over(model, suffix)
        before = copy_variables(model)
        lesson = replace(self._lesson(f"stage_{place}", self._all, stage, graph, rows), stepping=stepping)
        found = self._take(model, lesson, self._all)
        if found.ended == "deadline" and self._trial is not None:
            self._all.take(self._trial.rest.tensors)
            self.remarks.append(f"what the trial of stage {place} came to was kept instead: it was validated")
            return
        self._all.settle(model, before, choice, self.heads)
        take_over(model, with_tensors(suffix, self._all.rest.tensors))
        answer = tried.answer if tried and tried.model is model else make_answering(model, BATCH)
        self._answers = lambda places: answer(rows.subset(places))

    def _try(self, track: Track, stage: Stage, graph: Graph, place: int) -> Trial:
        """Train on a part, and see on the others how far to go."""
        rows, suffix = self._features.of_stage(track.rest, graph)
        model = self._build(suffix)
        before = copy_variables(model)
        validation = (rows.subset(self._held_out), self._labels[self._held_out])
        answer = make_answering(model, min(stage.batch_size, len(self._held_out)))
        lesson = self._lesson(f"trial_{place}", track, stage, graph, rows)
        found = self._take(model, replace(lesson, validation=validation, runner=answer.runner), track)
        choice = choose(model, answer, before, copy_variables(model), *validation)
        self._validated = self._tempered(answer(validation[0]), choice)
        self.remarks.append(f"stage {place}: {choice}")
        self.history.append({"stage": "choice", **choice.to_json()})
        track.settle(model, before, choice, self.heads)
        epochs = found.kept_epoch if stage.patience else stage.epochs
        repeated = replace(stage, rate=found.rate, patience=0, epochs=max(1, epochs))
        return Trial(repeated, choice, model, found.stepping, answer)

    def _tempered(self, logits: NDArray[np.float32], choice: Choice) -> NDArray[np.float32]:
        found = logits.copy()
        for places, temperature in zip(logit_places(self._labels.labelling), choice.temperatures, strict=True):
            found[:, places] /= temperature
        return found

    def _take(self, model: keras.Model, lesson: Lesson, track: Track) -> Fit:
        """Train on a lesson of a track, and tell of it."""
        try:
            found = self.fitter(
                model,
                lesson,
                heads=self.heads,
                seed=self.recipe.seed,
                state_folder=self.state_folder,
                custom_objects=self.custom_objects,
                progress=self.progress,
                watch=self.watch,
            )
        except NotFiniteError:
            self._all.rest = with_tensors(track.rest, copy_variables(model))
            raise
        if self.fitter is not take_lesson or strategy_of(model.variables) is not None:
            self._remark_on_draws(lesson, drawing_layers(model))
        if found.resumed_at:
            self.resumed = f"step {found.resumed_at} ({lesson.title})"
        if lesson.stage.rate == "auto":
            self.remarks.append(f"{lesson.title}: the rate {found.rate:.2g} was found")
        kind = "trial" if lesson.validation is not None else "tune"
        self.history += [{"stage": kind, **epoch.to_json()} for epoch in found.history]
        if found.ended == "deadline":
            steps = "1 step" if found.steps == 1 else f"{found.steps} steps"
            self.remarks.append(f"the time limit ended training after {steps}: {lesson.title}")
        return found

    def _remark_on_draws(self, lesson: Lesson, layers: list[str]) -> None:
        if layers:
            self.remarks.append(
                f"{lesson.title}: {shorten(layers)} drew random numbers on each device for itself, "
                "so one device would give another result of the same kind"
            )

    def _lesson(self, name: str, track: Track, stage: Stage, graph: Graph, rows: Rows) -> Lesson:
        """What a stage learns from on a track: the examples, or changed copies of each."""
        labels, deadline = self._labels[track.places], self._time.take()
        if not stage.augment:
            keys = [self._features.keys[place] for place in track.places]
            return Lesson(name, rows.subset(track.places), labels, keys, stage, deadline=deadline)
        augmentation = Augmentation(stage.augment, self.recipe.seed, self._background)
        views = [
            self._features.of_view(track.rest, graph, track.places, augmentation, view) for view in range(stage.views)
        ]
        keys = [key for _, each in views for key in each]
        copies = join_views([each for each, _ in views])
        spread = spread_over_views(stage, stage.views)
        return Lesson(
            name, copies, labels[np.tile(np.arange(len(labels)), stage.views)], keys, spread, deadline=deadline
        )

    @property
    def head_inputs(self) -> HeadInputs | None:
        """What went into each head before what is below it was trained, of all examples; None without a probe."""
        return self._inputs

    def logits(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, K), of the examples at some places, by the weights as they are now; numbers in units of their own."""
        if self._answers is not None:
            return self._scales.restored(self._answers(places))
        rest = replace(self._all.rest, graph=pack_inputs(self._all.rest.graph))
        return self._scales.restored(self._features.outputs(rest, self._features.rows.subset(places)))

    def validated(self) -> tuple[NDArray[np.int64], NDArray[np.float32] | None]:
        """Places of examples that nothing was learnt from for it, and their logits (m, K) as the last stage left them.

        They come from the part of a trial; of a probe without one from its folds. None where there is neither.
        """
        if self._validated is not None:
            return self._held_out, self._scales.restored(self._validated)
        if len(self.recipe.stages) > 1 or self._inputs is None:
            return self._all.places[:0], None
        found = self._inputs.logits_of_folds(
            self._labels, self._all.places, seed=self.recipe.seed, groups=self._groups_of(self._all.places)
        )
        return self._all.places, self._scales.restored(found)

    def calibrate(self, slopes: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
        """Multiply all logits (n, K), and add to them.

        Args:
            slopes: (K,), 1 for numbers.
            offsets: (K,), 0 for numbers.
        """
        answers, columns = self._answers, logit_places(self._labels.labelling)
        self._all.take(scaled_heads(self._all.rest.tensors, self.heads, columns, slopes, offsets))
        if answers is not None:
            self._answers = lambda places: (answers(places) * slopes + offsets).astype(np.float32)

    def learnt(self) -> Network:
        """The whole network with the weights as they are now, flagged as in the last stage; numbers likewise."""
        graph = flag_stage(self.network.graph, self.recipe.stages[-1], self.heads)
        found = with_tensors(replace(self.network, graph=graph), self._all.rest.tensors)
        return with_tensors(found, self._scales.in_heads(found.tensors, self.heads))

    def _build(self, network: Network) -> keras.Model:
        keras.utils.set_random_seed(self.recipe.seed)  # layers that draw random numbers are seeded when they are built
        with scope(self.devices):
            return build_model(network, self.custom_objects)
