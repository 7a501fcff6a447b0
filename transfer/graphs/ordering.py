"""The order in which a model lists its layers, which files of weights follow: by depth, then as they are met."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from transfer.graphs.graph import Call, Graph, Layer

Node: TypeAlias = tuple[str, int]  # a layer and which of its calls


def order_layers(graph: Graph) -> Graph:
    """The same graph with its layers in the order that Keras 3 gives those of a model built from it.

    Older Keras, and graphs that were cut or attached to, may list branches otherwise. A layer's depth is the longest
    way from its calls to an output; layers of one depth stand as a search from the outputs backwards meets them.
    Layers that lead to no output come last, as they stand.
    """
    calls = {(layer.name, node): call for layer in graph for node, call in enumerate(layer.calls or (Call([], {}),))}
    finished, met = _search(graph, calls)
    depths = _layer_depths(finished, calls)
    for ref in graph.inputs:
        if ref.layer not in depths:
            depths[ref.layer], met[ref.layer] = 0, -1

    def key(layer: Layer) -> tuple[int, int]:
        return (-depths[layer.name], met[layer.name]) if layer.name in depths else (1, 0)

    return replace(graph, layers=tuple(sorted(graph.layers, key=key)))


def _search(graph: Graph, calls: dict[Node, Call]) -> tuple[list[Node], dict[str, int]]:
    """Calls in the order in which a search in depth from the outputs is done with them, and when it met each layer."""
    finished: dict[Node, None] = {}
    met: dict[str, int] = {}
    for output in graph.outputs:
        ahead: list[tuple[Node, bool]] = [((output.layer, output.node), False)]
        while ahead:
            node, is_done = ahead.pop()
            if is_done:
                finished[node] = None
            elif node not in finished:
                met.setdefault(node[0], len(met))
                ahead.append((node, True))
                ahead += [((ref.layer, ref.node), False) for ref in reversed(calls[node].sources)]
    return list(finished), met


def _layer_depths(finished: list[Node], calls: dict[Node, Call]) -> dict[str, int]:
    """The depth of each layer: one more than that of whatever takes its outputs, and as deep as its deepest call."""
    nodes: dict[Node, int] = {}
    layers: dict[str, int] = {}
    for node in reversed(finished):
        depth = max(nodes.get(node, 0), layers.get(node[0], 0))
        layers[node[0]] = nodes[node] = depth
        for ref in calls[node].sources:
            source = (ref.layer, ref.node)
            nodes[source] = max(depth + 1, nodes.get(source, 0))
    return layers
