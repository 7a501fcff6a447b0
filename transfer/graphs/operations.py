"""Functions of TensorFlow that Keras 2 recorded as layers (TFOpLambda, SlicingOpLambda), as operations of Keras 3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from transfer.specs import Json

_NUMPY, _NN, _CORE, _MATH = (f"keras.src.ops.{each}" for each in ("numpy", "nn", "core", "math"))


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of Keras 3, and where TensorFlow's arguments go.

    Attributes:
        class_name: of Keras.
        module: where Keras has it.
        tensors: names of TensorFlow's arguments that it is called on, in order; further ones are options.
        options: TensorFlow's name of an option → Keras's.
        defaults: options that TensorFlow sets otherwise than Keras, by Keras's names.
        listed: whether it is called on one list of tensors.
    """

    class_name: str
    module: str = _NUMPY
    tensors: tuple[str, ...] = ("x",)
    options: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Json] = field(default_factory=dict)
    listed: bool = False


def _binary(class_name: str) -> Operation:
    return Operation(class_name, tensors=("x", "y"))


def _unary(class_name: str, module: str = _NUMPY) -> Operation:
    return Operation(class_name, module)


_REDUCED = {"axis": "axis", "keepdims": "keepdims"}


def _reduction(class_name: str, module: str = _NUMPY) -> Operation:
    return Operation(class_name, module, options=_REDUCED)


