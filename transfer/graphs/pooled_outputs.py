"""A graph that gives what several of its layers hold at once, averaged over positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from transfer.graphs.cutting import keep_needed
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.heads import is_channels_first, pooling_layer, refuse_rank
from transfer.graphs.plain_names import unused_name
from transfer.graphs.shapes import Shape, infer_shapes, shape_of


def pool_outputs(graph: Graph, refs: Sequence[Ref], shapes: Mapping[Ref, Shape] | None = None) -> Graph:
    """The graph whose outputs are these tensors, each averaged over its positions as in front of a head.

    Args:
        graph: left as it is.
        refs: tensors of it, of shape (n, d) up to (n, depth, h, w, d).
        shapes: of tensors for which there is no rule.

    Raises:
        LayerError: if a tensor has other axes, or its shape is not known.
    """
    known = infer_shapes(graph, shapes)
    kept = keep_needed(graph, refs, {})
    added: list[Layer] = []
    outputs: list[Ref] = []
    for ref, end in zip(refs, kept.outputs, strict=True):
        rank = len(known[ref] if ref in known else shape_of(graph, ref)) - 1
        if not 0 <= rank <= 3:
            raise refuse_rank(ref.layer, rank)
        if rank:
            taken = {*graph.names, *(layer.name for layer in added)}
            first = is_channels_first(graph, ref, known)
            added.append(pooling_layer(unused_name(f"{ref.layer}_mean", taken), "avg", end, rank, channels_first=first))
        outputs.append(Ref(added[-1].name) if rank else end)
    return replace(kept, layers=(*kept.layers, *added), outputs=tuple(outputs))
