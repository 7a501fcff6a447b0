"""One pass over the examples with what a network gives at all its cuts at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from transfer.analysis.counting_flops import count_graph_flops
from transfer.data.labelled import LabelledSet
from transfer.errors import LayerError, Problem
from transfer.graphs.cut_points import cut_points
from transfer.graphs.cutting import cut
from transfer.graphs.graph import Graph, Ref
from transfer.graphs.pooled_outputs import pool_outputs
from transfer.graphs.shapes import Shape, first_unknown, infer_shapes, shape_of
from transfer.jobs.diagnoses.counting_flops import settle_shapes
from transfer.jobs.examples.cached_features import Cache, open_store
from transfer.jobs.examples.feeding import Feed, as_learnt, make_feed
from transfer.jobs.examples.kept_pictures import checked_batches
from transfer.jobs.rankings.opening_candidates import OpenedCandidate
from transfer.models.shaping import shapes_by_keras
from transfer.rankings import Cost
from transfer.specs import Preprocessing, Progress, silent
from transfer.surgery.network import Network, Selection
from transfer.surgery.opening_nested import open_nested
from transfer.training.feature_keys import example_keys
from transfer.training.feature_store import MEMORY_BYTES
from transfer.training.prefixing import Piece


@dataclass(frozen=True, slots=True, eq=False)
class CutFeatures:
    """What a network gives at one layer.

    Attributes:
        at: the layer, as `extract` takes it.
        values: (n, d).
        cost: of the network up to there.
        probabilities: (n, s) of the classes that the network was trained on; None where they do not belong here.
    """

    at: str
    values: NDArray[np.float32] = field(repr=False)
    cost: Cost
    probabilities: NDArray[np.float64] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class ReadCandidate:
    """All cuts of a network, run over the examples.

    Attributes:
        opened: the network.
        cuts: in order.
        failures: what is wrong with examples that could not be read, by place; their rows mean nothing.
        trouble: why features are not kept for other runs, though they should be; empty where they are.
    """

    opened: OpenedCandidate
    cuts: tuple[CutFeatures, ...]
    failures: Mapping[int, Problem]
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Fitting:
    """How images are brought to networks that do not say it themselves.

    Attributes:
        preprocessing: where a network has no card that says it; None where all do.
        size: (h, w), where a network takes images of any size, or flattened ones and has no card; None for its own.
    """

    preprocessing: Preprocessing | str | None = None
    size: tuple[int, int] | None = None

    def of(self, network: Network) -> tuple[Preprocessing | str | None, tuple[int, int] | None]:
        """What of it goes for a network."""
        says = network.card is not None and network.card.preprocessing is not None
        (ref, *others) = network.graph.inputs
        shape = shape_of(network.graph, ref)
        takes_any = not others and (shape[:2] == (None, None) or (len(shape) == 1 and not says))
        return None if says else self.preprocessing, self.size if takes_any else None


def read_candidate(
    opened: OpenedCandidate,
    data: LabelledSet,
    *,
    most: int,
    fitting: Fitting,
    cache: Cache | None = None,
    progress: Progress = silent,
) -> ReadCandidate:
    """Run a network over a set, up to the last of its cuts, and to its answers where they are classes.

    Args:
        opened: the network.
        data: examples.
        most: cuts.
        fitting: of images.
        cache: where features are kept for other runs; None to keep none.
        progress: told how many are done.

    Raises:
        LayerError: if it cannot be cut.
        DataError: if the examples do not go into it.
    """
    network, flat = open_nested(opened.network)
    graph = network.graph
    names = cut_points(graph, most, network.card.features if network.card is not None else "")
    shapes = _shapes(graph, opened.custom_objects)
    refs = [Ref(name, len(graph.layer(name).calls) - 1) for name in names]
    answers = _find_answers(graph, shapes, network.card.classes if network.card is not None else ())
    ends = [*refs, *([answers.ref] if answers is not None else [])]
    tapped = replace(network, graph=pool_outputs(graph, ends, shapes))
    preprocessing, size = fitting.of(network)
    feed = make_feed(tapped, data, preprocessing=preprocessing, size=size, custom_objects=opened.custom_objects)
    rows, failures, trouble = _run(feed, data, opened.custom_objects, cache, progress)
    widths = _widths(tapped.graph, shapes)
    parts = np.split(rows, np.cumsum(widths)[:-1], axis=1)
    sizes = _example_sizes(feed, data, graph)
    cuts = [
        CutFeatures(flat.paths.get(name, name), part, _cost(network, name, sizes, opened))
        for name, part in zip(names, parts, strict=False)
    ]
    if answers is not None:
        cuts[-1] = replace(cuts[-1], probabilities=answers.probabilities(parts[-1]))
    return ReadCandidate(opened, tuple(cuts), failures, trouble)


def _run(
    feed: Feed, data: LabelledSet, own: dict[str, type], cache: Cache | None, progress: Progress
) -> tuple[NDArray[np.float32], dict[int, Problem], str]:
    digests, feeding = data.digests(), feed.to_json()
    piece = Piece(as_learnt(feed, data), shape=feed.example_shape(data), feeding=feeding, custom_objects=own)
    batches = checked_batches(feed, data, digests, progress)
    with open_store(cache, memory_bytes=MEMORY_BYTES, own_classes=own) as store:
        rows = store.compute(piece, example_keys(piece.key, digests), batches, progress)
        values = rows.values()
        return values.reshape(len(values), -1), dict(rows.failures), store.trouble


def _shapes(graph: Graph, own: Mapping[str, type]) -> Mapping[Ref, Shape]:
    """Of its tensors; Keras is asked where there is a layer without a rule."""
    known = infer_shapes(graph)
    if first_unknown(graph, known) is None:
        return known
    try:
        return {**shapes_by_keras(graph, own), **known}
    except LayerError:
        return known


@dataclass(frozen=True, slots=True)
class _Answers:
    """Where a network says which of the classes that it was trained on an example has.

    Attributes:
        ref: the tensor, (n, s).
        are_logits: whether a softmax is still to be taken.
    """

    ref: Ref
    are_logits: bool

    def probabilities(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, s), of what the tensor holds."""
        wide = values.astype(np.float64)
        powers = np.exp(wide - wide.max(1, keepdims=True)) if self.are_logits else wide
        return np.asarray(powers / powers.sum(1, keepdims=True))  # those of 16 bits have other sums than 1


