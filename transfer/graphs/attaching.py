"""What is put onto a graph: heads or a layer at its end, other layers in front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from transfer.errors import LayerError, Problem
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.heads import (
    head_layers,
    head_names,
    is_channels_first,
    joining_layer,
    pooling_layer,
    refuse_rank,
)
from transfer.graphs.plain_names import unused_name
from transfer.graphs.shapes import Shape, infer_shapes, shape_of
from transfer.specs import Head


def attach(graph: Graph, heads: Sequence[Head], *, seed: int = 0, shapes: Mapping[Ref, Shape] | None = None) -> Graph:
    """Give the graph's output to each head; their logits are the new outputs, in the order of the heads.

    Features that still have positions are pooled first, by what each head says. Where the graph has several outputs,
    of several scales say, each is pooled and all of them are put side by side (`features_concat`).

    Args:
        graph: with outputs of shape (n, d), (n, steps, d) or up to (n, depth, h, w, d).
        heads: at least one, with names that are free.
        seed: of the heads' initial kernels (Glorot uniform; hidden ones He uniform) and of their dropout.
        shapes: of tensors for which there is no rule, where the caller knows them.

    Raises:
        LayerError: if a name is taken, or an output has other axes.
    """
    if not heads:
        raise ValueError("attach takes at least one head")
    _check_names(graph, heads)
    features = _Features(graph, [name for head in heads for name in head_names(head)], shapes)
    layers: list[Layer] = []
    for place, head in enumerate(heads):
        pooled, end = features.pooled(head.pool)
        layers += [*pooled, *head_layers(head, end, seed + place)]
    outputs = tuple(Ref(head.name) for head in heads)
    return replace(graph, layers=(*graph.layers, *layers), outputs=outputs, output_keys=None)


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
    return unused_name(name, set(graph.names))


def _check_names(graph: Graph, heads: Sequence[Head]) -> None:
    taken, problems = set(graph.names), []
    for head in heads:
        names = head_names(head)
        problems += [Problem(name, "a new name", "taken") for name in names if name in taken]
        taken |= set(names)
    if problems:
        raise LayerError(
            f"{graph.name!r} has layers of these names already.", problems, next_step="call the head otherwise"
        )


class _Features:
    """The outputs of a graph as one vector, pooled in each way once: heads that pool alike share the layers."""

    def __init__(self, graph: Graph, reserved: Sequence[str], shapes: Mapping[Ref, Shape] | None) -> None:
        self._graph = graph
        self._taken = {*graph.names, *reserved}
        self._shapes = infer_shapes(graph, shapes)
        self._made: dict[str, Ref] = {}

    def pooled(self, pool: str) -> tuple[list[Layer], Ref]:
        """Layers to add, and where their result is."""
        if pool in self._made:
            return [], self._made[pool]
        layers: list[Layer] = []
        parts = tuple(part for output in self._graph.outputs for part in self._one(output, pool, layers))
        if len(parts) > 1:
            self._made[pool] = self._joined(parts, pool, layers)
        else:
            (self._made[pool],) = parts
        return layers, self._made[pool]

    def _one(self, output: Ref, pool: str, layers: list[Layer]) -> tuple[Ref, ...]:
        shape: Shape = self._shapes[output] if output in self._shapes else shape_of(self._graph, output)
        rank = len(shape) - 1
        if rank == 0:
            return (output,)
        if not 1 <= rank <= 3:
            raise refuse_rank(output.layer, rank)
        kinds = ("avg", "max") if pool == "concat" else (pool,)
        return tuple(self._pool(output, kind, rank, layers) for kind in kinds)

    def _pool(self, output: Ref, kind: str, rank: int, layers: list[Layer]) -> Ref:
        key = f"{output}/{kind}"
        if key not in self._made:
            first = is_channels_first(self._graph, output, self._shapes)
            name = self._name(f"{output.layer}_{kind}_pool")
            layers.append(pooling_layer(name, kind, output, rank, channels_first=first))
            self._made[key] = Ref(name)
        return self._made[key]

    def _joined(self, parts: tuple[Ref, ...], pool: str, layers: list[Layer]) -> Ref:
        key = f"joined {parts}"
        if key not in self._made:
            outputs = self._graph.outputs
            name = self._name("features_concat" if len(outputs) > 1 else f"{outputs[0].layer}_{pool}_pool")
            layers.append(joining_layer(name, parts))
            self._made[key] = Ref(name)
        return self._made[key]

    def _name(self, name: str) -> str:
        found = unused_name(name, self._taken)
        self._taken.add(found)
        return found
