"""Where masks of padded steps travel: beside the tensors, from the layer that makes them to those that heed them."""

from __future__ import annotations

from transfer.graphs.call_order import calls_in_order
from transfer.graphs.fixed_layers import held_layers
from transfer.graphs.graph import Graph, Layer
from transfer.graphs.keras_names import LAYERS
from transfer.graphs.layer_kinds import ATTENTIONS, MASK_PASSING
from transfer.graphs.wrapping import is_model, is_operation

# Layers of Keras that hand a mask on; the others drop it. Recurrent ones do so with their sequences.
_PASSING = (
    MASK_PASSING
    | ATTENTIONS
    | {
        *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"),
        *("Lambda", "Masking", "Embedding", "ReversibleEmbedding"),
    }
)


def masked_calls(graph: Graph) -> frozenset[tuple[str, int]]:
    """The calls, each a layer's name and a number, whose outputs may carry a mask.

    A nested model, and a class that is not known here, is taken to hand on what it gets.
    """
    making = {layer.name for layer in graph if _makes_mask(layer)}
    passing = {layer.name for layer in graph if _passes_mask(layer)}
    found: set[tuple[str, int]] = set()
    for layer, node, call in calls_in_order(graph):
        gets = any((ref.layer, ref.node) in found for ref in call.sources)
        if layer.calls and (layer.name in making or (gets and layer.name in passing)):
            found.add((layer.name, node))
    return frozenset(found)


def _makes_mask(layer: Layer) -> bool:
    if is_operation(layer):
        return False
    return (
        layer.class_name == "Masking"
        or bool(layer.config.get("mask_zero"))
        or any(map(_makes_mask, held_layers(layer)))
    )


def _passes_mask(layer: Layer) -> bool:
    if is_operation(layer):
        return False
    if is_model(layer) or layer.class_name in _PASSING or layer.class_name not in LAYERS:
        return True
    sequences = [each.config.get("return_sequences") for each in (layer, *held_layers(layer))]
    return any(sequences)
