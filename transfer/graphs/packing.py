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

    All other layers keep their names; what were inputs are layers of these names. A graph with one input is left as it
    is. A row is float32, and whole numbers are made such again.

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
    packed = free_name(graph, PACKED)
    types = {name: _type_of(graph.layer(name)) for name in known}
    front = [_input(packed, ends[-1])]
    columns: dict[str, str] = {}
    for dtype in types.values():
        if dtype not in columns:
            front += _column(graph, packed, ends[-1], dtype)
            columns[dtype] = front[-1].name
    for (name, shape), end in zip(known.items(), ends, strict=True):
        part = free_name(graph, f"{name}_part")
        front += [
            _layer("Cropping1D", part, columns[types[name]], cropping=[end - prod(shape), ends[-1] - end]),
            _layer("Reshape", name, part, target_shape=list(shape)),
        ]
    rest = [layer for layer in graph if layer.name not in known]
    return replace(graph, layers=(*front, *rest), inputs=(Ref(packed),), input_keys=None)


def unpack_inputs(packed: Graph, graph: Graph) -> Graph:
    """A graph whose inputs were packed, its layers with the options that they have in the packed one.

    Args:
        packed: made from `graph` by `pack_inputs`, with other flags.
        graph: with its own inputs.
    """
    return replace(
        graph,
        layers=tuple(
            replace(each, config=packed.layer(each.name).config) if each.calls else each for each in graph.layers
        ),
    )


def _type_of(layer: Layer) -> str:
    """The type of an input; of any that holds fractions it is empty."""
    dtype = str(layer.config.get("dtype") or "float32")
    return "" if "float" in dtype else dtype


def _column(graph: Graph, packed: str, size: int, dtype: str) -> list[Layer]:
    """The row as (size, 1). Whole numbers are made such before any layer can compute on them in fewer bits."""
    if not dtype:
        return [_layer("Reshape", free_name(graph, f"{PACKED}_column"), packed, target_shape=[size, 1])]
    whole = free_name(graph, f"{PACKED}_{dtype}")
    cast = Layer(
        whole, "Cast", {"name": whole, "dtype": dtype}, (Call([Ref(packed)], {}),), "keras.src.ops.core", "Cast"
    )
    return [cast, _layer("Reshape", free_name(graph, f"{PACKED}_{dtype}_column"), whole, target_shape=[size, 1])]


def _input(name: str, size: int) -> Layer:
    return Layer(name, "InputLayer", {"name": name, "batch_shape": [None, size], "dtype": "float32"})


def _layer(class_name: str, name: str, source: str, **config: list[int]) -> Layer:
    return Layer(name, class_name, {"name": name, "dtype": "float32", **config}, (Call([Ref(source)], {}),))
