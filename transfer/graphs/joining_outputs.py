"""Several heads as one output: their logits side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from transfer.graphs.attaching import free_name
from transfer.graphs.graph import Graph, Ref
from transfer.graphs.heads import joining_layer

JOINED = "logits"


def join_outputs(graph: Graph, heads: Sequence[str]) -> Graph:
    """The graph with the outputs of its heads as one (n, k), in the order of their names; of one head it stays.

    Args:
        graph: each head gives an output (n, …).
        heads: names of all of them.

    Raises:
        ValueError: if these are not the layers that give its outputs.
    """
    refs = {ref.layer: ref for ref in graph.outputs}
    if sorted(refs) != sorted(heads) or len(refs) != len(graph.outputs):
        raise ValueError(f"outputs of {graph.name!r} come from {', '.join(sorted(refs))}, not {', '.join(heads)}")
    if len(heads) == 1:
        return graph
    layer = joining_layer(free_name(graph, JOINED), tuple(refs[name] for name in heads))
    return replace(graph, layers=(*graph.layers, layer), outputs=(Ref(layer.name),), output_keys=None)
