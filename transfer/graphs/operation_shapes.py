"""Output shapes of functions of `keras.ops` that stand in a graph beside its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from transfer.graphs.graph import Call, Layer, Ref
from transfer.graphs.layer_shapes import broadcast, reshaped
from transfer.graphs.wrapping import Shape
from transfer.specs import Json

_PAIRWISE = frozenset(
    {"Add", "Subtract", "Multiply", "Divide", "TrueDivide", "FloorDivide", "Power", "Maximum", "Minimum", "Mod"}
    | {"Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr", "Where"}
)
_EACH = frozenset(
    {"Absolute", "Abs", "Negative", "Sign", "Square", "Sqrt", "Rsqrt", "Reciprocal", "Exp", "Expm1", "Log", "Log1p"}
    | {"Sin", "Cos", "Tan", "Tanh", "Sinh", "Cosh", "Floor", "Ceil", "Round", "Clip", "Cast", "LogicalNot", "Erf"}
    | {"Relu", "Relu6", "Sigmoid", "HardSigmoid", "Silu", "Swish", "HardSilu", "HardSwish", "Gelu", "Elu", "Selu"}
    | {"LeakyRelu", "Softplus", "Softsign", "Softmax", "LogSoftmax", "LogSigmoid", "Identity", "StopGradient", "Celu"}
    | {"HardTanh", "Mish", "Normalize", "Cumsum", "Flip", "Roll"}
)
_REDUCING = frozenset({"Mean", "Sum", "Max", "Min", "Prod", "Var", "Std", "All", "Any", "Amax", "Amin", "Logsumexp"})


def operation_shapes(layer: Layer, call: Call, inputs: Sequence[Shape]) -> tuple[Shape, ...] | None:
    """Shape of each output, without the batch axis; None where there is no rule, or the batch axis does not survive."""
    kind = layer.class_name
    options = {**layer.config, **{key: value for key, value in dict(call.kwargs).items() if not isinstance(value, Ref)}}
    if kind in _PAIRWISE:
        return (broadcast(inputs),)
    first: Shape = (None, *inputs[0])
    if kind in _EACH:
        return (inputs[0],)
    found: Shape | None = None
    if kind in _REDUCING:
        found = _reduced(options, first)
    elif kind == "Concatenate":
        found = _joined(options.get("axis", -1), inputs)
    elif kind == "Reshape":
        found = _reshaped(options.get("newshape", _argument(call)), inputs[0])
    elif kind == "Transpose":
        found = _transposed(options.get("axes", _argument(call)), first)
    elif kind in ("ExpandDims", "Squeeze"):
        found = _unsqueezed(kind, options.get("axis", _argument(call)), first)
    elif kind == "GetItem":
        found = _indexed(options.get("key", _argument(call)), first)
    elif kind == "Matmul" and len(inputs) == 2:
        found = _multiplied(inputs)
    return None if found is None else (found,)


def _argument(call: Call) -> Json:
    """The second positional argument, where it is no tensor."""
    args = list(call.args)
    return args[1] if len(args) > 1 and not isinstance(args[1], Ref) else None


def _reduced(options: Mapping[str, Json], full: Shape) -> Shape | None:
    axis = options.get("axis")
    if axis is None:
        return None
    axes = {each % len(full) for each in ([axis] if isinstance(axis, int) else axis)}
    if 0 in axes:
        return None
    kept = bool(options.get("keepdims"))
    return tuple(1 if place in axes else size for place, size in enumerate(full) if kept or place not in axes)[1:]


def _joined(axis: int, inputs: Sequence[Shape]) -> Shape | None:
    full = [(None, *shape) for shape in inputs]
    place = axis % len(full[0])
    if place == 0:
        return None
    sizes = [shape[place] for shape in full]
    total = None if None in sizes else sum(size for size in sizes if size is not None)
    return (*full[0][1:place], total, *full[0][place + 1 :])


def _reshaped(target: Json, shape: Shape) -> Shape | None:
    if not isinstance(target, list | tuple) or not target or target[0] not in (None, -1):
        return None
    return reshaped(shape, list(target)[1:])


def _transposed(axes: Json, full: Shape) -> Shape | None:
    if not isinstance(axes, list | tuple) or not axes or axes[0] != 0:
        return None
    return tuple(full[place] for place in axes)[1:]


def _unsqueezed(kind: str, axis: Json, full: Shape) -> Shape | None:
    if not isinstance(axis, int):
        return None
    place = axis % (len(full) + (kind == "ExpandDims"))
    if place == 0:
        return None
    rest = full[place:] if kind == "ExpandDims" else full[place + 1 :]
    return (*full[:place], *((1,) if kind == "ExpandDims" else ()), *rest)[1:]


def _multiplied(inputs: Sequence[Shape]) -> Shape | None:
    one, two = inputs
    if min(len(one), len(two)) < 2:
        return None
    return (*broadcast([one[:-2], two[:-2]]), one[-2], two[-1]) if len(one) > 2 else (one[-2], two[-1])


def _indexed(key: Json, full: Shape) -> Shape | None:
    """What `x[key]` gives: numbers take an axis away, slices shorten it, None adds one, `...` stands for the rest."""
    keys = list(key) if isinstance(key, list | tuple) else [key]
    kinds = [_kind_of_key(each) for each in keys]
    if "other" in kinds or kinds[0] not in ("rest", "slice") or not _is_whole(keys[0]):
        return None
    rest = len(full) - kinds.count("slice") - kinds.count("number")
    ahead = list(full)
    found: list[int | None] = []
    for each, kind in zip(keys, kinds, strict=True):
        if kind == "new":
            found.append(1)
        elif kind == "rest":
            found += ahead[:rest]
            del ahead[:rest]
        elif kind == "slice":
            found.append(_sliced(each["config"], ahead.pop(0)))
        else:
            del ahead[0]
    return tuple([*found, *ahead][1:])


def _kind_of_key(key: Json) -> str:
    if key is None:
        return "new"
    if isinstance(key, int):
        return "number"
    kinds = {"__ellipsis__": "rest", "__slice__": "slice"}
    return kinds.get(str(key.get("class_name")), "other") if isinstance(key, Mapping) else "other"


def _is_whole(key: Mapping[str, Json]) -> bool:
    bounds = key.get("config") or {}
    return not bounds.get("start") and bounds.get("stop") is None and bounds.get("step") in (None, 1)


def _sliced(bounds: Mapping[str, Json], size: int | None) -> int | None:
    if size is None:
        return None
    return len(range(*slice(bounds.get("start"), bounds.get("stop"), bounds.get("step")).indices(size)))
