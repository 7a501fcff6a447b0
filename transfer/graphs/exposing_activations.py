"""Activations inside layers made layers of their own, so that what goes in and what comes out can be watched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from transfer.graphs.activation_entries import function_name
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.plain_names import unused_name

_RANKS = (1, 2, 3)
HOLDERS = frozenset({"Dense", "EinsumDense"}) | {
    name
    for rank in _RANKS
    for name in (f"Conv{rank}D", f"Conv{rank}DTranspose", f"SeparableConv{rank}D", f"DepthwiseConv{rank}D")
}
_SUFFIX = "activation"


@dataclass(frozen=True, slots=True)
class Exposed:
    """A graph whose activations are layers.

    Attributes:
        graph: computes what the old one did.
        owners: name of each layer that was put in → name of the layer whose activation it is.
    """

    graph: Graph
    owners: Mapping[str, str]


def expose_activations(graph: Graph) -> Exposed:
    """Turn `Dense(activation="gelu")` into a linear `Dense` and an `Activation`, and so all layers of that kind.

    Recurrent layers, attention and wrappers keep what they compute inside.

    Args:
        graph: left as it is.
    """
    taken = set(graph.names)
    owners: dict[str, str] = {}
    layers: list[Layer] = []
    for layer in graph:
        if layer.class_name not in HOLDERS or function_name(layer.config.get(_SUFFIX)) in ("", "linear"):
            layers.append(layer)
            continue
        name = unused_name(f"{layer.name}_{_SUFFIX}", taken)
        taken.add(name)
        owners[name] = layer.name
        calls = tuple(Call([Ref(layer.name, node)], {}) for node in range(len(layer.calls)))
        config = {"name": name, _SUFFIX: layer.config[_SUFFIX]}
        config |= {key: layer.config[key] for key in ("dtype",) if key in layer.config}
        layers += [layer.with_config(activation="linear"), Layer(name, "Activation", config, calls)]
    new = {owner: name for name, owner in owners.items()}

    def follow(ref: Ref) -> Ref:
        return replace(ref, layer=new.get(ref.layer, ref.layer))

    redirected = tuple(
        layer if layer.name in owners else replace(layer, calls=tuple(call.redirected(follow) for call in layer.calls))
        for layer in layers
    )
    return Exposed(replace(graph, layers=redirected, outputs=tuple(map(follow, graph.outputs))), owners)
