"""Counting what a network does, call by call, through the models inside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

from transfer.analysis.closed_shapes import Sizes, closed, count
from transfer.analysis.flops import Flops, LayerFlops
from transfer.analysis.layer_work import layer_work
from transfer.analysis.work import Work
from transfer.errors import LayerError
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.input_shapes import is_closed, with_input_shapes
from transfer.graphs.layer_kinds import DROPOUTS
from transfer.graphs.shapes import MOST_CALLS_INSIDE, Shape, infer_shapes
from transfer.graphs.tensor_types import compute_type, size_of_type
from transfer.graphs.variables import variables_of
from transfer.graphs.wrapping import is_model, parse_nested, wrapped_layer
from transfer.specs import item_bytes

_VIEWS = DROPOUTS | {"InputLayer", "Flatten", "Reshape", "Identity", "StochasticDepth", "GaussianNoise"}


def count_graph_flops(
    graph: Graph,
    input_shape: Sizes | Mapping[str, Sizes] | None = None,
    *,
    shapes: Mapping[Ref, Shape] | None = None,
) -> Flops:
    """Count what a network does to one example.

    Args:
        graph: nested models are looked into.
        input_shape: of the input, or of each by its name, without the batch axis: needed where the graph leaves a size
            open, allowed where it does not.
        shapes: of tensors, where there is no rule for them here.

    Raises:
        LayerError: if an input's size is open and none is given, or what is given does not fit the graph.
    """
    sized = with_input_shapes(graph, input_shape)
    counted = _count(sized, shapes or {})
    if input_shape is None or not is_closed(graph):
        return counted
    return replace(counted, notes=_other_weights(_count(graph, {}), counted))


def _count(graph: Graph, shapes: Mapping[Ref, Shape]) -> Flops:
    counting = _Counting()
    counting.of_graph(graph, infer_shapes(graph, shapes), "", 1)
    inputs = {ref.layer: tuple(graph.layer(ref.layer).config["batch_shape"][1:]) for ref in graph.inputs}
    return Flops(graph.name, inputs, tuple(counting.rows.values()))


def _other_weights(own: Flops, counted: Flops) -> tuple[str, ...]:
    """A note where an input of another size asks for other weights: then another network was counted."""
    before = {layer.name: layer.parameters for layer in own.layers}
    changed = [layer.name for layer in counted.layers if layer.parameters != before.get(layer.name)]
    if not changed:
        return ()
    return (f"at this size {', '.join(changed)} would hold other weights: such a network was counted, not this one",)


class _Counting:
    """Rows by name, filled call by call."""

    def __init__(self) -> None:
        self.rows: dict[str, LayerFlops] = {}
        self._calls_left = MOST_CALLS_INSIDE

    def of_graph(self, graph: Graph, shapes: Mapping[Ref, Shape], prefix: str, times: int) -> None:
        """Count a graph.

        Args:
            graph: at the top, or inside.
            shapes: of its tensors.
            prefix: names of the models around it.
            times: how often the whole is done.
        """
        outputs: dict[tuple[str, int], list[Shape]] = {}
        for ref in sorted(shapes, key=lambda each: each.tensor):
            outputs.setdefault((ref.layer, ref.node), []).append(shapes[ref])
        for layer in graph:
            for node, call in enumerate(layer.calls or (Call([], {}),)):
                inputs = tuple(shapes[ref] for ref in call.sources if ref in shapes)
                known = inputs if len(inputs) == len(call.sources) else None
                self._call(layer, call, known, tuple(outputs.get((layer.name, node), ())), prefix, times)

    def _call(
        self,
        layer: Layer,
        call: Call,
        inputs: tuple[Shape, ...] | None,
        outputs: tuple[Shape, ...],
        prefix: str,
        times: int,
    ) -> None:
        name = f"{prefix}{layer.name}"
        if inputs is not None and is_model(layer) and self._inside(layer, inputs, f"{name}/", times):
            return
        if inputs and layer.class_name == "TimeDistributed" and inputs[0][0] is not None:
            inner = wrapped_layer(layer)
            steps = (inputs[0][1:],)
            if is_model(inner) and self._inside(inner, steps, f"{name}/{inner.name}/", times * inputs[0][0]):
                return
        row = _row(name, layer, call, inputs, outputs)
        before = self.rows.get(name)
        self.rows[name] = _repeated(row, times) if before is None else _joined(before, _repeated(row, times))

    def _inside(self, layer: Layer, inputs: tuple[Shape, ...], prefix: str, times: int) -> bool:
        """Count a model inside; whether it could be looked into."""
        try:
            inner = parse_nested(layer, inputs)
        except (LayerError, KeyError, TypeError, ValueError, AttributeError):
            return False
        self._calls_left -= sum(max(1, len(each.calls)) for each in inner)
        if self._calls_left < 0 or len(inner.inputs) != len(inputs):
            return False
        self.of_graph(inner, infer_shapes(inner, dict(zip(inner.inputs, inputs, strict=True))), prefix, times)
        return True


def _row(
    name: str, layer: Layer, call: Call, inputs: tuple[Shape, ...] | None, outputs: tuple[Shape, ...]
) -> LayerFlops:
    """One call of one layer."""
    parameters, parameter_bytes = _held(layer, call, inputs or ())
    taken, given = closed(inputs or ()), closed(outputs)
    if inputs is None or taken is None or not given:
        missing = (
            "size of what goes in"
            if inputs is None or taken is None
            else f"{layer.class_name}, whose size is not known"
        )
        work, taken, given = Work(uncounted=(missing,)), taken or (), given or ()
    else:
        work = layer_work(layer, call, taken, given)
    activations = sum(map(count, given))
    moved = activations + sum(map(count, taken))
    item = size_of_type(compute_type(layer.config.get("dtype")) or "float32")
    if layer.class_name == "Embedding":
        parameter_bytes = activations * item
    bytes_moved = 0 if layer.class_name in _VIEWS else moved * item + parameter_bytes
    return LayerFlops(name, layer.class_name, outputs, 1, parameters, work, activations, bytes_moved)


def _held(layer: Layer, call: Call, inputs: tuple[Shape, ...]) -> tuple[int | None, int]:
    """Parameters of a layer, None where they are not known, and the bytes that they take."""
    try:
        variables = variables_of(layer, call, inputs)
    except LayerError:
        return None, 0
    sizes = [(prod(each.shape), item_bytes(each.dtype or "float32")) for each in variables]
    return sum(size for size, _ in sizes), sum(size * item for size, item in sizes)


def _repeated(row: LayerFlops, times: int) -> LayerFlops:
    return replace(
        row, work=row.work.times(times), activations=times * row.activations, bytes_moved=times * row.bytes_moved
    )


def _joined(first: LayerFlops, second: LayerFlops) -> LayerFlops:
    """Two calls of one layer: it holds its parameters once."""
    return replace(
        first,
        calls=first.calls + second.calls,
        work=first.work + second.work,
        activations=first.activations + second.activations,
        bytes_moved=first.bytes_moved + second.bytes_moved,
    )
