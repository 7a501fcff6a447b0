"""Types of the tensors that run through a graph, as Keras computes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from transfer.errors import LayerError
from transfer.graphs.call_order import calls_in_order
from transfer.graphs.fixed_layers import held_layers
from transfer.graphs.graph import Call, Graph, Layer, Ref
from transfer.graphs.layer_variables import SHAPED
from transfer.graphs.wrapping import Shape, is_model, is_operation, parse_nested, wrapped_layer
from transfer.specs import Json

_RANKS = (1, 2, 3)
# Layers that take values as they come: whole numbers stay what they are. Floats are cast to the layer's own type.
_KEEPING = frozenset(
    {"Flatten", "Reshape", "Permute", "RepeatVector", "Identity"}
    | {f"{kind}{rank}D" for kind in ("ZeroPadding", "Cropping") for rank in _RANKS}
)
# Their output is a number of a bin or a word, or its type is an option.
_ENCODING = frozenset(
    {"CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup", "StringLookup"}
    | {"TextVectorization", "Lambda"}
)
_TO_BOOL = frozenset(
    {"Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr", "LogicalNot"}
    | {"LogicalXor", "All", "Any", "Isnan", "Isinf", "Isfinite"}
)
_TO_INDEX = frozenset({"Argmax", "Argmin"})
_REARRANGING = frozenset({"GetItem", "Reshape", "Transpose", "ExpandDims", "Squeeze", "Concatenate", "Flip", "Copy"})
_FLOATING = frozenset(
    {"Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Power", "Maximum", "Minimum", "Matmul", "Absolute", "Abs"}
    | {"Negative", "Square", "Sqrt", "Rsqrt", "Reciprocal", "Exp", "Expm1", "Log", "Log1p", "Sin", "Cos", "Tan", "Tanh"}
    | {"Sinh", "Cosh", "Clip", "Erf", "Relu", "Relu6", "Sigmoid", "HardSigmoid", "Silu", "HardSilu", "Gelu", "Elu"}
    | {"Selu", "LeakyRelu", "Softplus", "Softsign", "Softmax", "LogSoftmax", "LogSigmoid", "StopGradient", "Celu"}
    | {"Mean", "Sum", "Max", "Min", "Prod", "Var", "Std", "Amax", "Amin", "Logsumexp", "Cumsum", "Mish", "Roll"}
)


Inside: TypeAlias = dict[str, tuple[str | None, ...]]  # what the models of a graph give; the same in each call


def infer_types(graph: Graph, shapes: Mapping[Ref, Shape]) -> dict[Ref, str]:
    """Numpy's name of the type of every tensor that is used; those that are not known here are left out.

    Args:
        graph: nested models are looked into.
        shapes: of its tensors, as far as they are known.
    """
    used: dict[tuple[str, int], set[Ref]] = {}
    for ref in (
        *graph.inputs,
        *graph.outputs,
        *(ref for layer in graph for call in layer.calls for ref in call.sources),
    ):
        used.setdefault((ref.layer, ref.node), set()).add(ref)
    types: dict[Ref, str] = {}
    inside: Inside = {}
    for layer, node, call in calls_in_order(graph):
        for ref in used.get((layer.name, node), ()):
            found = _of_tensor(layer, call, ref.tensor, types, shapes, inside)
            if found:
                types[ref] = found
    return types


def size_of_type(name: str) -> int:
    """Bytes of one value; a type without a fixed size, as that of texts, counts as 64."""
    bits = re.search(r"\d+$", name)
    return int(bits.group()) // 8 if bits else 1 if name == "bool" else 64


def _of_tensor(
    layer: Layer, call: Call, place: int, types: Mapping[Ref, str], shapes: Mapping[Ref, Shape], inside: Inside
) -> str | None:
    given = tuple(map(types.get, call.values))  # the mask that a layer heeds has no part in the type of what it gives
    known = tuple(shapes[ref] for ref in call.sources if ref in shapes)
    try:
        return _type(layer, call, place, given, known, inside)
    except (LayerError, KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None


def _type(
    layer: Layer,
    call: Call,
    place: int,
    given: tuple[str | None, ...],
    shapes: tuple[Shape, ...],
    inside: Inside,
    name: str = "",
) -> str | None:
    kind, name = layer.class_name, name or layer.name
    if is_operation(layer):
        return _of_operation(layer, call, given)
    if kind == "TimeDistributed":
        found = _type(
            wrapped_layer(layer), call, place, given, tuple(shape[1:] for shape in shapes), inside, layer.name
        )
        return found if found == compute_type(layer.config.get("dtype")) else None
    if is_model(layer):
        if name not in inside:
            inner = parse_nested(layer, shapes)
            inside[name] = tuple(map(infer_types(inner, {}).get, inner.outputs))
        return inside[name][place]
    own = compute_type(layer.config.get("dtype"))
    if kind == "InputLayer" or kind in SHAPED:
        return own
    if kind in _KEEPING:
        same = given[0] if len(set(given)) == 1 else None
        return own if all(map(_is_float, given)) else same
    if kind in _ENCODING or any(compute_type(each.config.get("dtype")) != own for each in held_layers(layer)):
        return None
    return own if kind == "Rescaling" or all(map(_is_float, given)) else None


def _of_operation(layer: Layer, call: Call, given: tuple[str | None, ...]) -> str | None:
    kind = layer.class_name
    if kind in _TO_BOOL:
        return "bool"
    if kind in _TO_INDEX:
        return "int32"
    if kind == "Cast":
        return str(layer.config["dtype"])
    same = given[0] if len(set(given)) == 1 else None
    has_arrays = any(isinstance(each, dict) for each in call.args)  # constants with a type of their own
    return same if kind in _REARRANGING or (kind in _FLOATING and _is_float(same) and not has_arrays) else None


def compute_type(policy: Json) -> str | None:
    """The type in which a layer computes whose config says that policy, a name or an entry; None if it is not known."""
    if isinstance(policy, Mapping):
        inner = policy.get("config")
        policy = inner.get("name") if isinstance(inner, Mapping) else ""
        if not isinstance(policy, str) or "_from_" in policy or not policy:
            return None
    name = str(policy or "float32").rpartition("_from_")[2]
    return name.removeprefix("mixed_")


def _is_float(name: str | None) -> bool:
    return name is not None and name.startswith(("float", "bfloat"))
