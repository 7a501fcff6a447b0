"""Following an objective over examples without labels, and going on to the bit where a run was cut off.

Orders and all that is drawn come from the seed; where a run stands is written down as `training_state` says. No clock
enters the result, but for a deadline that somebody sets. An epoch has as many whole batches as there are; examples
that are left over in one have their turn in another, whose order differs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.errors import NotFiniteError, Problem
from transfer.models.variables import name_variables
from transfer.specs import Progress, silent
from transfer.training.batching import Readable, read_rows
from transfer.training.history import Epoch
from transfer.training.pretraining.bounds import Bounds, check
from transfer.training.pretraining.objectives import Objective
from transfer.training.pretraining.steps import Steps
from transfer.training.saving_times import SavingTimes
from transfer.training.stepping import assign_values, copy_values, seed_layers
from transfer.training.training_state import StateFolder, TrainingState
from transfer.weights.digests import digest_json, digest_manifest
from transfer.weights.tensor_digests import digest_tensor

SEEN = 600_000  # examples that a run sees, where nothing is said
_FEWEST, _MOST = 10, 200  # epochs, likewise
Ending: TypeAlias = Literal["complete", "deadline"]
Watch: TypeAlias = Callable[[Epoch], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How long and how fast to pretrain.

    Attributes:
        epochs: passes over the examples; None for so many that about 600,000 are seen, at least 10 and at most 200.
        batch_size: examples of a step; a smaller set gives smaller ones.
        rate: of Adam, at its highest.
        warmup: share of the steps in which the rate rises; it falls by a cosine after that.
        weight_decay: of kernels, a step, times the rate.
    """

    epochs: int | None = None
    batch_size: int = 128
    rate: float = 1e-3
    warmup: float = 0.05
    weight_decay: float = 0.0

    BOUNDS: ClassVar[Mapping[str, Bounds]] = {
        "epochs": Bounds(1, whole=True, may_lack=True),
        "batch_size": Bounds(2, whole=True),
        "rate": Bounds(0, above=True),
        "warmup": Bounds(0, 1, below=True),
        "weight_decay": Bounds(0),
    }

    def __post_init__(self) -> None:
        check(self, self.BOUNDS)

    def epochs_for(self, examples: int) -> int:
        """Passes over so many examples."""
        return self.epochs or int(np.clip(round(SEEN / examples), _FEWEST, _MOST))

    def rate_at(self, step: int, steps: int) -> float:
        """The rate with which a step is taken, from 0, of so many: up a line, then down a cosine to 0.

        Source: Loshchilov & Hutter (2017), "SGDR", ICLR, section 3; Goyal et al. (2017), section 2.2, for the rise.
        """
        warming = round(self.warmup * steps)
        if step < warming:
            return self.rate * (step + 1) / warming
        return self.rate * (1 + cos(pi * (step - warming) / (steps - warming))) / 2


@dataclass(frozen=True, slots=True)
class Followed:
    """What following an objective came to.

    Attributes:
        history: of the complete epochs; `outputs` holds each measure's mean.
        steps: taken in all.
        ended: `complete`, or by the `deadline`.
        resumed_at: steps that it went on from; 0 where it began anew.
    """

    history: tuple[Epoch, ...]
    steps: int
    ended: Ending
    resumed_at: int = 0


def follow(
    objective: Objective,
    rows: Readable,
    pace: Pace,
    *,
    seed: int,
    state_folder: Path | None = None,
    digest: str = "",
    save_every_seconds: float = 60.0,
    deadline: float | None = None,
    progress: Progress = silent,
    watch: Watch = lambda _: None,
) -> Followed:
    """Train all that an objective trains, in place.

    Called again with the same arguments and the networks as they were, it goes on from the state in `state_folder`, and
    ends with the same bits as a run that was never cut off.

    Args:
        objective: what is trained.
        rows: of the examples, as they go into the encoder, read by places.
        pace: how long and how fast.
        seed: of orders and of all that is drawn.
        state_folder: where the run writes down where it stands; None for nowhere.
        digest: of the rows and all else that the caller puts in; a state with another is refused.
        save_every_seconds: how much work a kill may cost.
        deadline: of `time.monotonic`, after which no step is taken.
        progress: told of each epoch, and of steps.
        watch: given each epoch, first those from before the run was cut off.

    Raises:
        NotFiniteError: if a step is not finite: the networks keep the values before it.
        TrainingError: if the state is damaged or another run's.
        ValueError: if there are fewer than two examples.
    """
    if len(rows) < 2:
        raise ValueError(f"pretraining needs two examples at least: {len(rows)}")
    for model in objective.models.values():
        seed_layers(model, seed)
    folder = StateFolder(state_folder) if state_folder is not None else None
    run = _Run(objective, rows, pace, seed, _asked(objective, pace, seed, digest) if folder else "")
    state = folder.load(run.asked) if folder else None
    if state:
        run.resume(state)
    resumed_at = run.taken
    for epoch in run.history:
        watch(epoch)
    saving = SavingTimes(folder, every_seconds=save_every_seconds)
    ended = run.go(saving, deadline, progress, watch)
    saving.save(run.state)
    return Followed(tuple(run.history), run.taken, ended, resumed_at)


