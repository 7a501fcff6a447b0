"""Where a network ends: `cut` keeps what a layer, or several, need and drops the rest."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from transfer.errors import LayerError, Problem
from transfer.graphs.graph import Call, Graph, Ref
from transfer.graphs.layer_kinds import COMPANIONS
from transfer.graphs.several_outputs import count_outputs
from transfer.graphs.wrapping import is_model

Node: TypeAlias = tuple[str, int]  # a layer and which of its calls


def cut(graph: Graph, at: str | Sequence[str]) -> Graph:
    """The graph that ends at a layer, or at several: all that their last calls give are the outputs, in that order.

    Args:
        graph: left as it is.
        at: names of layers; several give features of several scales. A layer with several outputs, a nested model say,
            gives them all.

    Raises:
        LayerError: if there is no such layer, it stands inside a nested model, it is an input, or an input of the model
            would be cut off.
        ValueError: if a name comes twice, or there is none.
    """
    names = [at] if isinstance(at, str) else list(at)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"cut takes names of layers, each once: {names}")
    ends: list[Ref] = []
    for name in names:
        layer = graph.layer(name)
        if not layer.calls:
            raise LayerError(f"Cutting {graph.name!r} at its input {name!r} leaves no layer.")
        node = len(layer.calls) - 1
        ends += [Ref(name, node, tensor) for tensor in range(count_outputs(graph, layer))]
    return _keep(graph, ends)


def cut_at(graph: Graph, ref: Ref) -> Graph:
    """As `cut`, at one output of one call."""
    if not graph.layer(ref.layer).calls:
        raise LayerError(f"Cutting {graph.name!r} at its input {ref.layer!r} leaves no layer.")
    return _keep(graph, [ref])


def drop_last(graph: Graph, count: int) -> tuple[Graph, tuple[str, ...]]:
    """Drop the last layers; an activation or dropout goes with the layer that it follows and is not counted.

    A nested model is one layer.

    Returns:
        The shorter graph, and the names of what was dropped, in order.

    Raises:
        LayerError: if the model has several outputs, or a layer with several inputs stands there, or nothing is left.
    """
    if count < 1:
        raise ValueError(f"drop_last counts layers to drop: at least 1, not {count}")
    end = single_output(graph)
    counted = 0
    while counted < count:
        layer = graph.layer(end.layer)
        counted += layer.class_name not in COMPANIONS
        end = source_before(graph, end)
        if not graph.layer(end.layer).calls:
            raise LayerError(
                f"Dropping {count} of the layers of {graph.name!r} leaves nothing.",
                [Problem("layers that count", f"more than {count}", str(counted))],
                next_step=_instead_of_dropping(graph),
            )
    shorter = cut_at(graph, end)
    return shorter, tuple(name for name in graph.names if name not in shorter.names)


def sources_of(graph: Graph, ref: Ref) -> tuple[Ref, ...]:
    """The tensors that go into the call that gives `ref`, each once and but for masks; none for an input."""
    calls = graph.layer(ref.layer).calls
    if not calls:
        return ()
    return tuple(dict.fromkeys(calls[ref.node].values))


def single_output(graph: Graph) -> Ref:
    """The graph's one output.

    Raises:
        LayerError: if it has several.
    """
    if len(graph.outputs) != 1:
        raise LayerError(
            f"{graph.name!r} has {len(graph.outputs)} outputs, so it has no last layer.",
            [Problem(ref.layer, found="an output") for ref in graph.outputs],
            next_step="name the last layer to keep with --at (at=…)",
        )
    return graph.outputs[0]


def source_before(graph: Graph, ref: Ref) -> Ref:
    """The one tensor that goes into the call that gives `ref`.

    Raises:
        LayerError: if there are several.
    """
    sources = sources_of(graph, ref)
    if len(sources) != 1:
        raise LayerError(
            f"{ref.layer!r} has {len(sources)} inputs, so there is no one layer before it.",
            [Problem(each.layer, found=f"goes into {ref.layer!r}") for each in sources],
            next_step="name the last layer to keep with --at (at=…)",
        )
    return sources[0]


def _instead_of_dropping(graph: Graph) -> str:
    called = [layer for layer in graph if layer.calls]
    if len(called) == 1 and is_model(called[0]):
        return f"its one layer {called[0].name!r} is a nested model: open it first with flatten(graph)"
    return "drop fewer, or cut at a layer with --at (at=…)"


def _keep(graph: Graph, ends: Sequence[Ref]) -> Graph:
    kept = keep_needed(graph, ends, {})
    lost = [ref.layer for ref in graph.inputs if ref.layer not in kept.names]
    if lost:
        at = " and ".join(dict.fromkeys(repr(end.layer) for end in ends))
        raise LayerError(
            f"Cutting {graph.name!r} at {at} cuts off an input.",
            [Problem(name, f"feeds {at}", "feeds only what is dropped") for name in lost],
            next_step="cut where all inputs have come together",
        )
    return kept


def keep_needed(graph: Graph, ends: Sequence[Ref], stops: Mapping[Ref, Ref]) -> Graph:
    """The graph that leads to some tensors, with the layers and calls that are needed for them; its inputs stay.

    Args:
        graph: left as it is.
        ends: its outputs then, without keys.
        stops: tensors in whose place others stand: nothing is needed for these.
    """
    places: dict[str, dict[int, int]] = {}  # for each layer the calls that are kept, and what number they get
    for name, node in sorted(needed_calls(graph, ends, stops)):
        here = places.setdefault(name, {})
        here[node] = len(here)

    def renumber(ref: Ref) -> Ref:
        return stops[ref] if ref in stops else replace(ref, node=places[ref.layer][ref.node])

    layers = tuple(
        replace(
            layer, calls=tuple(layer.calls[node].redirected(renumber) for node in places[layer.name] if layer.calls)
        )
        for layer in graph
        if layer.name in places
    )
    return replace(graph, layers=layers, outputs=tuple(map(renumber, ends)), output_keys=None)


def needed_calls(graph: Graph, ends: Iterable[Ref], stops: Container[Ref]) -> dict[Node, Call]:
    """Each call on the way to some tensors, from those on that stop it; an input counts as a call of nothing."""
    by_name = {layer.name: layer for layer in graph}
    needed: dict[Node, Call] = {}
    ahead = list(ends)
    while ahead:
        ref = ahead.pop()
        node = (ref.layer, ref.node)
        if ref in stops or node in needed:
            continue
        calls = by_name[ref.layer].calls
        needed[node] = calls[ref.node] if calls else Call([], {})
        ahead += needed[node].sources
    return needed
