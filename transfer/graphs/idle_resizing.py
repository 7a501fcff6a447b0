"""Resizing of images that have the wanted size already: work without an effect."""

from __future__ import annotations

from transfer.graphs.editing import remove
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.shapes import Shape, infer_shapes

# These weigh each pixel with exactly 1 where it stays in its place; others round on the way.
_EXACT = frozenset({"bilinear", "nearest", "bicubic"})


def drop_idle_resizing(graph: Graph) -> Graph:
    """The graph without the `Resizing` layers whose images come in at the size that they go out with.

    Args:
        graph: whose input sizes are known; where they are open, layers stay.
    """
    shapes = infer_shapes(graph)
    for layer in [each for each in graph if _is_idle(each, shapes)]:
        if sum(bool(each.calls) for each in graph) > 1:
            graph = remove(graph, layer.name)
    return graph


def _is_idle(layer: Layer, shapes: dict[Ref, Shape]) -> bool:
    if layer.class_name != "Resizing" or layer.config.get("interpolation", "bilinear") not in _EXACT:
        return False
    if any(len(call.sources) != 1 for call in layer.calls):
        return False
    axes = slice(-2, None) if layer.config.get("data_format") == "channels_first" else slice(-3, -1)
    size = (layer.config["height"], layer.config["width"])
    return all(shapes.get(call.sources[0], ())[axes] == size for call in layer.calls)
