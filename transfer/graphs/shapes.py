"""Output shapes of layers from the graph alone. The batch axis is left out; None stands for an open size."""

from __future__ import annotations

from collections.abc import Mapping

from transfer.errors import KerasNeededError, LayerError
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.layer_shapes import layer_shape, merged_shape
from transfer.graphs.operation_shapes import operation_shapes
from transfer.graphs.sequence_shapes import sequence_shapes
from transfer.graphs.wrapping import Shape, is_model, is_operation, parse_nested, wrapped_layer

__all__ = ["Shape", "infer_shapes", "shape_of"]


def infer_shapes(graph: Graph, inputs: Mapping[Ref, Shape] | None = None) -> dict[Ref, Shape]:
    """Shape of each output of each call that there are rules for; layers of unknown kinds are left out.

    Args:
        graph: nested models are looked into.
        inputs: shapes to take for the graph's inputs instead of its own.
    """
    shapes: dict[Ref, Shape] = dict(inputs or {})
    ahead = [(layer, node) for layer in graph for node in range(max(1, len(layer.calls)))]
    while ahead:
        left = []
        for layer, node in ahead:
            if Ref(layer.name, node) in shapes:
                continue
            call = layer.calls[node] if layer.calls else Call([], {})
            sources = call.sources
            if all(source in shapes for source in sources):
                found = _infer(layer, call, tuple(shapes[source] for source in sources))
                shapes |= {Ref(layer.name, node, place): shape for place, shape in enumerate(found or ())}
            else:
                left.append((layer, node))
        if len(left) == len(ahead):
            break
        ahead = left
    return shapes


def shape_of(graph: Graph, ref: Ref) -> Shape:
    """Shape of one tensor, without the batch axis.

    Raises:
        LayerError: if a layer on the way is of a kind whose shapes are not known here.
    """
    shapes = infer_shapes(graph)
    if ref in shapes:
        return shapes[ref]
    unknown = first_unknown(graph, shapes) or graph.layer(ref.layer)
    raise KerasNeededError(
        f"The shape of {ref.layer!r} is not known: {unknown.class_name} {unknown.name!r} has no rule here.",
        next_step="cut at a layer before it",
    )


def first_unknown(graph: Graph, shapes: Mapping[Ref, Shape]) -> Layer | None:
    """The first layer without a shape, on which the others wait."""
    return next((layer for layer in graph if Ref(layer.name) not in shapes), None)


def _infer(layer: Layer, call: Call, inputs: tuple[Shape, ...]) -> tuple[Shape, ...] | None:
    """Shape of each output of a call; None where options are missing or of another form, or there is no rule."""
    try:
        if layer.class_name == "InputLayer":
            return (tuple(layer.config["batch_shape"][1:]),)
        return _outputs(layer, call, inputs) if inputs else None
    except (LayerError, KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError):
        return None


def _outputs(layer: Layer, call: Call, inputs: tuple[Shape, ...]) -> tuple[Shape, ...] | None:
    kind = layer.class_name
    if is_operation(layer):
        return operation_shapes(layer, call, inputs)
    if is_model(layer):
        return _nested(layer, inputs)
    if kind == "TimeDistributed":
        inner = wrapped_layer(layer)
        found = _outputs(inner, call, (inputs[0][1:],))
        return None if found is None else tuple((inputs[0][0], *shape) for shape in found)
    if kind == "SpectralNormalization":
        return _outputs(wrapped_layer(layer), call, inputs)
    several = sequence_shapes(layer, call, inputs)
    if several is not None:
        return several
    one = merged_shape(kind, layer.config, inputs)
    if one is None:
        one = layer_shape(kind, layer.config, inputs[0])
    return None if one is None else (one,)


def _nested(layer: Layer, inputs: tuple[Shape, ...]) -> tuple[Shape, ...] | None:
    inner = parse_nested(layer, inputs)
    if len(inner.inputs) != len(inputs):
        return None
    shapes = infer_shapes(inner, dict(zip(inner.inputs, inputs, strict=True)))
    return tuple(shapes[each] for each in inner.outputs) if all(each in shapes for each in inner.outputs) else None
