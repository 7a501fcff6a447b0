"""Whether a checkpoint fits the data at hand: what its batch norms have kept beside what they see there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.analysis.drift import Drift, LayerDrift
from transfer.analysis.pooled_moments import PooledMoments
from transfer.data.forms import ExamplesData, as_examples
from transfer.data.inputs import Examples, Inputs
from transfer.data.sampling import draw
from transfer.data.table_inputs import fetch_inputs
from transfer.errors import DataError, LayerError
from transfer.jobs.diagnoses.subjects import Source, feed_subject, open_subject
from transfer.jobs.examples.checking_inputs import BATCH, check_inputs
from transfer.jobs.examples.feeding import Feed
from transfer.models.batch_norms import BatchNorm, batch_norms
from transfer.models.building import read_model
from transfer.models.observing import observe
from transfer.models.restoring import Into
from transfer.specs import Preprocessing, Progress, Restoring, silent
from transfer.surgery.network import Network
from transfer.surgery.opening_nested import open_nested

MOST = 256


def measure_drift(
    source: Source,
    data: ExamplesData,
    *,
    into: Into = None,
    restoring: Restoring | None = None,
    preprocessing: Preprocessing | str | None = None,
    size: tuple[int, int] | None = None,
    most: int = MOST,
    seed: int = 0,
    progress: Progress = silent,
) -> Drift:
    """Say whether a network fits some data, without any of the data that it was trained on.

    A batch norm keeps the mean and variance of each channel in training. The network is run over the data once, in
    inference mode, and each batch norm's share of it is compared with what it keeps; how images are prepared is judged
    by the card and by the first batch norm. Memory stays bounded by a batch.

    Args:
        source: a Keras model with one input, what `restore` or `finetune` gave, a run's folder, or a checkpoint; it is
            left as it is.
        data: labelled or not: a set, its path, or an array (n, …).
        into: the original architecture, where a checkpoint does not hold it.
        restoring: how a checkpoint is brought into it.
        preprocessing: how images are prepared, or the name of a common way; by default what the card says. None for a
            run, whose network prepares them itself.
        size: (h, w) to which images are fitted; by default what the network or its card says, also for another way.
        most: examples that are looked at.
        seed: of their choice where there are more.
        progress: told of what is going on.

    Raises:
        DataError: if the examples do not fit the network, or none can be read.
        LayerError: if the model has no graph, or several inputs.
        TransferError: what `restore` raises, for a checkpoint.
    """
    if most < 1:
        raise ValueError(f"most counts examples: at least 1, not {most}")
    examples = as_examples(data, remote=True)
    if not len(examples):
        raise DataError(f"{examples.source} holds no example.", next_step="give pictures, or an array with rows")
    whole, absent = len(examples), len(getattr(examples, "problems", ()))
    drawn = draw(examples, most, seed)
    examples = fetch_inputs(drawn) if isinstance(drawn, Inputs) else drawn
    subject = open_subject(source, into=into, restoring=restoring)
    network, flat = open_nested(read_model(subject.model))
    if len(network.graph.inputs) != 1:
        raise LayerError(
            f"{subject.name} has {len(network.graph.inputs)} inputs; data is held against networks of one.",
            next_step="give the part of it that takes these examples: keras.Model(its input, an output of that part)",
        )
    feed = feed_subject(
        subject, network, examples, preprocessing=preprocessing, size=size or _size(network, preprocessing)
    )
    inputs = check_inputs(feed, network, examples, most=most, seed=seed)
    norms = batch_norms(feed.network)
    trained = tuple(each for each in norms if not each.is_untrained)
    sites = [_located(norm, flat.paths) for norm in trained]
    swaps = _order_is_open(feed, network, examples)
    batches = _Batches(feed.readable(examples, BATCH, progress), swaps=swaps)
    layers, swapped = _compare(feed.network, sites, batches)
    colours = (_mean_score(layers), _mean_score(swapped)) if layers and batches.swaps else None
    unreadable, left_out = len(drawn) - batches.examples, whole - len(drawn)
    notes = [feed.note, *_notes(norms, trained, unreadable, left_out, absent)]
    return Drift(subject.name, examples.source, batches.examples, layers, inputs, colours, tuple(notes))


class _Batches:
    """Batches, each followed by itself with red and blue swapped where that is asked for."""

    def __init__(self, batches: Iterator[NDArray[Any]], *, swaps: bool) -> None:
        self.examples = 0
        self.swaps = swaps
        self._batches = batches

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for batch in self._batches:
            self.examples += len(batch)
            yield batch
            if self.swaps:
                yield batch[..., ::-1]


def _order_is_open(feed: Feed, network: Network, data: Examples) -> bool:
    """Whether red and blue of colour images may have changed places.

    Pictures are decoded red first, so they cannot have where a card says what the network takes, nor in a run.
    """
    shape = feed.example_shape(data)
    by_card = network.card is not None and network.card.preprocessing is not None
    of_run = feed.image is not None and feed.preprocessing is None
    is_known = isinstance(data.inputs, tuple) and (by_card or of_run)
    return len(shape) == 3 and shape[-1] == 3 and not is_known


def _mean_score(layers: tuple[LayerDrift, ...]) -> float:
    return float(np.mean([layer.score for layer in layers]))


def _compare(
    model: keras.Model, norms: list[BatchNorm], batches: _Batches
) -> tuple[tuple[LayerDrift, ...], tuple[LayerDrift, ...]]:
    """One pass over the data, with each example's mean and variance from each batch norm: as it is, and swapped."""
    empty = {norm.name: PooledMoments.empty(len(norm.mean)) for norm in norms}
    seen = [dict(empty), dict(empty)]
    tensors = {
        f"{part} {norm.name}": each for norm in norms for part, each in zip("mv", norm.statistics(), strict=True)
    }
    found = observe(model, tensors or {"out": model.outputs[0]}, batches, batch_size=BATCH)
    for place, values in enumerate(found):
        here = seen[place % 2] if batches.swaps else seen[0]
        here |= {name: each.update(values[f"m {name}"], values[f"v {name}"]) for name, each in here.items()}
    sizes_known = all(norm.positions for norm in norms)
    as_given, swapped = (
        tuple(norm.drift(each[norm.name], positions=(norm.positions or 1) if sizes_known else 1) for norm in norms)
        for each in seen
    )
    return as_given, swapped


