"""TensorFlow's own count of floating-point operations, to hold ours against."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from transfer.models.shaping import input_structure
from transfer.specs import Json
from transfer.tabulating import format_scaled

# Operations in which TensorFlow multiplies and adds; all others are elementwise.
_PRODUCTS = frozenset(
    {"MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Conv2D", "Conv3D", "DepthwiseConv2dNative"}
    | {"Conv2DBackpropInput", "Conv3DBackpropInputV2", "Conv2DBackpropFilter", "DepthwiseConv2dNativeBackpropInput"}
    | {"DepthwiseConv2dNativeBackpropFilter", "Conv3DBackpropFilterV2", "Einsum", "XlaConvV2", "XlaDot"}
)


@dataclass(frozen=True, slots=True)
class Profile:
    """Float operations per example, as TensorFlow counts them.

    Attributes:
        counted: operations by kind, `Conv2D` → 615292208; the largest first.
        uncounted: kinds of operations in the same graph for which it has no number, and how many there are.
    """

    counted: Mapping[str, int]
    uncounted: Mapping[str, int]

    @property
    def products(self) -> int:
        """Of matrix products and convolutions, two for each multiply-add."""
        return sum(flops for kind, flops in self.counted.items() if kind in _PRODUCTS)

    @property
    def elementwise(self) -> int:
        """Of all others."""
        return sum(self.counted.values()) - self.products

    @property
    def total(self) -> int:
        """All that it counts."""
        return sum(self.counted.values())

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "products": self.products,
            "elementwise": self.elementwise,
            "total": self.total,
            "counted": dict(self.counted),
            "uncounted": dict(self.uncounted),
        }

    def beside(self, flops: int, elementwise: int) -> str:
        """Both counts side by side, and what their difference comes from.

        Args:
            flops: ours, two for each multiply-add.
            elementwise: ours.
        """
        kinds = ", ".join(f"{kind} {format_scaled(count).rstrip()}" for kind, count in list(self.counted.items())[:6])
        called = sum(count for kind, count in self.uncounted.items() if kind in _CALLS)
        loops = sum(count for kind, count in self.uncounted.items() if kind in _LOOPS)
        lines = [
            f"TensorFlow's profiler: {format_scaled(self.total)}FLOP, {_percent(self.total, flops)} of ours ({kinds})",
            f"  products and convolutions: {self.products:,} FLOP beside {flops:,} here, "
            f"{_percent(self.products, flops)}",
            f"  elementwise, part of its total: {self.elementwise:,} operations beside {elementwise:,} here; it has no "
            f"number for {_listed(self.uncounted)}",
        ]
        if called:
            lines.append(f"  it does not look into {called} functions: grouped convolutions, which Keras compiles")
        if loops:
            what = "what a loop repeats" if loops == 1 else f"what {loops} loops repeat"
            lines.append(f"  of {what} it counts one step at most; here each step of a recurrent layer counts")
        return "\n".join(lines)


def profile_flops(model: keras.Model) -> Profile:
    """Count the float operations of a network on one example with `tf.compat.v1.profiler`.

    Args:
        model: with inputs of known sizes.
    """
    inputs = tf.nest.map_structure(lambda each: tf.TensorSpec((1, *each.shape[1:]), each.dtype), input_structure(model))
    traced = tf.function(lambda values: model(values, training=False)).get_concrete_function(inputs)
    frozen = convert_variables_to_constants_v2(traced, aggressive_inlining=True)
    return profile_graph(frozen.graph)


def profile_graph(graph: Any) -> Profile:
    """The same of a TensorFlow graph whose shapes are known."""
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    with _quiet(), graph.as_default():
        root = tf.compat.v1.profiler.profile(graph, options=options, cmd="scope")
    types = {each.name: each.type for each in graph.get_operations()}
    counted: Counter[str] = Counter()
    seen: set[str] = set()
    ahead = [root]
    while ahead:
        node = ahead.pop()
        ahead += node.children
        if node.float_ops and node.name in types:
            counted[types[node.name]] += node.float_ops
            seen.add(node.name)
    uncounted = Counter(kind for name, kind in types.items() if name not in seen and kind not in _SILENT)
    return Profile(dict(counted.most_common()), dict(uncounted.most_common()))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The profiler prints what it makes of the graph, and that it is old."""
    logger, level = tf.get_logger(), tf.get_logger().level
    logger.setLevel("ERROR")
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)


_CALLS = frozenset({"StatefulPartitionedCall", "PartitionedCall"})
_LOOPS = frozenset({"LoopCond", "While", "StatelessWhile"})  # one for each loop; the first where it was lowered
# Operations that compute nothing.
_SILENT = frozenset(
    {"Const", "Placeholder", "Identity", "NoOp", "Reshape", "Pad", "PadV2", "Cast", "Shape", "StridedSlice", "Pack"}
    | {"ConcatV2", "ExpandDims", "Squeeze", "Transpose", "Fill", "Range", "Slice", "StopGradient", "GatherV2", "Split"}
)


def _percent(value: int, of: int) -> str:
    return f"{100 * value / of:.2f} %" if of else "none"


def _listed(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} ({count})" for kind, count in list(kinds.items())[:8]) or "nothing"
