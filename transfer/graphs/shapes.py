"""Output shapes of common layers from the graph alone. The batch axis is left out; None stands for an open size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from transfer.errors import LayerError
from transfer.graphs.cutting import COMPANIONS
from transfer.graphs.graph import Graph, Layer, Ref
from transfer.graphs.parsing import parse_config
from transfer.specs import Json

Shape = tuple[int | None, ...]
Config = Mapping[str, Json]


def infer_shapes(graph: Graph, inputs: Mapping[Ref, Shape] | None = None) -> dict[Ref, Shape]:
    """Shape of each output of each call that the rules below reach; layers of unknown kinds are left out.

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
            sources = layer.calls[node].sources if layer.calls else ()
            if all(source in shapes for source in sources):
                shape = _infer(layer, [shapes[source] for source in sources])
                if shape is not None:
                    shapes[Ref(layer.name, node)] = shape
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
    unknown = next((layer for layer in graph if Ref(layer.name) not in shapes), graph.layer(ref.layer))
    raise LayerError(
        f"The shape of {ref.layer!r} is not known: {unknown.class_name} {unknown.name!r} has no rule here.",
        next_step="cut at a layer before it",
    )


def _infer(layer: Layer, inputs: list[Shape]) -> Shape | None:
    config = layer.config
    kind = layer.class_name
    if kind == "InputLayer":
        return tuple(config["batch_shape"][1:])
    if not inputs:
        return None
    first = inputs[0]
    if "layers" in config:
        return _nested(layer, inputs)
    if kind in _UNCHANGED:
        return first
    if kind in _MERGING:
        return _broadcast(inputs)
    if kind == "Concatenate":
        return _concatenate(inputs, config.get("axis", -1))
    rule = _RULES.get(kind)
    return rule(config, first) if rule is not None else None


def _nested(layer: Layer, inputs: list[Shape]) -> Shape | None:
    try:
        inner = parse_config({"class_name": layer.class_name, "config": layer.config})
    except LayerError:  # of another era, or a class with code of its own
        return None
    if len(inner.inputs) != len(inputs) or len(inner.outputs) != 1:
        return None
    return infer_shapes(inner, dict(zip(inner.inputs, inputs, strict=True))).get(inner.outputs[0])


def _dense(config: Config, shape: Shape) -> Shape:
    return (*shape[:-1], config["units"])


def _convolution(config: Config, shape: Shape) -> Shape:
    steps = _spatial(config, shape, size=config["kernel_size"], dilation=config.get("dilation_rate", 1))
    return _with_channels(config, steps, config["filters"])


def _depthwise(config: Config, shape: Shape) -> Shape:
    steps = _spatial(config, shape, size=config["kernel_size"], dilation=config.get("dilation_rate", 1))
    channels = _channels(config, shape)
    return _with_channels(config, steps, None if channels is None else channels * config.get("depth_multiplier", 1))


def _pooling(config: Config, shape: Shape) -> Shape:
    return _with_channels(config, _spatial(config, shape, size=config["pool_size"]), _channels(config, shape))


def _global_pooling(config: Config, shape: Shape) -> Shape:
    channels = _channels(config, shape)
    if config.get("keepdims"):
        return _with_channels(config, (1,) * (len(shape) - 1), channels)
    return (channels,)


def _zero_padding(config: Config, shape: Shape) -> Shape:
    margins = config["padding"]
    if isinstance(margins, int) or len(shape) == 2:  # of one axis: a number, or (before, after)
        margins = [margins]
    both = [2 * each if isinstance(each, int) else sum(each) for each in margins]
    sizes = _sizes(config, shape)
    return _with_channels(
        config, tuple(None if s is None else s + m for s, m in zip(sizes, both, strict=True)), _channels(config, shape)
    )


def _flatten(config: Config, shape: Shape) -> Shape:  # noqa: ARG001
    known = [size for size in shape if size is not None]
    return (prod(known) if len(known) == len(shape) else None,)


def _reshape(config: Config, shape: Shape) -> Shape:
    target = list(config["target_shape"])
    if -1 in target:
        known = [size for size in shape if size is not None]
        rest = prod(size for size in target if size != -1)
        target[target.index(-1)] = prod(known) // rest if len(known) == len(shape) and rest else None
    return tuple(target)


def _resizing(config: Config, shape: Shape) -> Shape:
    return (config["height"], config["width"], shape[-1])


def _embedding(config: Config, shape: Shape) -> Shape:
    return (*shape, config["output_dim"])


def _recurrent(config: Config, shape: Shape) -> Shape:
    return (shape[0], config["units"]) if config.get("return_sequences") else (config["units"],)


def _spatial(config: Config, shape: Shape, *, size: Json, dilation: Json = 1) -> Shape:
    sizes = _sizes(config, shape)
    rank = len(sizes)
    kernel, strides, gaps = (_each(value, rank) for value in (size, config.get("strides") or size, dilation))
    same = config.get("padding", "valid") in ("same", "causal")
    return tuple(
        None if n is None else -(-n // s) if same else (n - (k - 1) * g - 1) // s + 1
        for n, k, s, g in zip(sizes, kernel, strides, gaps, strict=True)
    )


def _each(value: Json, rank: int) -> list[int]:
    return [value] * rank if isinstance(value, int) else list(value)


def _first_channels(config: Config) -> bool:
    return config.get("data_format") == "channels_first"


def _sizes(config: Config, shape: Shape) -> Shape:
    return shape[1:] if _first_channels(config) else shape[:-1]


def _channels(config: Config, shape: Shape) -> int | None:
    return shape[0] if _first_channels(config) else shape[-1]


def _with_channels(config: Config, sizes: Shape, channels: int | None) -> Shape:
    return (channels, *sizes) if _first_channels(config) else (*sizes, channels)


def _broadcast(inputs: list[Shape]) -> Shape | None:
    rank = max(map(len, inputs))
    padded = [(1,) * (rank - len(shape)) + shape for shape in inputs]
    return tuple(next((size for size in sizes if size != 1), 1) for sizes in zip(*padded, strict=True))


def _concatenate(inputs: list[Shape], axis: int) -> Shape:
    place = axis if axis < 0 else axis - 1 - len(inputs[0])  # from the end; axis 0 is the batch
    sizes = [shape[place] for shape in inputs]
    joined = list(inputs[0])
    joined[place] = None if None in sizes else sum(size for size in sizes if size is not None)
    return tuple(joined)


_UNCHANGED = COMPANIONS | {
    "BatchNormalization",
    "LayerNormalization",
    "GroupNormalization",
    "UnitNormalization",
    "Rescaling",
    "Normalization",
    "Masking",
}
_MERGING = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"})
_RULES: dict[str, Callable[[Config, Shape], Shape]] = {
    "Dense": _dense,
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D", "SeparableConv1D", "SeparableConv2D"), _convolution),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **{f"{kind}Pooling{rank}D": _pooling for kind in ("Max", "Average") for rank in (1, 2, 3)},
    **{f"Global{kind}Pooling{rank}D": _global_pooling for kind in ("Max", "Average") for rank in (1, 2, 3)},
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"), _zero_padding),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Resizing": _resizing,
    "Embedding": _embedding,
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN"), _recurrent),
}
