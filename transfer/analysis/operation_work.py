"""Operations of functions of `keras.ops` that stand in a graph beside its layers."""

from __future__ import annotations

from collections.abc import Sequence

from transfer.analysis.activation_work import activation_work
from transfer.analysis.closed_shapes import Sizes, count
from transfer.analysis.work import Work

_FREE = frozenset(
    {"Reshape", "Transpose", "ExpandDims", "Squeeze", "GetItem", "Concatenate", "Stack", "Cast", "Identity", "Copy"}
    | {"StopGradient", "Flip", "Roll", "ZerosLike", "OnesLike", "Tile", "Repeat"}
)
_PAIRWISE = frozenset(
    {"Add", "Subtract", "Multiply", "Divide", "TrueDivide", "FloorDivide", "Power", "Maximum", "Minimum", "Mod"}
    | {"Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr", "Where"}
)
_EACH = {
    **dict.fromkeys(("Absolute", "Abs", "Negative", "Sign", "Square", "Sqrt", "Reciprocal", "Exp", "Log", "Erf"), 1),
    **dict.fromkeys(("Sin", "Cos", "Tan", "Sinh", "Cosh", "Floor", "Ceil", "Round", "LogicalNot", "Cumsum"), 1),
    **{"Rsqrt": 2, "Expm1": 2, "Log1p": 2, "Clip": 2, "Normalize": 3},
}
_REDUCING = {
    **dict.fromkeys(("Mean", "Sum", "Max", "Min", "Prod", "All", "Any", "Amax", "Amin", "Argmax", "Argmin"), 1),
    **{"Var": 4, "Std": 4, "Logsumexp": 4},
}


def operation_work(kind: str, inputs: Sequence[Sizes], output: Sizes) -> Work | None:
    """Work of one function; None where there is no rule."""
    if kind in _FREE:
        return Work()
    if kind in _PAIRWISE:
        return Work(elementwise=count(output))
    if kind in _EACH:
        return Work(elementwise=_EACH[kind] * count(output))
    if kind in _REDUCING:
        return Work(elementwise=_REDUCING[kind] * count(inputs[0]))
    if kind == "Matmul" and len(inputs) == 2:
        return Work(product_macs=count(output) * inputs[0][-1])
    found = activation_work(kind, count(output))
    return None if found.uncounted else found