def _find_answers(graph: Graph, shapes: Mapping[Ref, Shape], classes: tuple[str, ...]) -> _Answers | None:
    """A softmax at the end, or as many numbers as the card names classes; None for all else."""
    if len(graph.outputs) != 1:
        return None
    (ref,) = graph.outputs
    layer, shape = graph.layer(ref.layer), infer_shapes(graph, shapes).get(ref, ())
    if len(shape) != 1 or (shape[0] or 0) < 2:
        return None
    if layer.class_name == "Softmax" or layer.config.get("activation") == "softmax":
        return _Answers(ref, are_logits=False)
    gives_logits = layer.class_name == "Dense" and layer.config.get("activation", "linear") == "linear"
    return _Answers(ref, are_logits=True) if gives_logits and len(classes) == shape[0] else None


def _widths(graph: Graph, shapes: Mapping[Ref, Shape]) -> list[int]:
    """How many numbers each output of a graph has."""
    known = infer_shapes(graph, shapes)
    widths = [known[ref][0] if ref in known else None for ref in graph.outputs]
    unknown = [ref.layer for ref, width in zip(graph.outputs, widths, strict=True) if width is None]
    if unknown:
        raise LayerError(
            f"{graph.name!r} leaves open how many features it gives.",
            [Problem(name, "features of a known number") for name in unknown],
        )
    return [int(width or 0) for width in widths]


def _example_sizes(feed: Feed, data: LabelledSet, graph: Graph) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
    """Of what goes into a network itself, behind its preprocessing."""
    if feed.inputs:
        return feed.input_shapes(data)
    shape = shape_of(graph, graph.inputs[0])
    if feed.preprocessing is None or feed.preprocessing.size is None:
        return feed.example_shape(data)
    height, width = feed.preprocessing.size
    return (height, width, int(shape[2] or feed.preprocessing.channels)) if len(shape) == 3 else (int(shape[0] or 0),)


def _cost(
    network: Network,
    name: str,
    sizes: tuple[int, ...] | dict[str, tuple[int, ...]],
    opened: OpenedCandidate,
) -> Cost:
    graph = cut(network.graph, name)
    held = list(Selection(network.tensors, frozenset(graph.names)).values())
    try:
        counted = count_graph_flops(graph, sizes, shapes=settle_shapes(graph, sizes, opened.custom_objects))
        flops = None if counted.uncounted else counted.flops
    except LayerError:
        flops = None
    return Cost(flops, sum(each.size for each in held), sum(each.nbytes for each in held))
