"""One stage of training on the features of some examples, with what is frozen held against what it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import keras

from transfer.errors import LayerError, NotFiniteError
from transfer.models.variables import name_variables
from transfer.recipes import Stage
from transfer.specs import Progress
from transfer.training.batching import Features
from transfer.training.devices import strategy_of
from transfer.training.features import Runner
from transfer.training.fitting import Fit, Labelled, fit
from transfer.training.history import Watch, unwatched
from transfer.training.labels import Labels
from transfer.training.low_rank import adapt
from transfer.training.stepping import Stepping
from transfer.training.training_state import States
from transfer.weights.digests import digest_json, digest_manifest
from transfer.weights.tensor_digests import digest_tensor


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a stage learns from.

    Attributes:
        name: what it is called, for the state that is kept: `trial_1` or `stage_1`, by the stage's place in the recipe.
        rows: (m, …) features.
        labels: (m,).
        keys: of the rows, as outputs of the prefix.
        stage: how it learns from them.
        validation: examples to tell of and to stop early by; None for none.
        deadline: of `time.monotonic`, after which no step is taken.
        stepping: of an earlier lesson of the same model, of a stage whose steps are alike.
        runner: of the model as it is without products of low rank, for batches as they are validated.
    """

    name: str
    rows: Features
    labels: Labels
    keys: list[str]
    stage: Stage
    validation: Labelled | None = None
    deadline: float | None = None
    stepping: Stepping | None = None
    runner: Runner | None = None

    @property
    def title(self) -> str:
        """What it is called for a reader: `trial of stage 1`, or `stage 1`."""
        return self.name.replace("trial_", "trial of stage ").replace("_", " ")


class Fitter(Protocol):
    """Where lessons are taken: `take_lesson` in this process, or something that hands them to others."""

    def __call__(
        self,
        model: keras.Model,
        lesson: Lesson,
        *,
        heads: Sequence[str],
        seed: int,
        state_folder: Path | None,
        custom_objects: Mapping[str, Any],
        progress: Progress,
        watch: Watch = unwatched,
    ) -> Fit:
        """Train a model in place; see `take_lesson`."""


def take_lesson(
    model: keras.Model,
    lesson: Lesson,
    *,
    heads: Sequence[str],
    seed: int,
    state_folder: Path | States | None,
    progress: Progress,
    watch: Watch = unwatched,
    custom_objects: Mapping[str, Any] | None = None,  # noqa: ARG001  # the model is built already
) -> Fit:
    """Train a model in place.

    Args:
        model: features to logits, flagged as the stage asks.
        lesson: what it learns from.
        heads: names of the layers that give the logits.
        seed: of all that is drawn.
        state_folder: for the states of all lessons of a run, or what keeps those of this one; None for nowhere.
        progress: told of each epoch.
        watch: given each epoch, with the lesson's name.
        custom_objects: classes of the caller's in the model, by name, for a `Fitter` that builds it elsewhere.

    Raises:
        NotFiniteError: if a step is not finite; the model has the weights before it.
        LayerError: if a frozen tensor has changed.
    """
    rank = lesson.stage.lora_rank
    with strategy.scope() if (strategy := strategy_of(model.variables)) else nullcontext():
        adapted = adapt(model, rank, seed=seed, whole=heads) if rank else None
    frozen = digest_frozen(model)
    try:
        found = fit(
            model,
            lesson.rows,
            lesson.labels,
            lesson.stage,
            seed=seed,
            validation=lesson.validation,
            state_folder=state_folder / lesson.name if isinstance(state_folder, Path) else state_folder,
            digest=digest_json([lesson.name, lesson.keys]) if state_folder is not None else "",
            deadline=lesson.deadline,
            stepping=lesson.stepping,
            runner=lesson.runner if adapted is None else None,
            name=lesson.title,
            progress=progress,
            watch=partial(watch, lesson.name),
        )
    except NotFiniteError:
        if adapted is not None:
            adapted.merge()
        raise
    if digest_frozen(model) != frozen:
        raise LayerError(
            "A frozen tensor has changed under training.",
            next_step="report this with the recipe: it must not happen",
        )
    if adapted is not None:
        adapted.merge()
    return found


def digest_frozen(model: keras.Model) -> str:
    """Of every variable that no stage may change: those of frozen layers, statistics included."""
    layers = model._flatten_layers(include_self=False)  # a model inside says nothing of its layers' flags
    own = [(each, each._trainable_variables + each._non_trainable_variables) for each in layers]
    trained = {id(variable) for layer, variables in own if layer.trainable for variable in variables}
    values = {name: each for name, each in name_variables(model).items() if id(each) not in trained}
    return digest_manifest({name: digest_tensor(keras.ops.convert_to_numpy(each)) for name, each in values.items()})
