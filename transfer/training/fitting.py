"""Training a model from features to logits by steps, and going on to the bit where a run was cut off.

Orders, mixing and the layers' random numbers come from the seed; where a run stands is written down as
`training_state` says. No clock enters the result, but for a deadline that somebody sets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any, Literal, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.errors import NotFiniteError, Problem
from transfer.models.variables import name_variables
from transfer.recipes import Stage
from transfer.specs import Progress, silent
from transfer.training.batching import Batching, Features
from transfer.training.features import Runner
from transfer.training.history import Epoch, unwatched
from transfer.training.labels import Labels, as_labels
from transfer.training.pacing import Pace
from transfer.training.precision import in_precision, settled_precision
from transfer.training.rate_finding import find_rate
from transfer.training.saving_times import SavingTimes
from transfer.training.schedules import rate_at
from transfer.training.stepping import Stepping, assign_values, copy_values, seed_layers
from transfer.training.stilling import stilled
from transfer.training.synchronizing import synchronized
from transfer.training.training_state import Arrays, StateFolder, States, TrainingState
from transfer.training.update_sizes import read_weights, trained_kernels, update_sizes
from transfer.training.validating import Validated, Validator, make_validator
from transfer.weights.digests import digest_json, digest_manifest
from transfer.weights.tensor_digests import digest_tensor

Labelled: TypeAlias = tuple[Features, Labels | NDArray[np.integer[Any]]]  # n examples and their labels
_ARITHMETIC = 5  # where it changes, a run that was begun before cannot go on to the same bits
Ending: TypeAlias = Literal["complete", "patience", "deadline"]


@dataclass(frozen=True, slots=True)
class Fit:
    """What training came to.

    Attributes:
        history: of the complete epochs.
        steps: taken in all.
        rate: the learning rate at its highest, as given or found.
        kept_epoch: the epoch after which the weights were as they are now; with early stopping the best one.
        ended: `complete`, by `patience`, or by the `deadline`.
        stepping: what took the steps, for a `fit` of the same model that is to trace nothing again;
            None where that was elsewhere.
        resumed_at: steps that it went on from, taken before it was cut off; 0 where it began anew.
    """

    history: tuple[Epoch, ...]
    steps: int
    rate: float
    kept_epoch: int
    ended: Ending
    stepping: Stepping | None = field(default=None, repr=False, compare=False)
    resumed_at: int = field(default=0, repr=False, compare=False)


def fit(
    model: keras.Model,
    features: Features,
    labels: Labels | NDArray[np.integer[Any]],
    stage: Stage,
    *,
    seed: int,
    validation: Labelled | None = None,
    state_folder: Path | States | None = None,
    digest: str = "",
    save_every_seconds: float = 60.0,
    save_every_steps: int = 0,
    deadline: float | None = None,
    stepping: Stepping | None = None,
    runner: Runner | None = None,
    name: str = "tuning",
    progress: Progress = silent,
    watch: Callable[[Epoch], None] = unwatched,
) -> Fit:
    """Train a model's trainable variables in place.

    Called again with the same arguments and the model as it was, it goes on from the state in `state_folder`, and ends
    with the same bits as a run that was never cut off; where that one is over, it gives its result.

    Args:
        model: features to logits (n, K); what is trainable is set already.
        features: (n, …), in memory or read by places.
        labels: of each output; or (n,), each in 0 … K - 1.
        stage: how to train.
        seed: of the order of examples, of mixing, and of layers that draw random numbers.
        validation: examples to stop early by and to tell of; nothing is learnt from them.
        state_folder: where the run writes down where it stands, or what keeps that; None for nowhere.
        digest: of the features and all else that the caller puts in; a state with another is refused.
        save_every_seconds: how much work a kill may cost.
        save_every_steps: the same in steps, besides; 0 for no such limit.
        deadline: of `time.monotonic`, after which no step is taken; the state is kept, and the result is that so far.
        stepping: of an earlier `fit` of the model, used again where its steps are alike; the result is the same.
        runner: of the model, for batches as they are validated, used where it is trained in single precision.
        name: what it is called where it is told of.
        progress: told of each epoch.
        watch: given each epoch, first those from before the run was cut off.

    Raises:
        NotFiniteError: if a step is not finite: the model keeps the values before it.
        TrainingError: if the state is damaged or another run's.
        ValueError: if there are no examples, nothing is trainable, or patience has nothing to validate on.
    """
    if stage.patience and validation is None:
        raise ValueError("patience needs examples to validate on")
    stage = replace(stage, precision=settled_precision(stage.precision))
    seed_layers(model, seed)
    folder = StateFolder(state_folder) if isinstance(state_folder, Path) else state_folder
    units = int(model.output_shape[-1])
    labels = as_labels(labels, units)
    tested = None if validation is None else (validation[0], as_labels(validation[1], units))
    asked = _asked(model, labels, stage, seed, tested[1] if tested else None, digest) if folder else ""
    state = folder.load(asked) if folder else None
    batching = Batching(features, labels, stage, seed=seed)
    with stilled(model), synchronized(model), in_precision(model, stage.precision):
        if stage.rate == "auto":
            found = state.rate if state else find_rate(model, labels.labelling, batching, stage, deadline=deadline)
            stage = replace(stage, rate=found)
        if stepping is not None and stepping.model is model and stepping.takes_steps_of(stage):
            stepping.begin_anew()
        else:
            stepping = Stepping(model, labels.labelling, stage)
        runner = runner if stage.precision == "float32" else None
        validate = make_validator(model, *tested, stage.batch_size, runner) if tested is not None else None
        run = _Run(stepping, batching, stage, asked, validate)
        if state:
            run.resume(state)
            progress(f"{name}, going on from step {run.taken}", len(run.history), run.epochs)
        resumed_at = run.taken
        for epoch in run.history:
            watch(epoch)
        saving = SavingTimes(folder, every_seconds=save_every_seconds, every_steps=save_every_steps)
        ended = run.go(saving, deadline, partial(_tell, name, progress, watch))
        saving.save(run.state)
        return replace(run.finish(ended), resumed_at=resumed_at)


class _Run:
    """A run and where it stands."""

    def __init__(
        self, stepping: Stepping, batching: Batching, stage: Stage, asked: str, validate: Validator | None
    ) -> None:
        self.stepping = stepping
        self.kernels = trained_kernels(stepping.model)
        self.batching, self.stage, self.asked = batching, stage, asked
        self.pace = Pace()
        self.validate = validate
        self.steps = stage.steps or stage.epochs * batching.steps
        self.epochs = -(-self.steps // batching.steps)
        self.history: list[Epoch] = []
        self.step, self.losses, self.known = 0, self.nothing, self.nothing
        self.best_epoch = 0
        self.best: Arrays = ()

    @property
    def nothing(self) -> tuple[float, ...]:
        return (0.0,) * len(self.stepping.losses.names)

    @property
    def taken(self) -> int:
        """Steps in all."""
        return min(len(self.history) * self.batching.steps + self.step, self.steps)

    def state(self) -> TrainingState:
        return TrainingState(
            asked=self.asked,
            rate=float(self.stage.rate),
            epoch=len(self.history),
            step=self.step,
            losses=self.losses,
            known=self.known,
            history=tuple(self.history),
            best_epoch=self.best_epoch,
            variables=copy_values(self.stepping.model.variables),
            optimizer=copy_values(self.stepping.own_variables),
            averages=copy_values(self.stepping.averages),
            best=self.best,
        )

    def resume(self, state: TrainingState) -> None:
        self.history = list(state.history)
        self.step, self.losses, self.known = state.step, state.losses, state.known
        self.best_epoch, self.best = state.best_epoch, state.best
        assign_values(self.stepping.model.variables, state.variables)
        assign_values(self.stepping.own_variables, state.optimizer)
        assign_values(self.stepping.averages, state.averages)

    def go(self, saving: SavingTimes, deadline: float | None, tell: Callable[[Epoch, int], None]) -> Ending:
        while len(self.history) < self.epochs:
            if self.stage.patience and self.stepping.agree(self.has_lost_patience()):
                return "patience"
            if not self.go_through_epoch(saving, deadline):
                return "deadline"
            saving.after_epoch(self.state)
            tell(self.history[-1], self.epochs)
        return "complete"

    def has_lost_patience(self) -> bool:
        return 0 < self.stage.patience <= len(self.history) - self.best_epoch

    def go_through_epoch(self, saving: SavingTimes, deadline: float | None) -> bool:
        """Take the steps that an epoch lacks; false if there was no time for all."""
        last = min(self.batching.steps, self.steps - len(self.history) * self.batching.steps) - 1
        while self.step < last:
            possible = min(self.pace.steps, last - self.step, saving.steps or last)
            count = self.stepping.agree(0 if _is_over(deadline) else possible)
            if not count:
                return False
            self.take_steps(count)
            saving.after_steps(count, self.state)
        if deadline is not None and self.stepping.agree(_is_over(deadline)):
            return False
        before = read_weights(self.kernels)
        self.take_steps(1)
        self.end_epoch(update_sizes(before, read_weights(self.kernels)))
        return True

    def take_steps(self, count: int) -> None:
        epoch = len(self.history) + 1
        start = time.monotonic()
        chunk = self.batching.chunk(epoch, self.step, count)
        rates = [rate_at(self.stage, self.taken + place, self.steps) for place in range(count)]
        taken = self.stepping.take(chunk, rates)
        self.pace.note(time.monotonic() - start, chunk.features.nbytes // count)
        if not taken.finite:
            step = self.step + len(taken.losses)
            found = self.not_finite(taken.losses[-1])
            raise NotFiniteError(
                f"Training stopped being finite at step {step} of epoch {epoch}.",
                [Problem(f"step {step} of epoch {epoch}", "a finite loss, gradients and weights", found)],
                f"choose a smaller rate; at this step it was {rates[len(taken.losses) - 1]:g}",
            )
        for losses, known in zip(taken.losses, chunk.known.astype(np.float64).tolist(), strict=True):
            self.losses = tuple(map(sum, zip(self.losses, np.multiply(losses, known).tolist(), strict=True)))
            self.known = tuple(map(sum, zip(self.known, known, strict=True)))
        self.step += count

    def not_finite(self, losses: tuple[float, ...]) -> str:
        """What a step that was not finite came to, and in which of several outputs."""
        names = self.stepping.losses.names
        bad = [name for name, loss in zip(names, losses, strict=True) if not isfinite(loss)]
        loss = self.stepping.losses.weighed(losses)
        where = f" in {', '.join(bad)}" if bad and len(names) > 1 else ""
        return f"a loss of {loss:g}{where}" + ("; gradients or weights are not" if isfinite(loss) else "")

    def end_epoch(self, updates: dict[str, float]) -> None:
        """Tell of the epoch that is complete, and keep its weights where they are the best."""
        number, rate = len(self.history) + 1, rate_at(self.stage, self.taken - 1, self.steps)
        losses = [loss / known if known else 0.0 for loss, known in zip(self.losses, self.known, strict=True)]
        epoch = Epoch(number, self.stepping.losses.weighed(losses), updates, rate, outputs=self.by_output(losses))
        if self.validate is not None:
            with self.stepping.averaged():
                found = self.validate()
                outputs = self.by_output(losses, found)
                epoch = replace(epoch, validation_loss=found.loss, validation_accuracy=found.accuracy, outputs=outputs)
                if self.stage.patience and self.is_best(epoch):
                    self.best_epoch, self.best = number, copy_values(self.stepping.model.variables)
        self.history.append(epoch)
        self.step, self.losses, self.known = 0, self.nothing, self.nothing

    def by_output(self, losses: Sequence[float], found: Validated | None = None) -> dict[str, dict[str, float]]:
        """What an epoch tells of each of several outputs."""
        names = self.stepping.losses.names
        if len(names) < 2:
            return {}
        told = {name: {"loss": loss} for name, loss in zip(names, losses, strict=True)}
        for place, name in enumerate(names):
            if found:
                told[name]["validation_loss"] = found.losses[place]
            if found and (accuracy := found.accuracies[place]) is not None:
                told[name]["validation_accuracy"] = accuracy
        return told

    def is_best(self, epoch: Epoch) -> bool:
        loss = epoch.validation_loss
        best = self.history[self.best_epoch - 1].validation_loss if self.best_epoch else float("inf")
        return loss is not None and best is not None and loss < best

    def finish(self, ended: Ending) -> Fit:
        """Give the model the weights that are kept."""
        if self.best:
            assign_values(self.stepping.model.variables, self.best)
        else:
            self.stepping.keep_averages()
        kept = self.best_epoch or len(self.history)
        return Fit(tuple(self.history), self.taken, float(self.stage.rate), kept, ended, self.stepping)


def _tell(name: str, progress: Progress, watch: Callable[[Epoch], None], epoch: Epoch, epochs: int) -> None:
    watch(epoch)
    validation = f", validation {epoch.validation_loss:.4f}" if epoch.validation_loss is not None else ""
    progress(f"{name}, epoch {epoch.number}, loss {epoch.loss:.4f}{validation}", epoch.number, epochs)


def _is_over(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _asked(
    model: keras.Model,
    labels: Labels,
    stage: Stage,
    seed: int,
    validation: Labels | None,
    digest: str,
) -> str:
    """Digest of all that settles the result, the features by what the caller says of them."""
    weights = {name: digest_tensor(*copy_values([each])) for name, each in name_variables(model).items()}
    return digest_json(
        {
            "arithmetic": _ARITHMETIC,
            "inputs": digest,
            "labels": labels.digest(),
            "validation": validation.digest() if validation else "",
            "stage": asdict(stage),
            "seed": seed,
            "weights": digest_manifest(weights),
            "trained": [names for names, each in name_variables(model).items() if each.trainable],
        }
    )
