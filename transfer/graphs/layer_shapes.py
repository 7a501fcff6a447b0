"""Output shape of one layer from its options and the shape that goes in: convolutions, pooling, reshaping, merging."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

from transfer.graphs.einsum import dense_shapes
from transfer.graphs.layer_kinds import COMPANIONS
from transfer.graphs.wrapping import Shape
from transfer.specs import Json

Config = Mapping[str, Json]


def merged_shape(kind: str, config: Config, inputs: Sequence[Shape]) -> Shape | None:
    """Of a layer that takes several inputs; None where there is no rule."""
    if kind in _MERGING:
        return broadcast(inputs)
    if kind == "Concatenate":
        return concatenate(inputs, config.get("axis", -1))
    if kind == "Dot" and len(inputs) == 2:
        return _dot(config, inputs)
    return None


def layer_shape(kind: str, config: Config, shape: Shape) -> Shape | None:
    """Of a layer that takes one input; None where there is no rule."""
    if kind in _UNCHANGED:
        return shape
    rule = _RULES.get(kind)
    return rule(config, shape) if rule is not None else None


def _dense(config: Config, shape: Shape) -> Shape:
    return (*shape[:-1], config["units"])


def _convolution(config: Config, shape: Shape) -> Shape:
    steps = _spatial(config, shape, size=config["kernel_size"], dilation=config.get("dilation_rate", 1))
    return _with_channels(config, steps, config["filters"])


def _depthwise(config: Config, shape: Shape) -> Shape:
    steps = _spatial(config, shape, size=config["kernel_size"], dilation=config.get("dilation_rate", 1))
    channels = channels_of(config, shape)
    return _with_channels(config, steps, None if channels is None else channels * config.get("depth_multiplier", 1))


def _transposed(config: Config, shape: Shape) -> Shape:
    sizes = _sizes(config, shape)
    rank = len(sizes)
    kernel, strides, gaps = (
        each_axis(config.get(key) or 1, rank) for key in ("kernel_size", "strides", "dilation_rate")
    )
    reach = [(k - 1) * gap + 1 for k, gap in zip(kernel, gaps, strict=True)]
    more = config.get("output_padding")
    extra = [None] * rank if more is None else each_axis(more, rank)
    same = config.get("padding", "valid") == "same"
    steps = tuple(
        None if n is None else _upwards(n, k, s, e, same=same)
        for n, k, s, e in zip(sizes, reach, strides, extra, strict=True)
    )
    return _with_channels(config, steps, config["filters"])


def _upwards(size: int, kernel: int, stride: int, extra: int | None, *, same: bool) -> int:
    if extra is None:
        return size * stride + (0 if same else max(kernel - stride, 0))
    return (size - 1) * stride + kernel + extra - (2 * (kernel // 2) if same else 0)


def _pooling(config: Config, shape: Shape) -> Shape:
    return _with_channels(config, _spatial(config, shape, size=config["pool_size"]), channels_of(config, shape))


def _adaptive(config: Config, shape: Shape) -> Shape:
    steps = tuple(each_axis(config["output_size"], len(shape) - 1))
    return _with_channels(config, steps, channels_of(config, shape))


def _global_pooling(config: Config, shape: Shape) -> Shape:
    channels = channels_of(config, shape)
    if config.get("keepdims"):
        return _with_channels(config, (1,) * (len(shape) - 1), channels)
    return (channels,)


def _zero_padding(config: Config, shape: Shape) -> Shape:
    return _grown(config, shape, config["padding"], sign=1)


def _cropping(config: Config, shape: Shape) -> Shape:
    return _grown(config, shape, config["cropping"], sign=-1)


def _grown(config: Config, shape: Shape, margins: Json, *, sign: int) -> Shape:
    if isinstance(margins, int) or len(shape) == 2:  # of one axis: a number, or (before, after)
        margins = [margins]
    both = [2 * each if isinstance(each, int) else sum(each) for each in margins]
    sizes = tuple(None if s is None else s + sign * m for s, m in zip(_sizes(config, shape), both, strict=True))
    return _with_channels(config, sizes, channels_of(config, shape))


def _upsampling(config: Config, shape: Shape) -> Shape:
    factors = each_axis(config.get("size", 2), len(shape) - 1)
    sizes = tuple(None if s is None else s * f for s, f in zip(_sizes(config, shape), factors, strict=True))
    return _with_channels(config, sizes, channels_of(config, shape))


def _flatten(config: Config, shape: Shape) -> Shape:  # noqa: ARG001
    known = [size for size in shape if size is not None]
    return (prod(known) if len(known) == len(shape) else None,)


def _reshape(config: Config, shape: Shape) -> Shape:
    return reshaped(shape, config["target_shape"])


def _permute(config: Config, shape: Shape) -> Shape:
    return tuple(shape[place - 1] for place in config["dims"])


def _repeat(config: Config, shape: Shape) -> Shape:
    return (config["n"], *shape)


def _resizing(config: Config, shape: Shape) -> Shape:
    return _with_channels(config, (config["height"], config["width"]), channels_of(config, shape))


def _embedding(config: Config, shape: Shape) -> Shape:
    return (*shape, config["output_dim"])


def _categories(config: Config, shape: Shape) -> Shape:
    hot = config.get("output_mode") == "one_hot" and (shape[-1:] != (1,) or not shape)
    return (*shape, config["num_tokens"]) if hot else (*shape[:-1], config["num_tokens"])


def _einsum(config: Config, shape: Shape) -> Shape:
    return dense_shapes(config, shape).output


def _dot(config: Config, inputs: Sequence[Shape]) -> Shape:
    one, two = ((None, *shape) for shape in inputs)
    axes = config.get("axes", -1)
    first, second = (axes, axes) if isinstance(axes, int) else axes
    first, second = first % len(one), second % len(two)
    left = [size for place, size in enumerate(one) if place != first]
    right = [size for place, size in enumerate(two) if place not in (0, second)]
    return tuple(left[1:] + right) or (1,)


def _spatial(config: Config, shape: Shape, *, size: Json, dilation: Json = 1) -> Shape:
    sizes = _sizes(config, shape)
    rank = len(sizes)
    kernel, strides, gaps = (each_axis(value, rank) for value in (size, config.get("strides") or size, dilation))
    same = config.get("padding", "valid") in ("same", "causal")
    return tuple(
        None if n is None else -(-n // s) if same else (n - (k - 1) * g - 1) // s + 1
        for n, k, s, g in zip(sizes, kernel, strides, gaps, strict=True)
    )


def each_axis(value: Json, rank: int) -> list[int]:
    """One number for every axis, where a config may give one for all."""
    return [value] * rank if isinstance(value, int) else list(value)


def channels_of(config: Config, shape: Shape) -> int | None:
    """Number of channels of what goes into a layer."""
    return shape[0] if _first_channels(config) else shape[-1]


def _first_channels(config: Config) -> bool:
    return config.get("data_format") == "channels_first"


def _sizes(config: Config, shape: Shape) -> Shape:
    return shape[1:] if _first_channels(config) else shape[:-1]


def _with_channels(config: Config, sizes: Shape, channels: int | None) -> Shape:
    return (channels, *sizes) if _first_channels(config) else (*sizes, channels)


def broadcast(inputs: Sequence[Shape]) -> Shape:
    """Of arrays that are joined element by element."""
    rank = max(map(len, inputs))
    padded = [(1,) * (rank - len(shape)) + shape for shape in inputs]
    return tuple(next((size for size in sizes if size != 1), 1) for sizes in zip(*padded, strict=True))


def concatenate(inputs: Sequence[Shape], axis: int) -> Shape:
    """Of arrays that stand side by side; axis 0 is the batch."""
    place = axis if axis < 0 else axis - 1 - len(inputs[0])
    sizes = [shape[place] for shape in inputs]
    joined = list(inputs[0])
    joined[place] = None if None in sizes else sum(size for size in sizes if size is not None)
    return tuple(joined)


def reshaped(shape: Shape, target: Sequence[int | None]) -> Shape:
    """The target with its -1 worked out, where the sizes are known."""
    wanted = list(target)
    if -1 in wanted:
        known = [size for size in shape if size is not None]
        rest = prod(size for size in wanted if size is not None and size != -1)
        wanted[wanted.index(-1)] = prod(known) // rest if len(known) == len(shape) and rest else None
    return tuple(wanted)


_UNCHANGED = COMPANIONS | {
    "BatchNormalization",
    "LayerNormalization",
    "GroupNormalization",
    "RMSNormalization",
    "UnitNormalization",
    "Rescaling",
    "Normalization",
    "Masking",
    "LayerScale",
    "StochasticDepth",
    "CustomScaleLayer",
    "Hashing",
    "AutoContrast",
    "Equalization",
    "Solarization",
    *(f"Random{what}" for what in ("Brightness", "ColorDegeneration", "ColorJitter", "Contrast", "ElasticTransform")),
    *(f"Random{what}" for what in ("Erasing", "Flip", "GaussianBlur", "Grayscale", "Hue", "Invert", "Perspective")),
    *(f"Random{what}" for what in ("Posterization", "Rotation", "Saturation", "Sharpness", "Shear", "Translation")),
    *("RandomZoom", "RandAugment", "AugMix"),
}
_MERGING = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"})
_RANKS = (1, 2, 3)
_RULES: dict[str, Callable[[Config, Shape], Shape]] = {
    "Dense": _dense,
    **dict.fromkeys((*(f"Conv{rank}D" for rank in _RANKS), "SeparableConv1D", "SeparableConv2D"), _convolution),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **{f"Conv{rank}DTranspose": _transposed for rank in _RANKS},
    **{f"{kind}Pooling{rank}D": _pooling for kind in ("Max", "Average") for rank in _RANKS},
    **{f"Adaptive{kind}Pooling{rank}D": _adaptive for kind in ("Max", "Average") for rank in _RANKS},
    **{f"Global{kind}Pooling{rank}D": _global_pooling for kind in ("Max", "Average") for rank in _RANKS},
    **{f"ZeroPadding{rank}D": _zero_padding for rank in _RANKS},
    **{f"Cropping{rank}D": _cropping for rank in _RANKS},
    **{f"UpSampling{rank}D": _upsampling for rank in _RANKS},
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat,
    **dict.fromkeys(("Resizing", "CenterCrop", "RandomCrop"), _resizing),
    "Embedding": _embedding,
    "CategoryEncoding": _categories,
    "EinsumDense": _einsum,
}
