"""A look at what goes into a network, before anything is made of it: scaled as in training, or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.analysis.input_ranges import (
    InputDrift,
    Slip,
    candidates,
    guess_preprocessing,
    judge_inputs,
    prepare,
    reread,
)
from transfer.analysis.moments import Moments
from transfer.analysis.pooled_moments import PooledMoments
from transfer.data.inputs import Examples, one_array
from transfer.data.loading import ImageBatch
from transfer.data.sampling import draw
from transfer.errors import DataError, Problem, TransferError
from transfer.graphs.cutting import cut_at
from transfer.graphs.graph import Ref
from transfer.jobs.examples.feeding import Feed
from transfer.models.batch_norms import BatchNorm, batch_norms
from transfer.models.building import build_model, classes_of
from transfer.specs import Preprocessing
from transfer.surgery.network import Network, Selection
from transfer.surgery.opening_nested import open_nested
from transfer.training.features import Runner, make_runner

Reading = Callable[[Examples], Iterator[ImageBatch]]

BATCH = 16
FEW = 32  # examples that show how inputs are scaled
_EARLY = 4  # layers with weights, its own among them, that lead to a batch norm on which other ways are tried cheaply


def check_inputs(
    feed: Feed, network: Network, data: Examples, *, most: int = FEW, seed: int = 0, batches: Reading | None = None
) -> InputDrift:
    """Hold what goes into a network against its card and its first batch norm.

    Where a batch norm comes early, other ways of preparing the same images are tried on it, and the one that fits what
    it has kept best is named. Nothing of the network is changed, and no more of it runs than leads there.

    Args:
        feed: how examples go in.
        network: that the feed was made for.
        data: examples.
        most: of them to look at.
        seed: of the choice.
        batches: reads examples as the feed does; by default the feed.

    Raises:
        DataError: if no example can be read.
        LayerError: if the network's models cannot be opened.
    """
    chosen = draw(data, most, seed)
    card = network.card.preprocessing if network.card is not None else None
    trials = _find_trials(feed, network, chosen, card)
    seen: Moments | None = None
    problems: list[Problem] = []
    for batch in batches(chosen) if batches is not None else feed.batches(chosen, BATCH):
        problems += [problem for _, problem in batch.failures]
        rows = batch.readable
        if not len(rows):
            continue
        inputs = rows if feed.preprocessing is None else _framed(rows, feed.preprocessing)
        seen = (seen or Moments.empty(inputs.shape[-1])).update(inputs)
        if trials is not None:
            trials.add(inputs)
    if seen is None:
        raise DataError(
            f"No example of {data.source} can be read.",
            problems,
            next_step="give pictures that can be opened (PNG, JPEG, …), or an array",
        )
    readings = trials.readings if trials is not None else {}
    return judge_inputs(seen, given=feed.preprocessing, card=card, readings=readings)


def warn_of_inputs(
    feed: Feed, network: Network, data: Examples, *, seed: int, batches: Reading | None = None
) -> tuple[str, ...]:
    """What looks wrong with the inputs, and what to do, in a sentence each; empty where nothing does.

    Where it cannot be told there is nothing to say: no run fails for it, and reading all examples names those that
    cannot be read.
    """
    slips = find_slips(feed, network, data, seed=seed, batches=batches)
    return tuple(f"check the preprocessing: {each.what}; {each.next_step}" for each in slips)


def find_slips(
    feed: Feed, network: Network, data: Examples, *, seed: int, batches: Reading | None = None
) -> tuple[Slip, ...]:
    """What looks wrong with the inputs; empty where nothing does, and where it cannot be told."""
    try:
        return check_inputs(feed, network, data, seed=seed, batches=batches).slips
    except TransferError:
        return ()


@dataclass(slots=True)
class _Trials:
    """Ways of preparing the same images, tried on the batch norm that comes first.

    Attributes:
        given: how the images are prepared.
        ways: by name, that one among them.
        norm: what the batch norm keeps.
        run: from what goes into the network to (b, 2, channels), mean and variance of what goes into the batch norm.
        is_flat: whether the network takes images as rows of values.
        seen: by the batch norm, for each way.
    """

    given: Preprocessing
    ways: Mapping[str, Preprocessing]
    norm: BatchNorm
    run: Runner
    is_flat: bool
    seen: dict[str, PooledMoments] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = dict.fromkeys(self.ways, PooledMoments.empty(len(self.norm.mean)))

    def add(self, inputs: NDArray[Any]) -> None:
        """Try some more inputs, (b, …) as they were given."""
        for name, way in self.ways.items():
            values = reread(inputs, self.given, way)
            found = self.run(values.reshape(len(values), -1) if self.is_flat else values)
            self.seen[name] = self.seen[name].update(found[:, 0], found[:, 1])

    @property
    def readings(self) -> dict[str, float]:
        """How badly each way fits, in nats."""
        return {name: self.norm.drift(seen).score for name, seen in self.seen.items()}


def _find_trials(feed: Feed, network: Network, data: Examples, card: Preprocessing | None) -> _Trials | None:
    """What can be tried; None where nothing is known of the images, or no batch norm tells."""
    given = feed.preprocessing or _assumed(feed, data)
    model = _up_to_first_norm(feed, network) if given is not None else None
    if given is None or model is None:
        return None
    norm = batch_norms(model)[0]
    if norm.is_untrained or norm.axis != len(norm.tensor.shape) - 1:
        return None
    ways = candidates(feed.example_shape(data)[-1], given, card)
    run = make_runner(keras.Model(model.inputs[0], keras.ops.stack(norm.statistics(), axis=1)), BATCH)
    return _Trials(given, ways, norm, run, len(model.inputs[0].shape) == 2)


def _up_to_first_norm(feed: Feed, network: Network) -> keras.Model | None:
    """What leads to the first batch norm in the order of the graph; None where there is none, or it comes late."""
    opened, _ = open_nested(network)
    layer = next((each for each in opened.graph if each.class_name == "BatchNormalization" and each.calls), None)
    if layer is None or len(opened.graph.inputs) != 1:
        return None
    graph = cut_at(opened.graph, Ref(layer.name))
    part = Network(graph, Selection(opened.tensors, frozenset(graph.names)))
    is_early = len({name.split("/", 1)[0] for name in part.tensors}) <= _EARLY
    return build_model(part, classes_of(feed.network)) if is_early else None


def _framed(images: NDArray[Any], preprocessing: Preprocessing) -> NDArray[Any]:
    """Fitted images as they go into the network, its frame around them."""
    above, left = preprocessing.frame_pixels(preprocessing.size or images.shape[1:3])
    edges = ((0, 0), (above, above), (left, left), (0, 0))
    return prepare(np.pad(images, edges, constant_values=preprocessing.background), preprocessing)


def _assumed(feed: Feed, data: Examples) -> Preprocessing | None:
    """How an array that is taken as it is was made, where it holds images and its range tells."""
    if feed.image is not None or isinstance(data.inputs, tuple):
        return None
    rows = one_array(data)
    if rows.ndim != 4 or rows.shape[-1] not in (1, 3):
        return None
    return guess_preprocessing(float(rows.min()), float(rows.max())) if rows.size else None
