"""Which inputs of a graph are token ids, by the embeddings that look them up."""

from __future__ import annotations

from transfer.graphs.call_order import calls_in_order
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.wrapping import is_model, is_operation, parse_nested

# What gives all values that it gets, as they are, in another shape or type.
_LAYERS = frozenset({"Flatten", "Identity", "Permute", "RepeatVector", "Reshape"})
_OPERATIONS = frozenset({"Cast", "Copy", "ExpandDims", "Flip", "Identity", "Reshape", "Squeeze", "Transpose"})


def count_tokens(graph: Graph) -> dict[str, int]:
    """How many token ids there are for each input of which all values go into an embedding, by the input's name.

    An id is a whole number from 0 to one less. Of several embeddings that take an input the smallest counts. Nested
    models are looked into.
    """
    origins = {ref: ref.layer for ref in graph.inputs}
    found: dict[str, int] = {}
    for layer, node, call in calls_in_order(graph):
        sources = call.values
        if len(sources) == 1 and sources[0] in origins and _keeps_values(layer):
            origins[Ref(layer.name, node)] = origins[sources[0]]
        for ref, count in zip(sources, _counts(layer, sources, origins), strict=True):
            if count is not None:
                name = origins[ref]
                found[name] = min(count, found.get(name, count))
    return found


def _counts(layer: Layer, sources: tuple[Ref, ...], origins: dict[Ref, str]) -> list[int | None]:
    """Of what goes into a layer, how many ids there are; None where it is none that comes from an input."""
    counts: list[int | None] = [None] * len(sources)
    if layer.class_name == "Embedding" and len(sources) == 1:
        counts = [layer.config.get("input_dim")]
    elif is_model(layer) and any(ref in origins for ref in sources):
        inner = parse_nested(layer, ((),))
        inside = count_tokens(inner)
        if len(inner.inputs) == len(sources):
            counts = [inside.get(ref.layer) for ref in inner.inputs]
    return [count if ref in origins else None for ref, count in zip(sources, counts, strict=True)]


def _keeps_values(layer: Layer) -> bool:
    return layer.class_name in (_OPERATIONS if is_operation(layer) else _LAYERS)
