"""What a run would do and cost, told before it: the dry run of fine-tuning."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.forecast import Forecast, KeptFeatures, StageForecast
from transfer.analysis.training_cost import count_training
from transfer.data.doubts import Doubts, find_doubts
from transfer.data.joining import join_sets
from transfer.data.kept_keys import read_kept_keys
from transfer.data.labelled import LabelledSet
from transfer.data.splitting import split_stratified
from transfer.errors import DataError, Problem
from transfer.graphs.graph import Graph, Ref
from transfer.graphs.input_shapes import with_input_shapes
from transfer.graphs.shapes import Shape
from transfer.graphs.summarizing import summarize
from transfer.jobs.checking_examples import SeenExamples, look_at_examples
from transfer.jobs.checking_inputs import warn_of_inputs
from transfer.jobs.checking_recipes import check_recipe
from transfer.jobs.clock import Clock
from transfer.jobs.counting_flops import settle_shapes
from transfer.jobs.estimating import Counts, Measured, Sizes, estimate_run, kept_bytes
from transfer.jobs.feeding import make_feed
from transfer.jobs.learning import Learning, prepare_file
from transfer.jobs.rehearsing import Sample, rehearse, rehearse_solving
from transfer.models.building import classes_of, read_model
from transfer.recipes import Recipe, Stage
from transfer.specs import Progress, silent
from transfer.surgery.network import Network
from transfer.training.feature_keys import example_keys
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.stage_flags import flag_stage
from transfer.weights.checkpoint import Checkpoint


def forecast_file(
    file: Checkpoint | str,
    data: LabelledSet,
    how: Learning | None = None,
    *,
    unreadable: Sequence[Problem] = (),
    cache: Path | None = None,
    memory_bytes: int = MEMORY_BYTES,
    started: float | None = None,
    progress: Progress = silent,
) -> Forecast:
    """Work out what `learn_file` would do with the same; nothing is learnt or written.

    Every example is read, of very many a part; a batch goes through each part of the run with the clock running.

    Args:
        file: a checkpoint, its path, or the name of a shipped one.
        data: labelled examples.
        how: what is taken from the file, tested on and trained.
        unreadable: what is known not to be readable, and is not in `data`.
        cache: a folder in which features would be kept.
        memory_bytes: for features in memory.
        started: when the program was, by `time.perf_counter`; by default now.
        progress: told of the examples that are read.

    Raises:
        DataError: if the run would refuse the examples: it names everything that is wrong with them.
        TransferError: of the kind that fits.
    """
    how = how or Learning()
    clock, recipe = Clock(), how.recipe
    began = time.perf_counter()
    with clock("restoring"):
        _, student = prepare_file(file, data, how)
    network = read_model(student.model)
    check_recipe(network.graph, network.graph.outputs[0].layer, recipe)
    custom_objects = classes_of(student.model)
    feed = make_feed(network, data, preprocessing=how.preprocessing, size=how.size, custom_objects=custom_objects)
    everything = data if how.test is None else join_sets(data, how.test)
    warnings = warn_of_inputs(feed, network, data, seed=recipe.seed)
    starting = time.perf_counter() - (started or began)
    with clock("digesting"):
        digests = everything.digests()
    seen = look_at_examples(feed, everything, seed=recipe.seed, progress=progress)
    divided = _divide(everything, len(data), seen, how, unreadable)
    doubts = _doubts(everything, digests, divided, seen, unreadable)
    if len(doubts.leaked) == len(divided.tested):
        raise DataError("Every test example is also learnt from.", next_step="test on other examples")
    counts = Counts(len(divided.learnt), _tried(divided, everything, recipe), len(divided.tested) - len(doubts.leaked))
    whole = read_model(feed.network)
    shape = feed.example_shape(data)
    stages, graphs = _stages(whole.graph, shape, recipe, counts, custom_objects)
    labels = everything.labels[list(seen.spread)]
    sample = Sample(seen.images, shape, feed.to_json(), counts.learnt)
    rehearsal = rehearse(whole, graphs, recipe, sample, custom_objects)
    found = _find_kept(cache, rehearsal.key, [digests[place] for place in (*divided.learnt, *divided.tested)])
    counts = replace(counts, kept=found)
    measured = Measured(
        starting=starting,
        restoring=clock.seconds["restoring"],
        digesting=clock.seconds["digesting"],
        reading=seen.each,
        solving=rehearse_solving(seen.pixels, labels, recipe.seed),
        rehearsal=rehearsal,
    )
    sizes, size = _sizes(whole, seen, memory_bytes), kept_bytes(recipe, counts, rehearsal)
    return Forecast(
        classes=data.classes,
        train_examples=counts.learnt,
        test_examples=counts.tested,
        stages=stages,
        estimate=estimate_run(recipe, counts, measured, sizes),
        doubts=doubts,
        features=KeptFeatures(size, str(cache or ""), counts.kept, counts.read, size <= memory_bytes),
        notes=(student.describe(recipe), feed.note),
        warnings=warnings,
    )


@dataclass(frozen=True, slots=True)
class _Divided:
    """Places of the examples to learn from, and of those to test on, as far as they can be read."""

    learnt: NDArray[np.int64]
    tested: NDArray[np.int64]


def _divide(
    examples: LabelledSet, count: int, seen: SeenExamples, how: Learning, unreadable: Sequence[Problem]
) -> _Divided:
    """As the run does.

    Args:
        examples: all, those to learn from first.
        count: of these.
        seen: what was found by reading them.
        how: to divide them.
        unreadable: for the message.

    Raises:
        DataError: if a class has too few: with what cannot be read beside it.
    """
    bad = {place for place, _ in seen.unreadable}
    readable = np.array([place for place in range(len(examples)) if place not in bad], np.int64)
    if how.test is not None:
        return _Divided(readable[readable < count], readable[readable >= count])
    try:
        learnt, tested = split_stratified(
            examples.labels[readable],
            seed=how.recipe.seed,
            shots=how.shots,
            test_share=how.test_share,
            classes=examples.classes,
        )
    except DataError as error:
        found = [*error.problems, *unreadable, *(problem for _, problem in seen.unreadable)]
        raise DataError(error.summary, found, error.next_step) from error
    return _Divided(readable[learnt], readable[tested])


def _doubts(
    examples: LabelledSet, digests: Sequence[str], divided: _Divided, seen: SeenExamples, unreadable: Sequence[Problem]
) -> Doubts:
    found = find_doubts(
        digests,
        examples.labels,
        examples.names,
        examples.classes,
        train=divided.learnt,
        test=divided.tested,
    )
    return replace(
        found,
        unreadable=(*unreadable, *(problem for _, problem in seen.unreadable)),
        blank=tuple(examples.names[place] for place in seen.blank),
        seen=seen.seen + len(unreadable),
        examples=len(examples) + len(unreadable),
    )


def _tried(divided: _Divided, examples: LabelledSet, recipe: Recipe) -> int:
    """Examples that a trial learns from; 0 for no trial."""
    if len(recipe.stages) < 2 or not recipe.validation:
        return 0
    try:
        kept, _ = split_stratified(examples.labels[divided.learnt], seed=recipe.seed, test_share=recipe.validation)
    except DataError:  # a class of one example: nothing can be held out
        return 0
    return len(kept)


def _stages(
    graph: Graph, shape: tuple[int, ...], recipe: Recipe, counts: Counts, custom_objects: Mapping[str, type]
) -> tuple[tuple[StageForecast, ...], list[Graph]]:
    """What each stage costs, and the graphs with their flags, input sizes as they are in the network."""
    sized = with_input_shapes(graph, shape)
    shapes = settle_shapes(sized, custom_objects=custom_objects)
    head = graph.outputs[0].layer
    flagged = [flag_stage(sized, stage, head) for stage in recipe.stages]
    costs = tuple(
        _forecast(each, shapes, stage, head, counts) for each, stage in zip(flagged, recipe.stages, strict=True)
    )
    return costs, [flag_stage(graph, stage, head) for stage in recipe.stages]


def _forecast(flagged: Graph, shapes: Mapping[Ref, Shape], stage: Stage, head: str, counts: Counts) -> StageForecast:
    cost = count_training(flagged, shapes=shapes)
    layers = summarize(flagged, shapes=shapes)
    frozen = sum(each.parameters or 0 for each in layers) - cost.trainable
    if stage.kind == "probe":
        return StageForecast("probe", head, counts.learnt, 1, cost, frozen, counts.read)
    trained = [each.name for each in layers if each.trainable]
    epochs = stage.epochs if not stage.steps else max(1, round(stage.steps * stage.batch_size / counts.learnt))
    read = counts.read + (stage.views * counts.learnt if stage.augment else 0)
    return StageForecast(stage.kind, trained[0], counts.learnt, epochs, cost, frozen, read, counts.tried)


def _sizes(network: Network, seen: SeenExamples, memory_bytes: int) -> Sizes:
    head = network.graph.outputs[0].layer
    weights = sum(np.asarray(values).nbytes for values in network.tensors.values())
    pixels = prod(seen.pixels.shape[1:])
    features = np.shape(network.tensors[f"{head}/kernel"])[0]
    return Sizes(features, pixels, pixels * seen.pixels.itemsize, weights, memory_bytes)


def _find_kept(cache: Path | None, piece: str, digests: Sequence[str]) -> int:
    """How many examples have features under a piece of a network in a cache."""
    if cache is None:
        return 0
    kept = read_kept_keys(cache / piece[:32])
    return sum(key in kept for key in example_keys(piece, digests))
