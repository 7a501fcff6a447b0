"""Calls of layers as Keras before version 3 wrote them, in the form of Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from transfer.graphs.graph import TENSOR
from transfer.specs import Json

CONSTANT = "_CONSTANT_VALUE"  # stands where the name of a layer would


@dataclass(frozen=True, slots=True)
class Node:
    """One call of a layer.

    Attributes:
        inputs: what it is called on: a tensor in the form of Keras 3, a list or dictionary of such, or a number.
        named: the other arguments, with tensors in the same form.
    """

    inputs: Json
    named: Mapping[str, Json]


def tensor(layer: str, node: int, place: int) -> Json:
    """A tensor in the form of Keras 3, which asks for a shape and a type and takes those that it computes."""
    history = [layer, node, place]
    return {"class_name": TENSOR, "config": {"shape": [None], "dtype": "float32", "keras_history": history}}


def read_node(node: Json, names: frozenset[str]) -> Node:
    """Read `[["x", 0, 0, {…}], …]`, or `["x", 0, 0, {…}]` of an operation.

    Args:
        node: an item of `inbound_nodes`.
        names: of all layers of the model; a list that starts with none of them is no tensor.
    """
    named: dict[str, Json] = {}
    inputs = _read_inputs(node, named)
    if isinstance(inputs, list) and len(inputs) == 1 and not _is_tensor_data(node):
        inputs = inputs[0]
    return Node(inputs, {key: _read_named(value, names) for key, value in named.items() if value is not None})


def count_from_zero(layers: Sequence[Json], outputs: Json) -> Json:
    """Let the calls of models inside a model be counted as Keras 3 does; returns the model's outputs.

    From zero, that is; but from 1 where a functional model that is called several times gives an output of the whole.

    A model counts the call that made it, so the first call inside another model was its second. Each call that is
    listed is used, so the highest number in use tells where counting began. `layers` are changed in place.
    """
    used: dict[str, int] = {}
    _visit(layers, lambda history: used.update({history[0]: max(used.get(history[0], 0), history[1])}))
    ends = list(outputs.values()) if isinstance(outputs, dict) else [outputs] if _is_tensor_data(outputs) else outputs
    for end in ends:
        used[end[0]] = max(used.get(end[0], 0), end[1])
    early = {
        layer["name"]: used[layer["name"]] - len(layer["inbound_nodes"]) + 1
        for layer in layers
        if "layers" in layer["config"] and layer["name"] in used and layer["inbound_nodes"]
    }

    def shift(history: list[Json]) -> None:
        history[1] -= max(0, early.get(history[0], 0))

    _visit(layers, shift)
    shifted = [list(end) for end in ends]
    often = {layer["name"] for layer in layers if _is_functional(layer) and len(layer["inbound_nodes"]) > 1}
    for end in shifted:
        shift(end)
        end[1] += end[0] in often
    if isinstance(outputs, dict):
        return dict(zip(outputs, shifted, strict=True))
    return shifted[0] if _is_tensor_data(outputs) or len(shifted) == 1 else shifted


def _is_functional(layer: Mapping[str, Json]) -> bool:
    return "layers" in layer["config"] and layer["class_name"] != "Sequential"


def _visit(layers: Sequence[Json], act: Callable[[list[Json]], None]) -> None:
    for layer in layers:
        _visit_tensors(layer["inbound_nodes"], act)


def _visit_tensors(values: Json, act: Callable[[list[Json]], None]) -> None:
    if isinstance(values, dict):
        if values.get("class_name") == TENSOR:
            act(values["config"]["keras_history"])
        else:
            for value in values.values():
                _visit_tensors(value, act)
    elif isinstance(values, list | tuple):
        for value in values:
            _visit_tensors(value, act)


def _is_tensor_data(values: Json) -> bool:
    """`["x", 0, 0]` or `["x", 0, 0, {…}]`."""
    return (
        isinstance(values, list | tuple)
        and len(values) in (3, 4)
        and isinstance(values[0], str)
        and isinstance(values[1], int)
    )


def _read_inputs(node: Json, named: dict[str, Json]) -> Json:
    if _is_tensor_data(node):
        if len(node) == 4:
            named.update(node[3])
        return node[2] if node[0] == CONSTANT else tensor(*node[:3])
    if isinstance(node, dict):
        return {key: _read_inputs(value, named) for key, value in node.items()}
    if not isinstance(node, list | tuple):
        raise TypeError(f"a call on what is no tensor: {str(node)[:80]}")
    return [_read_inputs(each, named) for each in node]


def _read_named(value: Json, names: frozenset[str]) -> Json:
    if _is_tensor_data(value) and value[0] in names:
        return tensor(*value[:3])
    if isinstance(value, dict):
        return {key: _read_named(each, names) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_read_named(each, names) for each in value]
    return value
