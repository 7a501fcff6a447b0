"""What is put onto a graph: heads and an activation at its end, other layers in front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from transfer.errors import LayerError, Problem
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.shapes import shape_of
from transfer.specs import Head, Json


def attach(graph: Graph, heads: Sequence[Head], *, seed: int = 0) -> Graph:
    """Give the graph's one output to each head; their logits are the new outputs, in the order of the heads.

    Features that still have positions are pooled first, by what each head says.

    Args:
        graph: with one output of shape (n, d), (n, steps, d) or up to (n, depth, h, w, d).
        heads: at least one, with names that are free.
        seed: of the heads' initial kernels (Glorot uniform).

    Raises:
        LayerError: if a name is taken, or the graph has several outputs.
    """
    if not heads:
        raise ValueError("attach takes at least one head")
    taken = [
        head.name for k, head in enumerate(heads) if head.name in {*graph.names, *(each.name for each in heads[:k])}
    ]
    if taken:
        raise LayerError(
            f"{graph.name!r} has layers of these names already.",
            [Problem(name, "a new name", "taken") for name in taken],
            next_step="call the head otherwise",
        )
    if len(graph.outputs) != 1:
        raise LayerError(
            f"{graph.name!r} has {len(graph.outputs)} outputs; heads go onto one.",
            next_step="cut at one layer with --at (at=…)",
        )
    layers = list(graph.layers)
    outputs = []
    pools: dict[str, Ref] = {}  # heads that pool alike share the layer
    for place, head in enumerate(heads):
        if head.pool not in pools:
            pools[head.pool] = _pooled(graph, layers, head)
        features = pools[head.pool]
        layers.append(_dense(head, features, seed + place))
        outputs.append(Ref(head.name))
    return replace(graph, layers=tuple(layers), outputs=tuple(outputs), output_keys=None)


def append(graph: Graph, layer: Layer) -> Graph:
    """Apply a layer to the graph's one output."""
    (output,) = graph.outputs
    added = replace(layer, name=free_name(graph, layer.name), calls=(Call([output], {}),))
    added = added.with_config(name=added.name)
    return replace(graph, layers=(*graph.layers, added), outputs=(Ref(added.name),), output_keys=None)


def prepend(graph: Graph, layers: Sequence[Layer]) -> Graph:
    """Put layers in front of the graph's one input: the first is the new input, the last feeds what the old one fed.

    Raises:
        LayerError: if the graph has several inputs.
    """
    if len(graph.inputs) != 1:
        raise LayerError(f"{graph.name!r} has {len(graph.inputs)} inputs; only one can be preprocessed.")
    (old,) = graph.inputs
    front: list[Layer] = []
    for layer in layers:
        named = replace(
            layer, name=free_name(graph, layer.name), calls=(Call([Ref(front[-1].name)], {}),) if front else ()
        )
        front.append(named.with_config(name=named.name))
    end = Ref(front[-1].name)
    rest = [
        replace(layer, calls=tuple(call.redirected(lambda ref: end if ref == old else ref) for call in layer.calls))
        for layer in graph
        if layer.name != old.layer
    ]
    return replace(graph, layers=(*front, *rest), inputs=(Ref(front[0].name),), input_keys=None)


def free_name(graph: Graph, name: str) -> str:
    """The name itself, or with the first `_1`, `_2`, … that no layer has."""
    taken, free, count = set(graph.names), name, 0
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    return free


def _pooled(graph: Graph, layers: list[Layer], head: Head) -> Ref:
    (features,) = graph.outputs
    rank = len(shape_of(graph, features)) - 1
    if rank == 0:
        return features
    if not 1 <= rank <= 3:
        raise LayerError(
            f"{features.layer!r} gives features of {rank + 1} axes; expected 1 to 4.",
            next_step="cut at another layer with --at (at=…)",
        )
    name = free_name(graph, f"{features.layer}_{head.pool}_pool")
    kind = {"avg": "Average", "max": "Max"}[head.pool]
    config: dict[str, Json] = {"name": name, "data_format": "channels_last", "keepdims": False}
    layers.append(Layer(name, f"Global{kind}Pooling{rank}D", config, (Call([features], {}),)))
    return Ref(name)


def _dense(head: Head, features: Ref, seed: int) -> Layer:
    initial = {
        "module": "keras.initializers",
        "class_name": "GlorotUniform",
        "config": {"seed": seed},
        "registered_name": None,
    }
    config: dict[str, Json] = {
        "name": head.name,
        "trainable": True,
        "units": head.classes,
        "activation": "linear",
        "use_bias": True,
        "kernel_initializer": initial,
    }
    return Layer(head.name, "Dense", config, (Call([features], {}),))
