"""A look at what goes into a network, before anything is made of it: scaled as in training, or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.drift import divergence
from transfer.analysis.input_ranges import (
    InputDrift,
    candidates,
    guess_preprocessing,
    judge_inputs,
    prepare,
    reread,
)
from transfer.analysis.moments import Moments
from transfer.analysis.pooled_moments import PooledMoments
from transfer.data.inputs import Examples, Inputs
from transfer.errors import DataError, TransferError
from transfer.graphs.cutting import cut_at
from transfer.graphs.flattening import flatten
from transfer.graphs.graph import Ref
from transfer.graphs.shapes import Shape, shape_of
from transfer.jobs.feeding import Feed
from transfer.models.building import build_model
from transfer.specs import Preprocessing, Progress, silent
from transfer.surgery.network import Chosen, Network, Selection
from transfer.training.features import Runner, make_runner

BATCH = 16
FEW = 32  # examples that show how inputs are scaled


def check_inputs(feed: Feed, network: Network, data: Examples, *, most: int = FEW, seed: int = 0) -> InputDrift:
    """Hold what goes into a network against its card and its first batch norm.

    Where a batch norm comes early, other ways of preparing the same images are tried on it, and the one that fits what
    it has kept best is named. Nothing of the network is changed, and no more of it runs than leads there.

    Args:
        feed: how examples go in.
        network: that the feed was made for.
        data: examples.
        most: of them to look at.
        seed: of the choice.

    Raises:
        DataError: if no example can be read.
    """
    chosen = choose_examples(data, most, seed)
    card = network.card.preprocessing if network.card is not None else None
    norm = _first_norm(open_models(network)[0])
    assumed = feed.preprocessing or _assumed(chosen)
    ways = candidates(_channels(feed, chosen), assumed, card) if norm is not None and assumed is not None else {}
    seen: Moments | None = None
    fits = {name: PooledMoments.empty(len(norm.mean)) for name in ways} if norm is not None else {}
    for rows in read_batches(feed, chosen):
        inputs = rows if feed.preprocessing is None else _framed(rows, feed.preprocessing)
        seen = (seen or Moments.empty(inputs.shape[-1])).update(inputs)
        for name, way in ways.items():
            if norm is not None and assumed is not None:
                fits[name] = fits[name].update(*norm.statistics(reread(inputs, assumed, way)))
    if seen is None:
        raise DataError(f"No example of {data.source} can be read.")
    readings = {name: norm.misfit(found) for name, found in fits.items()} if norm is not None else {}
    return judge_inputs(seen, given=feed.preprocessing, card=card, readings=readings)


def warn_of_inputs(feed: Feed, network: Network, data: Examples, *, seed: int) -> tuple[str, ...]:
    """What looks wrong with the inputs, and what to do, in a sentence each; empty where nothing does.

    Where it cannot be told there is nothing to say: no run fails for it, and reading all examples names those that
    cannot be read.
    """
    try:
        found = check_inputs(feed, network, data, seed=seed)
    except TransferError:
        return ()
    return tuple(f"check the preprocessing: {each.what}; {each.next_step}" for each in found.slips)


def choose_examples(data: Examples, most: int, seed: int) -> Inputs:
    """At most so many examples of a set, in its order."""
    count = len(data)
    if count <= most:
        return Inputs(data.source, data.names, data.inputs)
    places = np.sort(np.random.default_rng(seed).permutation(count)[:most])
    inputs = data.inputs
    kept = tuple(inputs[i] for i in places) if isinstance(inputs, tuple) else inputs[places]
    return Inputs(data.source, tuple(data.names[i] for i in places), kept)


def read_batches(feed: Feed, data: Examples, progress: Progress = silent) -> Iterator[NDArray[Any]]:
    """Examples as the feed's network takes them, without those that cannot be read."""
    for batch in feed.batches(data, BATCH, progress):
        bad = [place - batch.first for place, _ in batch.failures]
        rows = np.delete(batch.images, bad, axis=0)
        if len(rows):
            yield rows


def open_models(network: Network) -> tuple[Network, Mapping[str, str]]:
    """The network with its nested models opened, and what each layer was called: `conv` → `backbone/conv`."""
    flat = flatten(network.graph)
    paths = {name: path for path, name in flat.names.items()}
    if not flat.opened:
        return network, paths
    names = {flat.rename(name): name for name in network.tensors}
    return replace(network, graph=flat.graph, tensors=Chosen(network.tensors, names)), paths


@dataclass(frozen=True, slots=True)
class _Norm:
    """The batch norm that comes first.

    Attributes:
        mean: (channels,), as kept.
        variance: likewise.
        epsilon: added to a variance.
        run: from what goes into the network to what goes into the batch norm; None where that is the same.
        shape: of one example that goes into the network.
    """

    mean: NDArray[Any] = field(repr=False)
    variance: NDArray[Any] = field(repr=False)
    epsilon: float
    run: Runner | None
    shape: Shape

    def statistics(self, inputs: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """(n, channels) each: mean and variance over the positions of what it gets for a batch of inputs."""
        rows = inputs.reshape(len(inputs), -1) if len(self.shape) == 1 else inputs
        values = rows if self.run is None else self.run(rows)
        positions = tuple(range(1, values.ndim - 1))
        return values.mean(positions), values.var(positions)

    def misfit(self, seen: PooledMoments) -> float:
        """Mean divergence of what was seen from what it keeps, in nats."""
        found = divergence(self.mean, self.variance, seen.mean, seen.variance, epsilon=self.epsilon)
        return float(found.mean()) if np.isfinite(found).all() else np.inf


def _first_norm(network: Network) -> _Norm | None:
    """The first batch norm in the order of the graph, unless its statistics are those of a new one."""
    graph = network.graph
    layer = next((each for each in graph if each.class_name == "BatchNormalization" and each.calls), None)
    if layer is None or len(graph.inputs) != 1:
        return None
    mean, variance = (network.tensors[f"{layer.name}/{role}"] for role in ("moving_mean", "moving_variance"))
    if not mean.any() and (variance == 1).all():
        return None
    source = layer.calls[0].sources[0]
    run = None if source == graph.inputs[0] else make_runner(build_model(_up_to(network, source)), BATCH)
    epsilon = float(layer.config.get("epsilon", 1e-3))
    return _Norm(mean.astype(np.float64), variance.astype(np.float64), epsilon, run, shape_of(graph, graph.inputs[0]))


def _up_to(network: Network, end: Ref) -> Network:
    graph = cut_at(network.graph, end)
    return Network(graph, Selection(network.tensors, frozenset(graph.names)))


def _framed(images: NDArray[Any], preprocessing: Preprocessing) -> NDArray[Any]:
    """Fitted images as they go into the network, its frame around them."""
    above, left = preprocessing.frame_pixels(preprocessing.size or images.shape[1:3])
    edges = ((0, 0), (above, above), (left, left), (0, 0))
    return prepare(np.pad(images, edges, constant_values=preprocessing.background), preprocessing)


def _assumed(data: Examples) -> Preprocessing | None:
    """How an array that is taken as it is was made, where it holds images and its range tells."""
    rows = data.inputs
    if isinstance(rows, tuple) or rows.ndim != 4 or rows.shape[-1] not in (1, 3) or not rows.size:
        return None
    return guess_preprocessing(float(rows.min()), float(rows.max()))


def _channels(feed: Feed, data: Examples) -> int:
    if feed.preprocessing is not None:
        return feed.preprocessing.channels
    return 0 if isinstance(data.inputs, tuple) else int(data.inputs.shape[-1])