class _Run:
    """A run and where it stands."""

    def __init__(self, objective: Objective, rows: Readable, pace: Pace, seed: int, asked: str) -> None:
        self.size = min(pace.batch_size, len(rows))
        self.steps_of_epoch, self.epochs = len(rows) // self.size, pace.epochs_for(len(rows))
        self.rows, self.seed, self.asked = rows, seed, asked
        self.pace = pace
        some = read_rows(rows, np.arange(self.size))
        self.stepping = Steps(objective, some, seed=seed, weight_decay=pace.weight_decay, highest_rate=pace.rate)
        self.history: list[Epoch] = []
        self.step, self.sums = 0, np.zeros(len(self.stepping.measures))

    @property
    def taken(self) -> int:
        """Steps in all."""
        return len(self.history) * self.steps_of_epoch + self.step

    def state(self) -> TrainingState:
        return TrainingState(
            asked=self.asked,
            rate=self.pace.rate,
            epoch=len(self.history),
            step=self.step,
            losses=tuple(self.sums.tolist()),
            known=(float(self.step),),
            history=tuple(self.history),
            best_epoch=0,
            variables=copy_values(self.stepping.variables),
            optimizer=(),
        )

    def resume(self, state: TrainingState) -> None:
        self.history, self.step, self.sums = list(state.history), state.step, np.array(state.losses)
        assign_values(self.stepping.variables, state.variables)

    def go(self, saving: SavingTimes, deadline: float | None, progress: Progress, watch: Watch) -> Ending:
        total = self.epochs * self.steps_of_epoch
        while len(self.history) < self.epochs:
            order = np.random.default_rng((self.seed, len(self.history) + 1)).permutation(len(self.rows))
            before = self.stepping.drifting()
            while self.step < self.steps_of_epoch:
                if deadline is not None and time.monotonic() >= deadline:
                    return "deadline"
                self.take(order, total, before)
                saving.after_steps(1, self.state)
                progress(self.told(), self.taken, total)
            self.end_epoch(total)
            saving.after_epoch(self.state)
            watch(self.history[-1])
        return "complete"

    def take(self, order: NDArray[np.intp], total: int, before: list[NDArray[Any]]) -> None:
        places = order[self.step * self.size : (self.step + 1) * self.size]
        rate = self.pace.rate_at(self.taken, total)
        found = self.stepping.take(read_rows(self.rows, places), rate, self.taken)
        if not found.finite:
            self.stepping.put_back(before)
            where = f"step {self.step + 1} of epoch {len(self.history) + 1}"
            told = ", ".join(
                f"{name} {value:g}" for name, value in zip(self.stepping.measures, found.measures, strict=True)
            )
            rest = ", gradients or weights that are not" if np.isfinite(found.measures).all() else ""
            raise NotFiniteError(
                f"Pretraining stopped being finite at {where}.",
                [Problem(where, "finite losses, gradients and weights", told + rest)],
                f"choose a smaller rate; at this step it was {rate:g}",
            )
        self.sums += found.measures
        self.step += 1

    def told(self) -> str:
        """What is going on, for a progress bar."""
        name = self.stepping.measures[0]
        return f"pretraining, epoch {len(self.history) + 1}, {name} {self.sums[0] / self.step:.4f}"

    def end_epoch(self, total: int) -> None:
        means = dict(zip(self.stepping.measures, (self.sums / self.step).tolist(), strict=True))
        outputs = {name: {"value": value} for name, value in means.items()}
        rate = self.pace.rate_at(self.taken - 1, total)
        self.history.append(Epoch(len(self.history) + 1, next(iter(means.values())), {}, rate, outputs=outputs))
        self.step, self.sums = 0, np.zeros_like(self.sums)


def _asked(objective: Objective, pace: Pace, seed: int, digest: str) -> str:
    """Digest of all that settles the result, the rows by what the caller says of them."""
    weights = digest_variables(*objective.models.values())
    return digest_json({"inputs": digest, "pace": asdict(pace), "seed": seed, "weights": weights})


def digest_variables(*models: keras.Model) -> str:
    """Of all variables of some models, by their names and values."""
    several = enumerate(name_variables(each) for each in models)
    return digest_manifest(
        {
            f"{place}/{name}": digest_tensor(*copy_values([each]))
            for place, named in several
            for name, each in named.items()
        }
    )
