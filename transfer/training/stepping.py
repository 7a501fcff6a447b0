"""Steps: loss, gradients, update, moving average, as one function of the whole run that takes several at a call.

A step is taken whole or not at all: where its loss or a gradient is not finite no weight is touched, and the steps
after it are left out. So nothing has to be looked at between steps, and no copy of the weights is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from transfer.graphs.blocks import head_of
from transfer.labellings import Labelling
from transfer.models.building import read_model
from transfer.models.variables import name_variables
from transfer.recipes import Stage
from transfer.training.batching import Chunk
from transfer.training.devices import assign_here, make_agreement, read_here, strategy_of
from transfer.training.layer_shares import layer_shares, shares_of
from transfer.training.losses import distance_penalty
from transfer.training.output_losses import OutputLosses
from transfer.training.updating import make_optimizer, may_overflow

_BALANCE_SHARE = 100.0  # of the rate: a balance has far to go, and few steps for it
_SEEDING = 2  # tells the seeds of layers from the draws of orders and mixing


@dataclass(frozen=True, slots=True)
class Taken:
    """What some steps came to.

    Attributes:
        losses: of each output, the mean over each step's batch, in nats, up to the first step that was not finite.
        finite: whether all were. If not, all weights are what they were before the last one.
    """

    losses: tuple[tuple[float, ...], ...]
    finite: bool


class Stepping:
    """Takes a model's trainable variables from step to step, in place. They start, for L2-SP, where they are now.

    Attributes:
        model: features (b, …) to logits (b, K); regularizers of its layers are left out.
        losses: of its outputs.
        trained: its trainable variables by name.
        balance: (outputs,) what the losses are weighed by, trained with them; None where their weights are fixed.
        optimizer: with all its variables.
        averages: the moving average of each that is trained; empty where the stage has none.
        agree: gives every process that takes part the number that the first one has.
    """

    def __init__(
        self, model: keras.Model, labelling: Labelling, stage: Stage, *, highest_rate: float | None = None
    ) -> None:
        """Set everything up.

        Args:
            model: what is trainable is set already.
            labelling: what its logits say.
            stage: how to train.
            highest_rate: that any step will have; by default the stage's rate, which is a number then.

        Raises:
            ValueError: if nothing is trainable.
        """
        names = {id(variable): name for name, variable in name_variables(model).items()}
        self.model, self.losses = model, OutputLosses(labelling)
        self.trained = {names[id(each)]: each for each in model.trainable_variables}
        if not self.trained:
            raise ValueError(f"nothing is trainable in {model.name!r}")
        self._strategy = strategy_of([*self.trained.values()])
        self.agree = make_agreement(self._strategy)
        with self._strategy.scope() if self._strategy else nullcontext():
            shares = _shares(model, self.trained, stage.layer_decay)
            is_balanced = stage.balance == "uncertainty" and len(labelling) > 1
            self.balance = tf.Variable(tf.zeros(len(labelling)), name="balance") if is_balanced else None
            moved = {**self.trained, **({"balance": self.balance} if is_balanced else {})}
            self.optimizer = make_optimizer(stage, moved, {**shares, "balance": _BALANCE_SHARE})
            self.averages = [tf.Variable(each) for each in copy_values([*self.trained.values()])] if stage.ema else []
        self._stage = stage
        self._guarded = self._has_to_guard(float(stage.rate) if highest_rate is None else highest_rate)
        self._step = _Step(self, stage, self._guarded, self._replicas)
        self._run: Any = None
        self._shapes: tuple[Any, ...] = ()

    def _has_to_guard(self, highest_rate: float) -> bool:
        return bool(may_overflow(self.optimizer.targets, highest_rate) or not _are_finite([*self.trained.values()]))

    def takes_steps_of(self, stage: Stage) -> bool:
        """Whether the steps of a stage are these, but for their rates and number."""
        is_alike = _without_length(stage) == _without_length(self._stage) and not stage.l2_sp
        return is_alike and self._has_to_guard(float(stage.rate)) == self._guarded

    def begin_anew(self) -> None:
        """Go back to where a new one would start with the weights as they are now; what is traced is used again."""
        for each in self.own_variables:
            each.assign(tf.zeros_like(each))
        assign_values(self.averages, [each.value for each in self.trained.values()] if self.averages else [])

    @property
    def own_variables(self) -> list[Any]:
        """What it remembers beside the model and the moving averages: all zeros at the start."""
        return [*self.optimizer.variables, *([] if self.balance is None else [self.balance])]

    @property
    def _replicas(self) -> int:
        return self._strategy.num_replicas_in_sync if self._strategy else 1

    def take(self, chunk: Chunk, rates: Sequence[float]) -> Taken:
        """The steps of a chunk, up to the first that is not finite.

        Args:
            chunk: what they learn from, of one shape but for the number of steps at every call.
            rates: of each.
        """
        chunk = chunk.filled_up(self._replicas)
        shapes = chunk.features.shape[1:], chunk.targets.shape[1:]
        if self._run is None or shapes != self._shapes:
            self._run, self._shapes = _make_run(self._step, self._strategy, chunk), shapes
        losses, count, finite = self._run(
            tf.convert_to_tensor(chunk.features),
            tf.convert_to_tensor(chunk.targets),
            tf.constant(chunk.known),
            tf.constant(np.asarray(rates, np.float32)),
        )
        return Taken(tuple(map(tuple, losses.numpy()[: int(count)].tolist())), bool(finite))

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the moving averages in the place of the weights for a while."""
        kept = copy_values(list(self.trained.values())) if self.averages else []
        self.keep_averages()
        try:
            yield
        finally:
            if kept:
                assign_values(list(self.trained.values()), kept)

    def keep_averages(self) -> None:
        """Put the moving averages, where there are some, in the place of the weights."""
        if self.averages:
            assign_values(list(self.trained.values()), self.averages)


