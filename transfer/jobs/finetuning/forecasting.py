"""What a run would do and cost, told before it: the dry run of fine-tuning."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np

from transfer.analysis.estimates import Estimate
from transfer.analysis.forecast import Forecast, KeptFeatures, StageForecast
from transfer.analysis.time_checks import TimeCheck, check_time
from transfer.analysis.training_cost import count_training
from transfer.data.kept_keys import read_kept_keys
from transfer.data.labelled import LabelledSet
from transfer.errors import Problem
from transfer.graphs.graph import Graph, Ref
from transfer.graphs.input_shapes import with_input_shapes
from transfer.graphs.joining_outputs import join_outputs
from transfer.graphs.shapes import Shape
from transfer.graphs.summarizing import summarize
from transfer.jobs.diagnoses.counting_flops import settle_shapes
from transfer.jobs.examples.cached_features import Cache
from transfer.jobs.examples.checking_inputs import warn_of_inputs
from transfer.jobs.examples.feeding import as_learnt, make_feed
from transfer.jobs.finetuning.benchmarking import open_benchmark, planned_tests
from transfer.jobs.finetuning.checking_examples import CheckedExamples, SeenExamples, check_examples
from transfer.jobs.finetuning.estimating import Counts, Measured, Sizes, estimate_run, kept_bytes
from transfer.jobs.finetuning.learning import Learning, prepare_file
from transfer.jobs.finetuning.rehearsing import Sample, rehearse, rehearse_solving
from transfer.jobs.runs.describing import describe_sets
from transfer.jobs.runs.learnt_before import learnt_by
from transfer.jobs.students.checking_recipes import check_recipe
from transfer.jobs.students.clock import TimeLimit
from transfer.jobs.students.preparing import Student
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
    cache: Cache | Path | None = None,
    memory_bytes: int = MEMORY_BYTES,
    started: float | None = None,
    time_limit: TimeLimit | None = None,
    progress: Progress = silent,
) -> Forecast:
    """Work out what `learn_file` would do with the same; nothing is learnt or written.

    Every example is read, of very many a part; a batch goes through each part of the run with the clock running.

    Args:
        file: a checkpoint, its path, or the name of a shipped one.
        data: labelled examples.
        how: what is taken from the file, tested on and trained.
        unreadable: what is known not to be readable, and is not in `data`.
        cache: where features would be kept for other runs; see `finetune`.
        memory_bytes: for features in memory.
        started: when the program was, by `time.monotonic`; by default now.
        time_limit: of the run, to tell whether it is done by then.
        progress: told of the examples that are read.

    Raises:
        DataError: if the run would refuse the examples: it names everything that is wrong with them.
        TransferError: of the kind that fits.
    """
    how = how or Learning()
    recipe, began = how.recipe, time.monotonic()
    _, student = prepare_file(file, data, how)
    restoring = time.monotonic() - began
    network, custom_objects = student.network, student.custom_objects
    check_recipe(network.graph, student.heads, recipe)
    feed = make_feed(network, data, preprocessing=how.preprocessing, size=how.size, custom_objects=custom_objects)
    warnings = warn_of_inputs(feed, network, data, seed=recipe.seed)
    starting = time.monotonic() - (began if started is None else started)
    notes = (student.describe(recipe), feed.note, *_held_against(data, how))
    checked = check_examples(feed, data, how, unreadable=unreadable, progress=progress)
    whole, shape = as_learnt(feed, data), feed.example_shape(data)
    whole = replace(whole, graph=join_outputs(whole.graph, student.heads))
    counts = Counts(len(checked.learnt), checked.tried, len(checked.tested))
    stages, graphs = _stages(whole.graph, student.heads, shape, recipe, counts, custom_objects)
    sample = Sample(checked.seen.images, shape, feed.to_json(), counts.learnt)
    rehearsal = rehearse(whole, student.heads, graphs, recipe, sample, custom_objects)
    folder = None if custom_objects else cache.folder if isinstance(cache, Cache) else cache
    counts = replace(counts, kept=_find_kept(folder, rehearsal.key, checked))
    solving = rehearse_solving(
        checked.seen.pixels, checked.labels[np.array(checked.seen.spread, np.int64)], recipe.seed
    )
    measured = Measured(starting, restoring, checked.digesting, checked.seen.each, solving, rehearsal)
    size, sizes = kept_bytes(recipe, counts, rehearsal), _sizes(whole, student.heads, checked.seen, memory_bytes)
    estimate = estimate_run(recipe, counts, measured, sizes)
    return Forecast(
        labelling=data.labelling,
        train_examples=counts.learnt,
        test_examples=counts.tested - len(checked.doubts.leaked),
        stages=stages,
        estimate=estimate,
        doubts=checked.doubts,
        features=KeptFeatures(size, str(folder or ""), counts.kept, counts.read, size <= memory_bytes),
        notes=notes,
        warnings=(*data.notes, *warnings, *_known(student, recipe, checked)),
        time_check=_check_time(estimate, time_limit, sizes.weight_bytes),
    )


def _known(student: Student, recipe: Recipe, checked: CheckedExamples) -> tuple[str, ...]:
    """What is said of test examples that the file has learnt from."""
    if any(each.fresh for each in recipe.stages):
        return ()
    before = learnt_by(student, student.network)
    return (*before.warnings([checked.digests[place] for place in checked.tested]), *before.notes)


def _held_against(data: LabelledSet, how: Learning) -> tuple[str, ...]:
    """What is said of a benchmark, which is refused as the run would.

    Raises:
        TransferError: if it cannot be the benchmark.
    """
    if how.benchmark is None:
        return ()
    seed = how.recipe.seed
    found = open_benchmark(how.benchmark, data, seed=seed, preprocessing=how.preprocessing, size=how.size)
    tested = planned_tests(data, how.test, seed=seed, shots=how.shots, test_share=how.test_share)
    found.refuse_unfit(describe_sets(data, how.test), tested)
    return (f"held against {found.name}" + (", which is not in the times" if found.probed else ""),)


def _check_time(estimate: Estimate, limit: TimeLimit | None, size_bytes: int) -> TimeCheck | None:
    if limit is None:
        return None
    return check_time(estimate, limit=limit.seconds, learning=limit.training_ends(size_bytes) - limit.started)


def _stages(
    graph: Graph,
    heads: Sequence[str],
    shape: tuple[int, ...],
    recipe: Recipe,
    counts: Counts,
    custom_objects: Mapping[str, type],
) -> tuple[tuple[StageForecast, ...], list[Graph]]:
    """What each stage costs, and the graphs with their flags, input sizes as they are in the network."""
    sized = with_input_shapes(graph, shape)
    shapes = settle_shapes(sized, custom_objects=custom_objects)
    flagged = [flag_stage(sized, stage, heads) for stage in recipe.stages]
    costs = tuple(
        _forecast(each, shapes, stage, heads[0], counts) for each, stage in zip(flagged, recipe.stages, strict=True)
    )
    return costs, [flag_stage(graph, stage, heads) for stage in recipe.stages]


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


def _sizes(network: Network, heads: Sequence[str], seen: SeenExamples, memory_bytes: int) -> Sizes:
    weights = sum(np.asarray(values).nbytes for values in network.tensors.values())
    pixels = prod(seen.pixels.shape[1:])
    features = np.shape(network.tensors[f"{heads[0]}/kernel"])[0]
    return Sizes(features, pixels, seen.pixels.itemsize, weights, memory_bytes)


def _find_kept(folder: Path | None, piece: str, checked: CheckedExamples) -> int:
    """How many examples have features under a piece of a network in a cache."""
    if folder is None:
        return 0
    kept = read_kept_keys(folder / piece[:32])
    digests = [checked.digests[place] for place in (*checked.learnt, *checked.tested)]
    return sum(key in kept for key in example_keys(piece, digests))