def _located(norm: BatchNorm, paths: Mapping[str, str]) -> BatchNorm:
    """With the names that its layers had before nested models were opened; no cut within the preprocessing."""
    name, _, call = norm.name.partition(" (call ")
    path = paths.get(name, name)
    return replace(norm, name=f"{path} (call {call}" if call else path, cut=paths.get(norm.cut, ""))


def _size(network: Network, preprocessing: Preprocessing | str | None) -> tuple[int, int] | None:
    """That on the card, where another way of preparing images says none."""
    card = network.card.preprocessing if network.card is not None else None
    own = preprocessing.size if isinstance(preprocessing, Preprocessing) else None
    return own or (card.size if card is not None and preprocessing is not None else None)


def _notes(
    norms: tuple[BatchNorm, ...], trained: tuple[BatchNorm, ...], unreadable: int, left_out: int, absent: int
) -> Iterator[str]:
    if left_out:
        yield f"examples that were not looked at: {left_out}"
    if absent:
        yield f"left out, as it is no picture or not there: {absent}"
    if unreadable:
        yield f"examples that cannot be read: {unreadable}"
    if not norms:
        yield "the network has no batch norm that could tell (it may have been folded): only the input was judged"
    elif len(trained) < len(norms):
        yield f"batch norms that have kept nothing yet, left out: {len(norms) - len(trained)}"