def _without_length(stage: Stage) -> Stage:
    """A stage but for its length and rates, which its steps do not hold."""
    return replace(stage, rate=1.0, schedule="constant", warmup=0.0, epochs=1, steps=0, patience=0)


def copy_values(variables: Sequence[Any]) -> tuple[NDArray[Any], ...]:
    """The values of variables, apart from them."""
    return tuple(np.array(keras.ops.convert_to_numpy(each)) for each in variables)


def assign_values(variables: Sequence[Any], values: Sequence[Any]) -> None:
    """Give variables values, in their order."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def seed_layers(model: keras.Model, seed: int) -> None:
    """Let every layer that draws random numbers begin where the seed says, whatever it drew before."""
    weights = {id(each) for each in model.weights}
    states = [each for each in model.variables if id(each) not in weights]
    for place, state in enumerate(states):
        drawn = np.random.SeedSequence((seed, place, 0, _SEEDING)).generate_state(1)[0] >> 1  # fits signed types
        state.assign([int(drawn), 0])


def _shares(model: keras.Model, trained: Mapping[str, Any], decay: float) -> dict[str, float]:
    return shares_of(trained, layer_shares(read_model(model).graph, decay)) if decay != 1 else {}


class _Step:
    """One step, or a device's part of one: (features, targets, known, rate) to (losses of outputs, was it taken)."""

    def __init__(self, stepping: Stepping, stage: Stage, guarded: bool, replicas: int) -> None:
        """Settle what it works on.

        Args:
            stepping: with its optimizer and averages.
            stage: how to train.
            guarded: whether weights may overflow where all gradients are finite, so that they are checked afterwards.
            replicas: devices that have a part each.
        """
        self._model, self._optimizer, self._averages = stepping.model, stepping.optimizer, stepping.averages
        self._losses, self._balance = stepping.losses, stepping.balance
        self._trained = [*stepping.trained.values()]
        self._moved = [*self._trained, *([] if self._balance is None else [self._balance])]
        self._pulled = _pulled(stepping) if stage.l2_sp else []
        self._starts = [tf.convert_to_tensor(value) for value in copy_values(self._pulled)]
        self._statistics = _statistics(stepping.model)
        self._stage, self._guarded, self._replicas = stage, guarded, replicas

    def __call__(self, features: Any, targets: Any, known: Any, rate: Any) -> tuple[Any, Any]:
        kept = [read_here(each) for each in self._statistics]
        with tf.GradientTape() as tape:
            means = self._losses.means(self._model(features, training=True), targets, known)
            penalty = distance_penalty([each.value for each in self._pulled], self._starts, self._stage.l2_sp)
            whole = self._losses.total(means, self._balance, known, replicas=self._replicas) + penalty / self._replicas
        sources = [each.value if isinstance(each, keras.Variable) else each for each in self._moved]
        gradients = tape.gradient(whole, sources)
        loss, whole, gradients = self._added_up(means, whole, gradients)
        finite = _are_finite([whole, *(each for each in gradients if each is not None), *self._statistics])

        def apply() -> Any:
            return self._apply(gradients, rate)

        taken = tf.cond(finite, apply, lambda: False)
        self._restore(taken, self._statistics, kept)
        return loss, taken

    def _added_up(self, loss: Any, whole: Any, gradients: Sequence[Any]) -> tuple[Any, Any, list[Any]]:
        """Over all devices, without gaps where only some rows of a variable have a gradient."""
        found = [None if each is None else tf.convert_to_tensor(each) for each in gradients]
        if self._replicas == 1:
            return loss, whole, found
        values = [loss, whole, *(each for each in found if each is not None)]
        loss, whole, *rest = tf.distribute.get_replica_context().all_reduce("sum", values)
        remaining = iter(rest)
        return loss, whole, [None if each is None else next(remaining) for each in found]

    def _apply(self, gradients: Sequence[Any], rate: Any) -> Any:
        """Update the weights; whether they are finite now. If not, they are what they were."""
        kept = [read_here(each) for each in self._moved] if self._guarded else []
        self._optimizer.apply(gradients, rate)
        share = self._stage.ema
        for average, each in zip(self._averages, self._trained if self._averages else [], strict=True):
            assign_here(average, share * read_here(average) + (1 - share) * read_here(each))
        if not self._guarded:
            return True
        finite = _are_finite(self._moved)
        self._restore(finite, self._moved, kept)
        return finite

    def _restore(self, unless: Any, variables: Sequence[Any], values: Sequence[Any]) -> None:
        def restore() -> Any:
            for each, value in zip(variables, values, strict=True):
                assign_here(each, value)
            return True

        if variables:
            tf.cond(unless, lambda: True, restore)


