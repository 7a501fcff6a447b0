"""Where a network ends: `cut` keeps what a layer needs and drops the rest."""

from __future__ import annotations

from dataclasses import replace

from transfer.errors import LayerError, Problem
from transfer.graphs.graph import Call, Graph, Layer, Ref

# Layers that go with the layer they follow: they hold no features of their own.
COMPANIONS = frozenset(
    {"Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax", "ActivityRegularization", "Identity"}
    | {"Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout"}
    | {"GaussianDropout", "GaussianNoise"}
)
PASSIVE = COMPANIONS | {
    "InputLayer",
    "Flatten",
    "Reshape",
    "Permute",
    "Rescaling",
    "Normalization",
    "Resizing",
    "CenterCrop",
}
GLOBAL_POOLINGS = frozenset(f"Global{kind}Pooling{rank}D" for kind in ("Average", "Max") for rank in (1, 2, 3))


def cut(graph: Graph, at: str) -> Graph:
    """The graph that ends at a layer: its last call is the one output.

    Raises:
        LayerError: if there is no such layer, it is an input, or an input of the model would be cut off.
    """
    layer = graph.layer(at)
    if not layer.calls:
        raise LayerError(f"Cutting {graph.name!r} at its input {at!r} leaves no layer.")
    return _keep(graph, Ref(at, len(layer.calls) - 1))


def cut_at(graph: Graph, ref: Ref) -> Graph:
    """As `cut`, at one output of one call."""
    return cut(graph, ref.layer) if len(graph.layer(ref.layer).calls) <= 1 and not ref.tensor else _keep(graph, ref)


def drop_last(graph: Graph, count: int) -> tuple[Graph, tuple[str, ...]]:
    """Drop the last layers; an activation or dropout goes with the layer that it follows and is not counted.

    Returns:
        The shorter graph, and the names of what was dropped, in order.

    Raises:
        LayerError: if the model has several outputs, or a layer with several inputs stands there, or nothing is left.
    """
    if count < 1:
        raise ValueError(f"drop_last counts layers to drop: at least 1, not {count}")
    end = _single_output(graph)
    counted = 0
    while counted < count:
        layer = graph.layer(end.layer)
        counted += layer.class_name not in COMPANIONS
        end = _before(graph, layer, end)
        if not graph.layer(end.layer).calls:
            raise LayerError(
                f"Dropping {count} of the layers of {graph.name!r} leaves nothing.",
                [Problem("layers that count", f"more than {count}", str(counted))],
                next_step="drop fewer, or cut at a layer with --at (at=…)",
            )
    shorter = cut_at(graph, end)
    return shorter, tuple(name for name in graph.names if name not in shorter.names)


def feature_layer(graph: Graph) -> str:
    """Where a classifier's features end: last global pooling, else last `Flatten`, else before the last `Dense`.

    Only layers that everything passes through count, on the way back from the output: a pooling inside a
    squeeze-and-excitation branch does not. A network without a classifier ends where it ends.

    Raises:
        LayerError: if the model has several outputs, or its only layer is the classifier.
    """
    end = _single_output(graph)
    chain = [end]
    while len(sources := _sources(graph, chain[-1])) == 1 and graph.layer(sources[0].layer).calls:
        chain.append(sources[0])
    kinds = [graph.layer(ref.layer).class_name for ref in chain]
    for wanted in (GLOBAL_POOLINGS, frozenset({"Flatten"})):
        for place, ref in enumerate(chain):
            # A Flatten at the entrance is no end of features: something must have been learnt before it.
            if kinds[place] in wanted and any(_learns(graph.layer(each.layer)) for each in chain[place + 1 :]):
                return ref.layer
    if "Dense" not in kinds:
        return end.layer
    place = kinds.index("Dense")
    if place + 1 == len(chain) and len(_sources(graph, chain[place])) == 1:
        raise LayerError(
            f"The only Dense layer of {graph.name!r} stands right after its input: there are no features before it.",
            next_step="keep it as the backbone with --at (at=…)",
        )
    return _before(graph, graph.layer(chain[place].layer), chain[place]).layer


def _learns(layer: Layer) -> bool:
    """Whether a layer may hold what training changes, or joins branches that do."""
    kind = layer.class_name
    passive = kind in PASSIVE or kind.startswith(("Random", "ZeroPadding", "Cropping")) or "Pooling" in kind
    return not passive or any(len(call.sources) > 1 for call in layer.calls)


def _sources(graph: Graph, ref: Ref) -> tuple[Ref, ...]:
    calls = graph.layer(ref.layer).calls
    return calls[ref.node].sources if calls else ()


def _single_output(graph: Graph) -> Ref:
    if len(graph.outputs) != 1:
        raise LayerError(
            f"{graph.name!r} has {len(graph.outputs)} outputs, so it has no last layer.",
            [Problem(ref.layer, found="an output") for ref in graph.outputs],
            next_step="name the last layer to keep with --at (at=…)",
        )
    return graph.outputs[0]


def _before(graph: Graph, layer: Layer, end: Ref) -> Ref:
    sources = _sources(graph, end)
    if len(sources) != 1:
        raise LayerError(
            f"{layer.name!r} has {len(sources)} inputs, so there is no one layer before it.",
            [Problem(ref.layer, found=f"goes into {layer.name!r}") for ref in sources],
            next_step="name the last layer to keep with --at (at=…)",
        )
    return sources[0]


def _keep(graph: Graph, end: Ref) -> Graph:
    needed = _needed(graph, end)
    lost = [ref.layer for ref in graph.inputs if ref.layer not in needed]
    if lost:
        raise LayerError(
            f"Cutting {graph.name!r} at {end.layer!r} cuts off an input.",
            [Problem(name, f"feeds {end.layer!r}", "feeds only what is dropped") for name in lost],
            next_step="cut where all inputs have come together",
        )
    renumbered = {(name, node): place for name, nodes in needed.items() for place, node in enumerate(sorted(nodes))}

    def renumber(ref: Ref) -> Ref:
        return Ref(ref.layer, renumbered[ref.layer, ref.node], ref.tensor)

    def kept_calls(layer: Layer) -> tuple[Call, ...]:
        return tuple(layer.calls[node].redirected(renumber) for node in sorted(needed[layer.name]) if layer.calls)

    layers = tuple(replace(layer, calls=kept_calls(layer)) for layer in graph if layer.name in needed)
    return replace(graph, layers=layers, outputs=(renumber(end),), output_keys=None)


def _needed(graph: Graph, end: Ref) -> dict[str, set[int]]:
    """For each layer on the way to `end`, which of its calls are."""
    by_name = {layer.name: layer for layer in graph}
    needed: dict[str, set[int]] = {}
    ahead = [end]
    while ahead:
        ref = ahead.pop()
        if ref.node in needed.setdefault(ref.layer, set()):
            continue
        needed[ref.layer].add(ref.node)
        calls = by_name[ref.layer].calls
        if calls:
            ahead += calls[ref.node].sources
    return needed
