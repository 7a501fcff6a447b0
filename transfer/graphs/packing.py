"""Several inputs of a graph as one: what comes in is a row of numbers, and layers take it apart."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from math import prod

from transfer.errors import LayerError, Problem
from transfer.graphs.attaching import free_name
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.shapes import shape_of

PACKED = "packed"


def pack_inputs(graph: Graph) -> Graph:
    """Put one input of shape (d,) in the place of several, each of which is a stretch of it, flattened, in their order.

    All other layers keep their names. A graph with one input is left as it is.

    Raises:
        LayerError: if an input has an open size.
    """
    if len(graph.inputs) == 1:
        return graph
    shapes = {ref.layer: shape_of(graph, ref) for ref in graph.inputs}
    problems = [Problem(name, "a known size", str(shape)) for name, shape in shapes.items() if None in shape]
    if problems:
        raise LayerError(f"Inputs of {graph.name!r} cannot be packed into one.", problems)
    known = {name: tuple(int(size or 0) for size in shape) for name, shape in shapes.items()}
    ends = list(accumulate(map(prod, known.values())))
    packed, column = free_name(graph, PACKED), free_name(graph, f"{PACKED}_column")
    front = [_input(packed, ends[-1]), _layer("Reshape", column, packed, target_shape=[ends[-1], 1])]
    for (name, shape), end in zip(known.items(), ends, strict=True):
        part = free_name(graph, f"{name}_part")
        front += [
            _layer("Cropping1D", part, column, cropping=[end - prod(shape), ends[-1] - end]),
            _layer("Reshape", name, part, target_shape=list(shape)),
        ]
    rest = [layer for layer in graph if layer.name not in known]
    return replace(graph, layers=(*front, *rest), inputs=(Ref(packed),), input_keys=None)


def _input(name: str, size: int) -> Layer:
    return Layer(name, "InputLayer", {"name": name, "batch_shape": [None, size], "dtype": "float32"})


def _layer(class_name: str, name: str, source: str, **config: list[int]) -> Layer:
    return Layer(name, class_name, {"name": name, "dtype": "float32", **config}, (Call([Ref(source)], {}),))
