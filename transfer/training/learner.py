"""The stages of a recipe, one after the other, on features that are computed once.

A recipe that tunes from a probe is followed twice: on a part of the training examples, so that the others can tell
which point on the line between probe and tuned is the best, and on all of them, to that point. Nothing that was
validated on has been learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.data.splitting import split_stratified
from transfer.errors import DataError, LayerError
from transfer.graphs.graph import Graph
from transfer.graphs.packing import pack_inputs
from transfer.models.building import build_model
from transfer.models.variables import assign_variables, name_variables
from transfer.recipes import Recipe, Stage
from transfer.specs import Json, Progress, silent
from transfer.surgery.network import Network
from transfer.training.augmenting import Augmentation
from transfer.training.feature_rows import Rows
from transfer.training.feature_store import FeatureStore
from transfer.training.features import make_runner, run_in_batches
from transfer.training.fitting import Fit, fit
from transfer.training.fresh import start_anew
from transfer.training.interpolating import interpolate, keep_best
from transfer.training.low_rank import adapt
from transfer.training.prefixing import BATCH, before_head, with_tensors
from transfer.training.solving import SolvedHead, solve_head
from transfer.training.stage_features import Examples, StageFeatures
from transfer.training.stage_flags import flag_stage
from transfer.training.validating import make_validator
from transfer.training.viewed_rows import join_views, spread_over_views
from transfer.weights.digests import digest_json, digest_manifest
from transfer.weights.tensor_digests import digest_tensor


@dataclass(frozen=True, slots=True)
class Choice:
    """What was kept of a stage.

    Attributes:
        alpha: how far from the weights before it (0) to those after it (1).
        before: validation loss at 0, in nats an example.
        after: at 1.
        kept: at alpha.
        examples: that were validated on.
    """

    alpha: float
    before: float
    after: float
    kept: float
    examples: int

    def __str__(self) -> str:
        what = {0.0: "the weights before it", 1.0: "all of it"}.get(self.alpha, f"{self.alpha:.0%} of the way")
        return (
            f"of tuning {what} was kept: validation loss {self.kept:.3f} on {self.examples} examples "
            f"({self.before:.3f} before, {self.after:.3f} after)"
        )


@dataclass(slots=True)
class _Track:
    """Weights on their way through the stages.

    Attributes:
        rest: what follows the prefix, with its tensors as they are now.
        places: of the examples that it learns from.
    """

    rest: Network
    places: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Lesson:
    """What a stage learns from.

    Attributes:
        rows: (m, …) features.
        labels: (m,).
        keys: of the rows, as outputs of the prefix.
        stage: how it learns from them.
    """

    rows: Rows
    labels: NDArray[np.int64]
    keys: list[str]
    stage: Stage


@dataclass(slots=True)
class Learner:
    """A network that learns a recipe.

    Attributes:
        network: from raw inputs to logits; left as it is.
        recipe: what is done.
        head: name of the layer that gives the logits.
        custom_objects: classes of the caller's, by name.
        store: keeps features.
        state_folder: where training writes down where it stands; None for nowhere.
        progress: told of what is going on.
        history: a line for each stage and epoch.
        choices: what was kept of each stage that was validated.
    """

    network: Network
    recipe: Recipe
    head: str
    custom_objects: dict[str, Any] = field(default_factory=dict)
    store: FeatureStore = field(default_factory=FeatureStore)
    state_folder: Path | None = None
    progress: Progress = silent
    history: list[Json] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    _graphs: list[Graph] = field(init=False)
    _features: StageFeatures = field(init=False)
    _background: int = field(init=False)
    _labels: NDArray[np.int64] = field(init=False)
    _classes: int = field(init=False)
    _all: _Track = field(init=False)
    _trial: _Track | None = field(init=False, default=None)
    _held_out: NDArray[np.int64] = field(init=False)

    def read(self, examples: Examples) -> Rows:
        """Run what no stage trains once over all examples.

        Returns:
            Its outputs; `failures` names examples that could not be read.
        """
        if self.recipe.stages[0].fresh:
            self.network = start_anew(self.network, self.recipe.seed, self.custom_objects)
        self._graphs = [flag_stage(self.network.graph, stage, self.head) for stage in self.recipe.stages]
        self._background = int((examples.feeding or {}).get("background", 255))
        self._features = StageFeatures(
            self.network,
            self._graphs,
            examples,
            self.store,
            custom_objects=self.custom_objects,
            progress=self.progress,
        )
        return self._features.rows

    def begin(self, train: NDArray[np.int64], labels: NDArray[np.int64], classes: Sequence[str]) -> None:
        """Settle what is learnt from.

        Args:
            train: places of the examples to learn from, among those that were read.
            labels: (n,) of all that were read; what stands at other places is not looked at.
            classes: names, in the order of the logits.
        """
        self._labels, self._classes = labels, len(classes)
        self._all = _Track(self._features.rest, train)
        self._held_out = train[:0]
        if len(self.recipe.stages) < 2 or not self.recipe.validation:
            return
        try:
            kept, held_out = split_stratified(
                labels[train], seed=self.recipe.seed, test_share=self.recipe.validation, classes=classes
            )
        except DataError:  # a class of one example: nothing can be held out
            return
        self._trial, self._held_out = _Track(self._features.rest, train[kept]), train[held_out]

    def solve(self) -> SolvedHead:
        """The probe: the head at its optimum on features as they are."""
        features = self._before_head()
        solved = None
        for track in self._tracks:
            found = solve_head(
                features[track.places],
                self._labels[track.places],
                self._classes,
                seed=self.recipe.seed,
                progress=self.progress,
            )
            head = {f"{self.head}/kernel": found.kernel, f"{self.head}/bias": found.bias}
            track.rest = with_tensors(track.rest, head)
            solved = solved or found
        if solved is None:
            raise ValueError("there is a track of all examples")
        line = {"stage": "probe", "penalty": solved.penalty, "cross_validated_accuracy": solved.accuracy}
        self.history.append(line)
        return solved

    @property
    def _tracks(self) -> list[_Track]:
        return [self._all, *([self._trial] if self._trial is not None else [])]

    def tune(self, place: int) -> None:
        """One stage of training.

        Args:
            place: of the stage in the recipe.

        Raises:
            TrainingError: if the loss stops being finite.
            LayerError: if a frozen tensor has changed.
        """
        stage, graph, alpha = self.recipe.stages[place], self._graphs[place], 1.0
        if self._trial is not None:
            stage, alpha = self._try(self._trial, stage, graph, place)
        if alpha == 0:
            return
        rows, suffix = self._features.of_stage(self._all.rest, graph)
        model = self._build(suffix)
        before = _copied(model)
        found = self._fit(model, self._learnt_from(self._all, stage, graph, rows), stage, f"stage_{place}")
        self._note("tune", found)
        if alpha < 1:
            assign_variables(model, interpolate(before, _copied(model), alpha))
        self._all.rest = with_tensors(self._all.rest, _copied(model))

    def _try(self, track: _Track, stage: Stage, graph: Graph, place: int) -> tuple[Stage, float]:
        """Train on a part, and see on the others how far to go: the stage as it is then done on all, and alpha."""
        rows, suffix = self._features.of_stage(track.rest, graph)
        model = self._build(suffix)
        before = _copied(model)
        validation = (rows.subset(self._held_out), self._labels[self._held_out])
        found = self._fit(model, self._learnt_from(track, stage, graph, rows), stage, f"trial_{place}", validation)
        self._note("trial", found)
        validate = make_validator(model, *validation, BATCH)
        chosen = keep_best(model, before, _copied(model), lambda: validate()[0])
        losses = chosen.losses
        choice = Choice(chosen.alpha, losses[0.0], losses[1.0], losses[chosen.alpha], len(self._held_out))
        self.choices.append(choice)
        self.history.append({"stage": "choice", **asdict(choice)})
        track.rest = with_tensors(track.rest, _copied(model))
        epochs = found.kept_epoch if stage.patience else stage.epochs
        return replace(stage, rate=found.rate, patience=0, epochs=max(1, epochs)), chosen.alpha

    def _learnt_from(self, track: _Track, stage: Stage, graph: Graph, rows: Rows) -> _Lesson:
        """Features, labels and keys of what a stage learns from: the examples, or changed copies of each."""
        if not stage.augment:
            keys = [self._features.keys[place] for place in track.places]
            return _Lesson(rows.subset(track.places), self._labels[track.places], keys, stage)
        augmentation = Augmentation(stage.augment, self.recipe.seed, self._background)
        views = [
            self._features.of_view(track.rest, graph, track.places, augmentation, view) for view in range(stage.views)
        ]
        labels = np.tile(self._labels[track.places], stage.views)
        keys = [key for _, each in views for key in each]
        return _Lesson(join_views([each for each, _ in views]), labels, keys, spread_over_views(stage, stage.views))

    def _fit(
        self,
        model: keras.Model,
        lesson: _Lesson,
        stage: Stage,
        name: str,
        validation: tuple[Rows, NDArray[np.int64]] | None = None,
    ) -> Fit:
        adapted = adapt(model, stage.lora_rank, seed=self.recipe.seed, whole=[self.head]) if stage.lora_rank else None
        frozen = _digest_frozen(model)
        found = fit(
            model,
            lesson.rows,
            lesson.labels,
            lesson.stage,
            seed=self.recipe.seed,
            validation=validation,
            state_folder=self.state_folder / name if self.state_folder is not None else None,
            digest=digest_json([name, lesson.keys]) if self.state_folder is not None else "",
            progress=self.progress,
        )
        if _digest_frozen(model) != frozen:
            raise LayerError(
                "A frozen tensor has changed under training.",
                next_step="report this with the recipe: it must not happen",
            )
        if adapted is not None:
            adapted.merge()
        return found

    def logits(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, k), of the examples at some places, by the weights as they are now."""
        rest = replace(self._all.rest, graph=pack_inputs(self._all.rest.graph))
        return self._run(rest, self._features.rows.subset(places))

    def learnt(self) -> Network:
        """The whole network with the weights as they are now, flagged as in the last stage."""
        return with_tensors(replace(self.network, graph=self._graphs[-1]), self._all.rest.tensors)

    def _before_head(self) -> NDArray[np.float32]:
        """(n, d): what goes into the head before anything is trained, of all examples."""
        rows, suffix = self._features.of_stage(self._features.rest, self._graphs[0])
        before = before_head(suffix, self.head)
        return rows.values() if before is None else self._run(before, rows)

    def _run(self, network: Network, rows: Rows) -> NDArray[np.float32]:
        """Outputs of a network as it is, in inference."""
        return run_in_batches(make_runner(self._build(network), BATCH), rows, BATCH)

    def _build(self, network: Network) -> keras.Model:
        keras.utils.set_random_seed(self.recipe.seed)  # layers that draw random numbers are seeded when they are built
        return build_model(network, self.custom_objects)

    def _note(self, kind: str, found: Fit) -> None:
        self.history += [{"stage": kind, **asdict(epoch)} for epoch in found.history]


def _copied(model: keras.Model) -> dict[str, NDArray[Any]]:
    return {name: np.array(keras.ops.convert_to_numpy(each)) for name, each in name_variables(model).items()}


def _digest_frozen(model: keras.Model) -> str:
    """Of every variable that no stage may change: those of frozen layers, statistics included."""
    layers = model._flatten_layers(include_self=False)  # a model inside says nothing of its layers' flags
    own = [(each, each._trainable_variables + each._non_trainable_variables) for each in layers]
    trained = {id(variable) for layer, variables in own if layer.trainable for variable in variables}
    values = {name: each for name, each in name_variables(model).items() if id(each) not in trained}
    return digest_manifest({name: digest_tensor(keras.ops.convert_to_numpy(each)) for name, each in values.items()})
