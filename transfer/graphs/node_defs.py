"""Nodes of TensorFlow's graphs that TensorFlow 1.13 to 2.3 recorded as layers (TensorFlowOpLayer), as operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from transfer.graphs.operations import translate
from transfer.specs import Json

# TensorFlow's op → the function of its Python interface, and the names of its inputs there.
_FUNCTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{
        op: (function, ("x", "y"))
        for op, function in (
            ("Add", "add"),
            ("AddV2", "add"),
            ("Sub", "subtract"),
            ("Mul", "multiply"),
            ("RealDiv", "truediv"),
            ("Div", "truediv"),
            ("DivNoNan", "divide_no_nan"),
            ("FloorDiv", "floordiv"),
            ("FloorMod", "floormod"),
            ("Pow", "pow"),
            ("Maximum", "maximum"),
            ("Minimum", "minimum"),
            ("Greater", "greater"),
            ("Less", "less"),
            ("GreaterEqual", "greater_equal"),
            ("LessEqual", "less_equal"),
            ("BiasAdd", "add"),
        )
    },
    **{
        op: (function, ("x",))
        for op, function in (
            ("Neg", "negative"),
            ("Abs", "abs"),
            ("Sign", "sign"),
            ("Exp", "exp"),
            ("Expm1", "expm1"),
            ("Log", "log"),
            ("Log1p", "log1p"),
            ("Sqrt", "sqrt"),
            ("Rsqrt", "rsqrt"),
            ("Square", "square"),
            ("Sin", "sin"),
            ("Cos", "cos"),
            ("Floor", "floor"),
            ("Ceil", "ceil"),
            ("Round", "round"),
            ("Erf", "erf"),
            ("Tanh", "tanh"),
            ("Sigmoid", "sigmoid"),
            ("Relu", "relu"),
            ("Relu6", "relu6"),
            ("Elu", "elu"),
            ("Selu", "selu"),
            ("Softplus", "softplus"),
            ("Softsign", "softsign"),
            ("Softmax", "softmax"),
            ("LogSoftmax", "log_softmax"),
            ("Identity", "identity"),
            ("StopGradient", "stop_gradient"),
            ("Reciprocal", "reciprocal"),
            ("LeakyRelu", "leaky_relu"),
            ("Squeeze", "squeeze"),
            ("Cast", "cast"),
            ("ZerosLike", "zeros_like"),
        )
    },
    **{op: (f"reduce_{op.lower()}", ("x", "axis")) for op in ("Mean", "Sum", "Max", "Min", "Prod", "Any", "All")},
    "MatMul": ("matmul", ("a", "b")),
    "BatchMatMul": ("matmul", ("a", "b")),
    "BatchMatMulV2": ("matmul", ("a", "b")),
    "Reshape": ("reshape", ("tensor", "shape")),
    "Transpose": ("transpose", ("a", "perm")),
    "ExpandDims": ("expand_dims", ("input", "axis")),
    "Tile": ("tile", ("input", "multiples")),
    "ReverseV2": ("reverse", ("tensor", "axis")),
    "ArgMax": ("argmax", ("input", "axis")),
    "ArgMin": ("argmin", ("input", "axis")),
    "Select": ("where", ("condition", "x", "y")),
    "SelectV2": ("where", ("condition", "x", "y")),
}
_ATTRIBUTES = {"keep_dims": "keepdims", "squeeze_dims": "axis", "alpha": "alpha", "DstT": "dtype"}
_FLAGS = ("transpose_a", "transpose_b", "adj_x", "adj_y")  # translated only where they are off
_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
_TYPES = {"DT_FLOAT": "float32", "DT_HALF": "float16", "DT_DOUBLE": "float64", "DT_INT32": "int32", "DT_INT64": "int64"}
_TYPES |= {"DT_BOOL": "bool", "DT_UINT8": "uint8", "DT_BFLOAT16": "bfloat16"}


def translate_node(node: Json, constants: Mapping[str, Json], tensors: Sequence[Json]) -> Json:
    """The operation that computes what a node did: class, module, options and arguments, as `translate` gives them.

    Args:
        node: `{"op": "Mul", "input": […], "attr": {…}}`; older files hold bytes, which are not read.
        constants: values of the inputs that are no tensors, by place.
        tensors: the other inputs, in order.
    """
    if not isinstance(node, dict):
        return None
    ahead = iter(tensors)
    count = len(tensors) + len(constants)
    inputs = [constants[str(k)] if str(k) in constants else next(ahead) for k in range(count)]
    attributes = {key: _attribute(value) for key, value in node.get("attr", {}).items()}
    kind = node.get("op")
    if kind == "StridedSlice":
        return translate("getitem", inputs[0], {"slice_spec": _brackets(inputs, attributes)})
    if kind in ("ConcatV2", "Pack"):
        axis = inputs.pop() if kind == "ConcatV2" else attributes.get("axis", 0)
        return translate("concat" if kind == "ConcatV2" else "stack", inputs, {"axis": axis})
    if kind not in _FUNCTIONS:
        return None
    function, names = _FUNCTIONS[kind]
    named = dict(zip(names[1:], inputs[1:], strict=False))
    named |= {name: attributes[key] for key, name in _ATTRIBUTES.items() if key in attributes}
    named |= {key: True for key in _FLAGS if attributes.get(key)}
    return translate(function, inputs[0], named) if len(inputs) == len(names) else None


def _attribute(value: Json) -> Json:
    """`{"i": "2"}`, `{"b": true}`, `{"f": 0.2}`, `{"type": "DT_FLOAT"}`, `{"list": {"i": ["1"]}}`."""
    if "list" in value:
        return [int(each) for each in value["list"].get("i", [])] or None
    if "i" in value:
        return int(value["i"])
    if "type" in value:
        return _TYPES.get(value["type"], value["type"])
    return value.get("b", value.get("f", value.get("s")))


def _brackets(inputs: Sequence[Json], attributes: Mapping[str, Json]) -> list[Json]:
    """From begin, end and strides with their bit masks to what stood between the brackets."""
    begin, end, strides = inputs[1:4]
    masks = [attributes.get(name) or 0 for name in _MASKS]
    parts: list[Json] = []
    for place, (first, last, step) in enumerate(zip(begin, end, strides, strict=True)):
        open_start, open_end, ellipsis, new_axis, single = (bool(mask >> place & 1) for mask in masks)
        if ellipsis:
            parts.append({"class_name": "__ellipsis__"})
        elif new_axis:
            parts.append(None)
        elif single:
            parts.append(first)
        else:
            parts.append({"start": None if open_start else first, "stop": None if open_end else last, "step": step})
    return parts
