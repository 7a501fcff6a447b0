"""Sizes of a graph's inputs, given where the graph leaves them open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from transfer.errors import LayerError, Problem, nearest
from transfer.graphs.graph import Graph
from transfer.graphs.wrapping import Shape


def is_closed(graph: Graph) -> bool:
    """Whether every input has a size, the batch axis aside."""
    return not any(None in shape for shape in input_shapes(graph).values())


def with_input_shapes(graph: Graph, given: Sequence[int] | Mapping[str, Sequence[int]] | None) -> Graph:
    """The graph on inputs of known sizes.

    Args:
        graph: its own sizes stay where nothing is given.
        given: shape of the one input, or of several by name, without the batch axis.

    Raises:
        LayerError: if a size stays open, an input does not exist, or a shape is not of its rank.
    """
    own = input_shapes(graph)
    if given is None:
        wanted: Mapping[str, Sequence[int]] = {}
    elif isinstance(given, Mapping):
        wanted = given
    elif len(own) == 1:
        wanted = dict.fromkeys(own, given)
    else:
        raise LayerError(
            f"{graph.name!r} has {len(own)} inputs; one shape does not say which is meant.",
            next_step=f"give each by its name: {', '.join(own)}",
        )
    _check(graph, own, wanted)
    sized = {name: tuple(wanted.get(name, shape)) for name, shape in own.items()}
    layers = tuple(
        layer.with_config(batch_shape=[None, *sized[layer.name]]) if layer.name in sized else layer for layer in graph
    )
    return replace(graph, layers=layers)


def input_shapes(graph: Graph) -> dict[str, Shape]:
    """Of each input by its name, without the batch; None for sizes that are left open."""
    names = dict.fromkeys(ref.layer for ref in graph.inputs)
    return {name: tuple((graph.layer(name).config.get("batch_shape") or [None])[1:]) for name in names}


def _check(graph: Graph, own: Mapping[str, Shape], wanted: Mapping[str, Sequence[int]]) -> None:
    for name in wanted:
        if name not in own:
            raise LayerError(f"{graph.name!r} has no input {name!r}.", next_step=f"nearest: {nearest(name, own)}")
    problems = [
        Problem(name, f"{len(own[name])} sizes above 0, as {_format(own[name])}", _format(tuple(sizes)))
        for name, sizes in wanted.items()
        if len(sizes) != len(own[name]) or any(size < 1 for size in sizes)
    ]
    if problems:
        raise LayerError(f"An input of {graph.name!r} cannot have that shape.", problems)
    left_open = [name for name, shape in own.items() if None in shape and name not in wanted]
    if left_open:
        raise LayerError(
            f"{graph.name!r} takes inputs of any size; what it costs depends on it.",
            [Problem(name, "a size for each axis", _format(own[name])) for name in left_open],
            next_step=f"give it: --input {_example(own[left_open[0]])} (input_shape=…)",
        )


def _format(shape: Sequence[int | None]) -> str:
    return f"({', '.join('open' if size is None else str(size) for size in shape)})"


def _example(shape: Shape) -> str:
    return ",".join("224" if size is None else str(size) for size in shape)