def _make_run(step: _Step, strategy: Any, like: Chunk) -> Any:
    """A function of (features, targets, known, rates) of s steps to (losses, steps tried, whether all were taken).

    It is traced once, for batches such as those of a chunk and any number of steps.
    """
    outputs = like.known.shape[1]
    shapes = [(None, *like.features.shape[1:]), (None, *like.targets.shape[1:]), (None, outputs), (None,)]
    dtypes = (like.features.dtype, like.targets.dtype, tf.float32, tf.float32)
    signature = [tf.TensorSpec(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]

    def one(*batch: Any) -> Any:
        if strategy is None:
            return step(*batch)
        found = strategy.run(lambda: step(*_part_of(batch)))
        return tuple(strategy.experimental_local_results(each)[0] for each in found)

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def run(features: Any, targets: Any, known: Any, rates: Any) -> Any:
        steps = tf.shape(rates)[0]

        def body(place: Any, losses: Any, _: Any) -> Any:
            loss, taken = one(features[place], targets[place], known[place], rates[place])
            return place + 1, losses.write(place, loss), taken

        start = (tf.constant(0), tf.TensorArray(tf.float32, steps, element_shape=(outputs,)), tf.constant(True))
        count, losses, finite = tf.while_loop(
            lambda place, _, taken: tf.logical_and(place < steps, taken), body, start, parallel_iterations=1
        )
        return losses.stack(), count, finite

    return run


def _part_of(batch: Sequence[Any]) -> tuple[Any, ...]:
    """What of a batch is this device's: rows in a row, one more for some where they do not divide evenly."""
    context = tf.distribute.get_replica_context()
    features, targets, known, rate = batch
    rows, parts, own = (
        features.shape[0],
        context.num_replicas_in_sync,
        int(tf.get_static_value(context.replica_id_in_sync_group)),
    )
    part = slice(own * rows // parts, (own + 1) * rows // parts)
    return features[part], targets[part], known, rate


def _pulled(stepping: Stepping) -> list[Any]:
    """What is trained and not of the head."""
    head = head_of(read_model(stepping.model).graph)
    return [each for name, each in stepping.trained.items() if not any(name.startswith(f"{path}/") for path in head)]


def _statistics(model: keras.Model) -> list[Any]:
    """What a step changes without a gradient: statistics of normalizations that are not frozen."""
    frozen = {id(each) for layer in model._flatten_layers() if not layer.trainable for each in layer.weights}
    return [each for each in model.non_trainable_weights if id(each) not in frozen]


def _are_finite(values: Sequence[Any]) -> Any:
    """Whether all are, and the sums of their squares too: Adam squares gradients. It takes no copy."""
    found = [read_here(each) if isinstance(each, keras.Variable) else each for each in values]
    floating = [each for each in found if each.dtype.is_floating]
    return tf.reduce_all([tf.math.is_finite(tf.nn.l2_loss(_at_least_single(each))) for each in floating])


def _at_least_single(values: Any) -> Any:
    return values if values.dtype.size >= 4 else tf.cast(values, tf.float32)