# The last part of TensorFlow's name: `tf.math.reduce_mean`, `tf.compat.v1.transpose`, `tf.__operators__.add`.
OPERATIONS: dict[str, Operation] = {
    "add": _binary("Add"),
    "subtract": _binary("Subtract"),
    "multiply": _binary("Multiply"),
    "truediv": _binary("TrueDivide"),
    "divide": _binary("TrueDivide"),
    "divide_no_nan": _binary("DivideNoNan"),
    "floordiv": _binary("FloorDivide"),
    "floormod": _binary("Mod"),
    "pow": _binary("Power"),
    "maximum": _binary("Maximum"),
    "minimum": _binary("Minimum"),
    "greater": _binary("Greater"),
    "greater_equal": _binary("GreaterEqual"),
    "less": _binary("Less"),
    "less_equal": _binary("LessEqual"),
    "equal": _binary("Equal"),
    "not_equal": _binary("NotEqual"),
    "logical_and": _binary("LogicalAnd"),
    "logical_or": _binary("LogicalOr"),
    "matmul": Operation("Matmul", tensors=("a", "b")),
    "where": Operation("Where", tensors=("condition", "x", "y")),
    "negative": _unary("Negative"),
    "abs": _unary("Absolute"),
    "sign": _unary("Sign"),
    "exp": _unary("Exp"),
    "expm1": _unary("Expm1"),
    "log": _unary("Log"),
    "log1p": _unary("Log1p"),
    "sqrt": _unary("Sqrt"),
    "rsqrt": _unary("Rsqrt", _MATH),
    "square": _unary("Square"),
    "reciprocal": _unary("Reciprocal"),
    "sin": _unary("Sin"),
    "cos": _unary("Cos"),
    "tan": _unary("Tan"),
    "sinh": _unary("Sinh"),
    "cosh": _unary("Cosh"),
    "floor": _unary("Floor"),
    "ceil": _unary("Ceil"),
    "round": _unary("Round"),
    "erf": _unary("Erf", _MATH),
    "logical_not": _unary("LogicalNot"),
    "zeros_like": Operation("ZerosLike", tensors=("input",)),
    "ones_like": Operation("OnesLike", tensors=("input",)),
    "identity": Operation("Copy", tensors=("input",)),
    "stop_gradient": Operation("StopGradient", _CORE, tensors=("input",)),
    "tanh": _unary("Tanh"),
    "sigmoid": _unary("Sigmoid", _NN),
    "relu": Operation("Relu", _NN, tensors=("features",)),
    "relu6": Operation("Relu6", _NN, tensors=("features",)),
    "elu": Operation("Elu", _NN, tensors=("features",)),
    "selu": Operation("Selu", _NN, tensors=("features",)),
    "softplus": Operation("Softplus", _NN, tensors=("features",)),
    "softsign": Operation("Softsign", _NN, tensors=("features",)),
    "silu": Operation("Silu", _NN, tensors=("features",)),
    "swish": Operation("Silu", _NN, tensors=("features",)),
    "gelu": Operation("Gelu", _NN, ("features",), {"approximate": "approximate"}, {"approximate": False}),
    "leaky_relu": Operation("LeakyRelu", _NN, ("features",), {"alpha": "negative_slope"}, {"negative_slope": 0.2}),
    "softmax": Operation("Softmax", _NN, ("logits",), {"axis": "axis"}),
    "log_softmax": Operation("LogSoftmax", _NN, ("logits",), {"axis": "axis"}),
    "reduce_mean": _reduction("Mean"),
    "reduce_sum": _reduction("Sum"),
    "reduce_max": _reduction("Max"),
    "reduce_min": _reduction("Min"),
    "reduce_prod": _reduction("Prod"),
    "reduce_any": _reduction("Any"),
    "reduce_all": _reduction("All"),
    "reduce_std": _reduction("Std"),
    "reduce_variance": _reduction("Var"),
    "reduce_logsumexp": _reduction("Logsumexp", _MATH),
    "argmax": Operation("Argmax", tensors=("input",), options={"axis": "axis"}, defaults={"axis": 0}),
    "argmin": Operation("Argmin", tensors=("input",), options={"axis": "axis"}, defaults={"axis": 0}),
    "cumsum": Operation("Cumsum", options={"axis": "axis"}, defaults={"axis": 0}),
    "reshape": Operation("Reshape", tensors=("tensor",), options={"shape": "newshape"}),
    "transpose": Operation("Transpose", tensors=("a",), options={"perm": "axes"}),
    "expand_dims": Operation("ExpandDims", tensors=("input",), options={"axis": "axis"}),
    "squeeze": Operation("Squeeze", tensors=("input",), options={"axis": "axis"}),
    "tile": Operation("Tile", tensors=("input",), options={"multiples": "repeats"}),
    "repeat": Operation("Repeat", tensors=("input",), options={"repeats": "repeats", "axis": "axis"}),
    "reverse": Operation("Flip", tensors=("tensor",), options={"axis": "axis"}),
    "cast": Operation("Cast", _CORE, options={"dtype": "dtype"}),
    "clip_by_value": Operation("Clip", tensors=("t",), options={"clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "concat": Operation("Concatenate", tensors=("values",), options={"axis": "axis"}, listed=True),
    "stack": Operation("Stack", tensors=("values",), options={"axis": "axis"}, defaults={"axis": 0}, listed=True),
}
_IGNORED = ("name", "output_type")  # what changes no value


def translate(function: str, positional: Json, named: Mapping[str, Json]) -> tuple[str, str, Json, Json] | None:
    """The operation that computes what a function of TensorFlow did.

    Args:
        function: `math.reduce_mean`, `__operators__.getitem`.
        positional: the first argument: a tensor, a list of tensors, or a number.
        named: the others.

    Returns:
        Class, module, options and arguments of Keras 3; None for a function or an option that has no counterpart here.
    """
    short = function.rpartition(".")[2]
    if short == "getitem":
        return "GetItem", _NUMPY, {}, [positional, _key(named.get("slice_spec"))]
    if short == "add_n" and isinstance(positional, list) and len(positional) == 2:
        return "Add", _NUMPY, {}, positional
    operation = OPERATIONS.get(short)
    if operation is None:
        return None
    rest = {key: value for key, value in named.items() if key not in _IGNORED}
    arguments = [positional, *(rest.pop(name) for name in operation.tensors[1:] if name in rest)]
    if len(arguments) != len(operation.tensors) or isinstance(positional, list) is not operation.listed:
        return None
    chosen = dict(operation.defaults)
    for key, value in rest.items():
        if value is not None and key in operation.options:
            chosen[operation.options[key]] = value
        elif value not in (None, False):
            return None
    return operation.class_name, operation.module, _typed(chosen), arguments


def _typed(options: dict[str, Json]) -> dict[str, Json]:
    """A type as `{"class_name": "TypeSpec", …}` or `tf.float32` is called `float32` today."""
    dtype = options.get("dtype")
    if isinstance(dtype, dict):
        dtype = dtype.get("config", dtype.get("value"))
    if isinstance(dtype, str):
        options["dtype"] = dtype.removeprefix("tf.")
    return options


def _key(spec: Json) -> Json:
    """What stands between brackets: numbers, slices, an ellipsis, None for a new axis."""
    parts = spec if isinstance(spec, list) else [spec]
    return [_part(part) for part in parts]


def _part(part: Json) -> Json:
    if not isinstance(part, dict):
        return part
    if part.get("class_name") == "__ellipsis__":
        return {"class_name": "__ellipsis__", "config": {}}
    return slice_of(part.get("start"), part.get("stop"), part.get("step"))


def slice_of(start: Json, stop: Json, step: Json) -> Json:
    """A slice as Keras 3 writes it."""
    return {"class_name": "__slice__", "config": {"start": start, "stop": stop, "step": step}}
