"""A run in small: each of its parts once on a batch or a few, with the clock running.

What is measured is the run's own code on its own network and examples; only the counts are small. Nothing is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.analysis.estimates import Pace
from transfer.data.targets import known
from transfer.evidence.output_baselines import linear_on_inputs
from transfer.graphs.graph import Graph
from transfer.graphs.packing import pack_inputs
from transfer.models.building import build_model
from transfer.recipes import Recipe, Stage
from transfer.specs import Json
from transfer.surgery.network import Network
from transfer.training.features import make_runner
from transfer.training.fitting import fit
from transfer.training.labels import Labels
from transfer.training.low_rank import adapt
from transfer.training.prefixing import BATCH, Piece, split_off_prefix, split_stage

PATIENCE = 0.5  # seconds for which a batch or steps are repeated, once they are compiled
_MOST_TIMES = 20
_MOST_STEPS = 8  # of an epoch
_BACK = 3  # a step costs about so many passes forwards
_EVEN = 1500  # coordinates of a head
_TINY = 1e-9  # a rate at which nothing goes wrong


@dataclass(frozen=True, slots=True)
class Sample:
    """Some examples that stand for all.

    Attributes:
        rows: (b, …) as they go into the network, at most a batch.
        shape: of one as the network takes it.
        feeding: how they are brought, as plain values.
        learnt: how many examples will be learnt from.
    """

    rows: NDArray[Any] = field(repr=False)
    shape: tuple[int, ...]
    feeding: Json
    learnt: int


@dataclass(frozen=True, slots=True)
class StagePace:
    """How a stage went.

    Attributes:
        between: running a batch through what is fixed in this stage and trained in another.
        step: of training; for the probe none.
        row_bytes: that are kept of each example behind `between`; 0 where nothing is fixed in this stage alone.
    """

    between: Pace
    step: Pace
    row_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How a run went in small.

    Attributes:
        prefix: running a batch of examples through what no stage trains.
        key: of the prefix, under which its outputs are kept.
        row_bytes: of its output for one example.
        answer: running a batch of its outputs through the rest of the network.
        stages: in order.
    """

    prefix: Pace
    key: str
    row_bytes: int
    answer: Pace
    stages: tuple[StagePace, ...]


@dataclass(frozen=True, slots=True)
class SolvingPace:
    """How long heads take to be solved.

    Attributes:
        importing: seconds of what is imported for it, once.
        least: seconds that each takes, however small.
        each: seconds for a unit of `solving_work` beyond.
    """

    importing: float
    least: float
    each: float

    def seconds(self, examples: int, width: int) -> float:
        """Of one head, on so many inputs of so many values."""
        return self.least + self.each * solving_work(examples, width)


def solving_work(examples: int, width: int) -> float:
    """What solving a head goes with: passes over examples in as many coordinates as they span, and finding these.

    Finding them costs as much as the passes where there are about 1,500: measured on drawings, digits and noise.
    """
    span = min(examples, width)
    return examples * span * (1 + span / _EVEN)


def rehearse(
    network: Network,
    heads: Sequence[str],
    graphs: Sequence[Graph],
    recipe: Recipe,
    sample: Sample,
    custom_objects: dict[str, Any],
) -> Rehearsal:
    """Go through the stages of a recipe on one batch.

    Args:
        network: from raw inputs to logits.
        heads: names of the layers that give them.
        graphs: its graph with the flags of each stage.
        recipe: what the run will do.
        sample: of the examples.
        custom_objects: classes of the caller's, by name.
    """
    prefix, rest = split_off_prefix(network, graphs)
    piece = Piece(prefix, shape=sample.shape, feeding=sample.feeding, custom_objects=custom_objects)
    pace = _paced(lambda: piece.run(sample.rows))
    rows = piece.run(sample.rows)
    packed = replace(rest, graph=pack_inputs(rest.graph))
    answer = _pace_of_answers(lambda: build_model(packed, custom_objects), rows)
    stages = []
    for stage, graph in zip(recipe.stages, graphs, strict=True):
        between, suffix = split_stage(rest, graph)
        through, taken = Pace(), rows
        if between is not None:
            further = Piece(between, custom_objects=custom_objects)
            through = _paced(partial(further.run, rows))
            taken = further.run(rows)
        step = Pace()
        if stage.kind == "tune":
            step = _pace_of_steps(suffix, heads, stage, taken, sample.learnt, answer.each / BATCH, custom_objects)
        stages.append(StagePace(through, step, taken[0].nbytes if between is not None else 0))
    return Rehearsal(pace, piece.key, rows[0].nbytes, answer, tuple(stages))


