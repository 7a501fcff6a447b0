"""Where a network may be cut: ends of blocks that everything passes through, and where its features end."""

from __future__ import annotations

from collections.abc import Sequence

from transfer.errors import LayerError
from transfer.graphs.blocks import blocks_of
from transfer.graphs.cutting import needed_calls, source_before
from transfer.graphs.feature_layers import feature_layer
from transfer.graphs.graph import Graph, Ref
from transfer.graphs.layer_kinds import DROPOUTS

_MEANS = frozenset(f"GlobalAveragePooling{rank}D" for rank in (1, 2, 3))


def cut_points(graph: Graph, most: int, features: str = "") -> tuple[str, ...]:
    """Names of layers to cut at, in order: where the features end, and ends of blocks spread evenly over the depth.

    Features with positions are averaged over these by whoever takes them, so an end of a block that the layer of
    features only averages is left out.

    Args:
        graph: nested models opened.
        most: how many layers, at least 1.
        features: the layer at which its features end, where that is known.

    Raises:
        ValueError: if `most` is below 1.
        LayerError: if there is no such layer.
    """
    if most < 1:
        raise ValueError(f"most counts layers to cut at: at least 1, not {most}")
    last, same = _features(graph, features)
    ends = [end for block in blocks_of(graph) if (end := _end(graph, block)) and end not in same]
    wanted = most - (last is not None)
    if len(ends) > wanted:
        ends = [ends[-(-len(ends) * place // wanted) - 1] for place in range(1, wanted + 1)]
    chosen = {*ends, *([last] if last is not None else [])}
    if not chosen:
        raise LayerError(
            f"{graph.name!r} has no layer that everything passes through before its head.",
            next_step="cut out the part of it that shall be looked at: transfer extract FILE --at LAYER",
        )
    return tuple(name for name in graph.names if name in chosen)


def _features(graph: Graph, known: str) -> tuple[str | None, set[str]]:
    """Where the features end, with layers before it that give the same once averaged; None where that is not clear."""
    try:
        last = known if known in graph.names else feature_layer(graph)
    except LayerError:
        return None, set()
    same, at = {last}, Ref(last, len(graph.layer(last).calls) - 1)
    while graph.layer(at.layer).class_name in DROPOUTS | _MEANS and graph.layer(at.layer).calls:
        at = source_before(graph, at)
        same.add(at.layer)
    return last, same


def _end(graph: Graph, block: Sequence[str]) -> str | None:
    """The last layer of a block that everything passes through; None where branches run past all of it."""
    place = {name: k for k, name in enumerate(graph.names)}
    ordered = sorted((name for name in block if name in place), key=lambda name: -place[name])
    return next((name for name in ordered if _all_passes(graph, name)), None)


def _all_passes(graph: Graph, name: str) -> bool:
    """Whether every way from an input to an output leads through the one call of a layer."""
    if len(graph.layer(name).calls) != 1:
        return False
    inputs = {ref.layer for ref in graph.inputs}
    around = {layer for layer, _ in needed_calls(graph, graph.outputs, {Ref(name)})}
    return not inputs & around
