"""Output shapes of layers from the graph alone. The batch axis is left out; None stands for an open size."""

from __future__ import annotations

from collections.abc import Mapping

from transfer.errors import KerasNeededError, LayerError
from transfer.graphs.call_order import calls_in_order
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.layer_shapes import layer_shape, merged_shape
from transfer.graphs.operation_shapes import operation_shapes
from transfer.graphs.sequence_shapes import sequence_shapes
from transfer.graphs.wrapping import Shape, is_model, is_operation, parse_nested, wrapped_layer

__all__ = ["LARGEST", "Shape", "infer_shapes", "shape_of"]

LARGEST = 2**63 - 1  # what an axis or a tensor may count: no array holds more
MOST_CALLS_INSIDE = 100_000  # in nested models, each counted for every shape that goes into it


def infer_shapes(graph: Graph, inputs: Mapping[Ref, Shape] | None = None) -> dict[Ref, Shape]:
    """Shape of each output of each call that there are rules for; layers of unknown kinds are left out.

    So are sizes past 2**63, and nested models that are called in more ways than anybody can count.

    Args:
        graph: nested models are looked into.
        inputs: shapes to take for the graph's inputs instead of its own.
    """
    return _Inference().of_graph(graph, inputs or {}, ())


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


class _Inference:
    """Shapes of a graph and of the models in it, each of which is looked into once for each shape of what goes in."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, ...], tuple[Shape, ...]], tuple[Shape, ...] | None] = {}
        self._graphs: dict[tuple[tuple[str, ...], tuple[Shape, ...]], Graph] = {}
        self._calls_left = MOST_CALLS_INSIDE

    def of_graph(self, graph: Graph, inputs: Mapping[Ref, Shape], path: tuple[str, ...]) -> dict[Ref, Shape]:
        shapes = dict(inputs)
        for layer, node, call in calls_in_order(graph):
            sources = call.sources
            if Ref(layer.name, node) not in shapes and all(source in shapes for source in sources):
                found = self._infer(layer, call, tuple(shapes[source] for source in sources), (*path, layer.name))
                shapes.update((Ref(layer.name, node, place), shape) for place, shape in enumerate(found or ()))
        return shapes

    def _infer(
        self, layer: Layer, call: Call, inputs: tuple[Shape, ...], path: tuple[str, ...]
    ) -> tuple[Shape, ...] | None:
        """Shape of each output of a call; None where options are missing or of another form, or there is no rule."""
        try:
            if layer.class_name == "InputLayer":
                found: tuple[Shape, ...] | None = (tuple(layer.config["batch_shape"][1:]),)
            else:
                found = self._outputs(layer, call, inputs, path) if inputs else None
            sizes = (size for shape in found or () for size in shape)
            return None if any(isinstance(size, int) and size > LARGEST for size in sizes) else found
        except (LayerError, KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError):
            return None

    def _outputs(
        self, layer: Layer, call: Call, inputs: tuple[Shape, ...], path: tuple[str, ...]
    ) -> tuple[Shape, ...] | None:
        kind = layer.class_name
        if is_operation(layer):
            return operation_shapes(layer, call, inputs)
        if is_model(layer):
            if (path, inputs) not in self._known:
                self._known[path, inputs] = self._nested(layer, inputs, path)
            return self._known[path, inputs]
        if kind == "TimeDistributed":
            inner = wrapped_layer(layer)
            found = self._outputs(inner, call, (inputs[0][1:],), (*path, inner.name))
            return None if found is None else tuple((inputs[0][0], *shape) for shape in found)
        if kind == "SpectralNormalization":
            inner = wrapped_layer(layer)
            return self._outputs(inner, call, inputs, (*path, inner.name))
        several = sequence_shapes(layer, call, inputs)
        if several is not None:
            return several
        one = merged_shape(kind, layer.config, inputs)
        if one is None:
            one = layer_shape(kind, layer.config, inputs[0])
        return None if one is None else (one,)

    def _nested(self, layer: Layer, inputs: tuple[Shape, ...], path: tuple[str, ...]) -> tuple[Shape, ...] | None:
        key = path, inputs if layer.class_name == "Sequential" else ()  # which may be built for what goes in
        if key not in self._graphs:
            self._graphs[key] = parse_nested(layer, inputs)
        inner = self._graphs[key]
        self._calls_left -= sum(max(1, len(each.calls)) for each in inner)
        if len(inner.inputs) != len(inputs) or self._calls_left < 0:
            return None
        shapes = self.of_graph(inner, dict(zip(inner.inputs, inputs, strict=True)), path)
        return tuple(shapes[each] for each in inner.outputs) if all(each in shapes for each in inner.outputs) else None