def rehearse_solving(inputs: NDArray[Any], labels: Labels, seed: int) -> SolvingPace:
    """How long solving the heads takes, with their cross-validation: on some examples, and on a quarter of them.

    Args:
        inputs: (m, …).
        labels: of m examples.
        seed: of the folds.
    """
    few = np.arange(0, len(inputs), 4)
    if not any(len(np.unique(values[few][known(values[few])])) > 1 for values in labels.targets):
        return SolvingPace(0.0, 0.0, 0.0)
    tiny = Labels.of_classes(np.arange(8) % 2, 2)
    importing = _seconds_of_solving(np.arange(8.0).reshape(8, 1), tiny, seed)
    small = _seconds_of_solving(inputs[few], labels[few], seed)
    whole = _seconds_of_solving(inputs, labels, seed)
    width = inputs[0].size
    slope = max(0.0, whole - small) / max(1, solving_work(len(inputs), width) - solving_work(len(few), width))
    return SolvingPace(importing, max(0.0, whole - slope * solving_work(len(inputs), width)), slope)


def _seconds_of_solving(inputs: NDArray[Any], labels: Labels, seed: int) -> float:
    start, places = time.perf_counter(), np.arange(len(inputs))
    linear_on_inputs(inputs, places, labels, places[:1], seed=seed)
    return time.perf_counter() - start


def _paced(run: Callable[[], Any]) -> Pace:
    start = time.perf_counter()
    run()
    whole = time.perf_counter() - start
    each = _repeated(run)
    return Pace(max(0.0, whole - each), each)


def _repeated(run: Callable[[], Any]) -> float:
    """Seconds of one of several times, the median."""
    found: list[float] = []
    while not found or (len(found) < _MOST_TIMES and sum(found) < PATIENCE):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return float(np.median(found))


def _pace_of_answers(build: Callable[[], keras.Model], rows: NDArray[np.float32]) -> Pace:
    start = time.perf_counter()
    run = make_runner(build(), BATCH)
    built = time.perf_counter() - start
    pace = _paced(lambda: run(rows))
    return replace(pace, first=built + pace.first)


def _pace_of_steps(
    suffix: Network,
    heads: Sequence[str],
    stage: Stage,
    rows: NDArray[np.float32],
    learnt: int,
    forward: float,
    custom_objects: dict[str, Any],
) -> Pace:
    """Two short epochs; the second has nothing left to compile.

    Args:
        suffix: what is trained.
        heads: names of the layers that give the logits.
        stage: how.
        rows: (b, …) that go in.
        learnt: examples that will be learnt from.
        forward: seconds of the network for one example, by which the number of steps is bounded.
        custom_objects: classes of the caller's, by name.
    """
    start = time.perf_counter()
    model = build_model(suffix, custom_objects)
    if stage.lora_rank:
        adapt(model, stage.lora_rank, seed=0, whole=heads)
    size = min(stage.batch_size, learnt)
    steps = int(np.clip(PATIENCE / (_BACK * size * forward), 1, min(_MOST_STEPS, -(-learnt // size))))
    features, ends = _Again(rows, steps * size), dict[int, float]()
    labels = np.arange(len(features)) % int(model.output_shape[-1])
    short = replace(stage, epochs=2, steps=0, rate=_TINY, patience=0, class_weights="none")

    def note(_stage: str, epochs: int, _all: int) -> None:
        ends.setdefault(epochs, time.perf_counter())

    fit(model, features, labels, short, seed=0, progress=note)
    each = (ends[2] - ends[1]) / steps
    return Pace(max(0.0, ends[1] - start - steps * each), each)


class _Again:
    """A few rows, over and over, as if they were many."""

    def __init__(self, rows: NDArray[np.float32], count: int) -> None:
        self._rows, self._count = rows, count

    def __len__(self) -> int:
        return self._count

    def read(self, places: NDArray[np.intp]) -> NDArray[Any]:
        """Those at some places, (b, …)."""
        return self._rows[places % len(self._rows)]
