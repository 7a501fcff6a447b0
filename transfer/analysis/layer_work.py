"""Operations of one call of a layer: dense and convolutional ones, pooling, normalization, merging.

Convolutions are counted as they are defined, with `h w` the positions of the output, `k` the kernel's, `c` channels:
`h * w * k * k * c_in / groups * c_out` multiply-adds, positions in the zero padding among them. A transposed one puts
its kernel at each position of its *input*. Dilation changes nothing but the size of the output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

from transfer.analysis.activation_work import activation_work
from transfer.analysis.closed_shapes import Sizes, count
from transfer.analysis.operation_work import operation_work
from transfer.analysis.sequence_work import sequence_work
from transfer.analysis.work import Work
from transfer.errors import LayerError
from transfer.graphs.einsum import dense_shapes
from transfer.graphs.graph import Call, Layer
from transfer.graphs.layer_kinds import AUGMENTATIONS, COMPANIONS
from transfer.graphs.layer_shapes import channels_of, each_axis
from transfer.graphs.wrapping import is_operation, wrapped_layer
from transfer.specs import Json

Config = Mapping[str, Json]


def layer_work(layer: Layer, call: Call, inputs: Sequence[Sizes], outputs: Sequence[Sizes]) -> Work:
    """Work of one call in inference; what there is no rule for is named in it.

    Args:
        layer: no model.
        call: of the layer.
        inputs: shapes of `call.sources`, without the batch axis.
        outputs: shapes of what the call gives.
    """
    try:
        found = _work(layer, call, inputs, outputs)
    except (LayerError, KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError):
        return Work(uncounted=(f"options of {layer.class_name}",))
    return Work(uncounted=(layer.class_name,)) if found is None else found


def _work(layer: Layer, call: Call, inputs: Sequence[Sizes], outputs: Sequence[Sizes]) -> Work | None:
    kind, config = layer.class_name, layer.config
    if is_operation(layer):
        return operation_work(kind, inputs, outputs[0])
    if layer.module.split(".")[0] != "keras":
        return None
    if kind == "TimeDistributed":
        inner = wrapped_layer(layer)
        return layer_work(inner, call, [inputs[0][1:]], [outputs[0][1:]]).times(inputs[0][0])
    if kind == "SpectralNormalization":  # it divides its kernel in training alone
        return layer_work(wrapped_layer(layer), call, inputs, outputs)
    if kind in _FREE:
        return Work()
    if kind in _MERGING:
        return Work(elementwise=(len(inputs) - 1 + (kind == "Average")) * count(outputs[0]))
    if kind in _RULES:
        return _RULES[kind](config, inputs, outputs[0])
    return sequence_work(layer, call, inputs, outputs)


def _with_bias(config: Config, output: Sizes, work: Work) -> Work:
    """The layer's own work, its bias and its activation."""
    bias = Work(elementwise=count(output) if config.get("use_bias", True) else 0)
    return work + bias + activation_work(config.get("activation"), count(output))


def _dense(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:
    return _with_bias(config, output, Work(kernel_macs=count(inputs[0]) * config["units"]))


def _einsum(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:
    summed = prod(size for size in dense_shapes(config, inputs[0]).summed if size is not None)
    bias = Work(elementwise=count(output) if config.get("bias_axes") else 0)
    work = Work(kernel_macs=count(output) * summed)
    return work + bias + activation_work(config.get("activation"), count(output))


def _convolution(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:
    within = _channels(config, inputs[0]) // (config.get("groups") or 1)
    return _with_bias(config, output, Work(kernel_macs=count(output) * _kernel(config, inputs[0]) * within))


def _transposed(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:
    macs = count(inputs[0]) * _kernel(config, inputs[0]) * config["filters"]
    return _with_bias(config, output, Work(kernel_macs=macs))


def _depthwise(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:
    return _with_bias(config, output, Work(kernel_macs=count(output) * _kernel(config, inputs[0])))


def _separable(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:
    positions = count(output) // config["filters"]
    between = _channels(config, inputs[0]) * (config.get("depth_multiplier") or 1)
    depthwise = positions * between * _kernel(config, inputs[0])
    pointwise = positions * between * config["filters"]
    return _with_bias(config, output, Work(kernel_macs=depthwise, inner_macs=pointwise))


def _pooling(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:
    window = prod(each_axis(config["pool_size"], len(inputs[0]) - 1))
    return Work(elementwise=count(output) * window)


def _each_input(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:  # noqa: ARG001
    return Work(elementwise=count(inputs[0]))


def _centred(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:  # noqa: ARG001
    """Mean, difference, square, mean of it, product; scale and offset where it has them."""
    own = 5 + bool(config.get("scale", True)) + bool(config.get("center", True))
    return Work(elementwise=own * count(inputs[0]))


def _each(operations: int) -> Rule:
    """So many operations for each value that comes out."""

    def rule(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:  # noqa: ARG001
        return Work(elementwise=operations * count(output))

    return rule


def _activation(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:  # noqa: ARG001
    return activation_work(config.get("activation"), count(output))


def _relu(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:  # noqa: ARG001
    extra = (config.get("max_value") is not None) + bool(config.get("negative_slope"))
    return Work(elementwise=(1 + extra) * count(output))


def _upsampled(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:  # noqa: ARG001
    """Of four neighbours, or sixteen, the weighted mean; the nearest one costs nothing."""
    each = {"nearest": 0, "bilinear": 7, "bicubic": 31}
    how = config.get("interpolation", "nearest")
    if how not in each:
        return Work(uncounted=(f"interpolation {how!r}",))
    return Work(elementwise=each[how] * count(output))


def _resized(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:
    if inputs[0] == output:
        return Work()
    return _upsampled({"interpolation": config.get("interpolation", "bilinear")}, inputs, output)


def _dot(config: Config, inputs: Sequence[Sizes], output: Sizes) -> Work:
    axes = config.get("axes", -1)
    place = axes if isinstance(axes, int) else axes[0]
    size = ((1, *inputs[0]))[place]
    norms = 3 * sum(map(count, inputs)) if config.get("normalize") else 0
    return Work(product_macs=count(output) * size, elementwise=norms)


def _kernel(config: Config, shape: Sizes) -> int:
    return prod(each_axis(config["kernel_size"], len(shape) - 1))


def _channels(config: Config, shape: Sizes) -> int:
    return channels_of(config, shape) or 0


Rule = Callable[[Config, Sequence[Sizes], Sizes], Work]
_RANKS = (1, 2, 3)
_MERGING = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"})
# In inference these hand on what they get, or put it elsewhere. Their own activations and norms are counted above.
_FREE = frozenset(
    {"InputLayer", "Flatten", "Reshape", "Permute", "RepeatVector", "Concatenate", "CenterCrop", "Embedding"}
    | {"StochasticDepth", "MaxNumBoundingBoxes"}
    | {f"{kind}{rank}D" for kind in ("ZeroPadding", "Cropping") for rank in _RANKS}
    | (AUGMENTATIONS - {"Equalization", "Solarization", "RandomCrop"})
    | (COMPANIONS - {"Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax"})
)
_RULES: dict[str, Rule] = {
    "Dense": _dense,
    "EinsumDense": _einsum,
    **{f"Conv{rank}D": _convolution for rank in _RANKS},
    **{f"Conv{rank}DTranspose": _transposed for rank in _RANKS},
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    **{f"{kind}Pooling{rank}D": _pooling for kind in ("Max", "Average") for rank in _RANKS},
    **{
        f"{which}{kind}Pooling{rank}D": _each_input
        for which in ("Global", "Adaptive")
        for kind in ("Max", "Average")
        for rank in _RANKS
    },
    "BatchNormalization": _each(2),  # a factor and an offset for each channel
    "Normalization": _each(2),
    "Rescaling": _each(2),
    "CustomScaleLayer": _each(2),
    "LayerScale": _each(1),
    **dict.fromkeys(("LayerNormalization", "GroupNormalization"), _centred),
    "RMSNormalization": _each(4),
    "UnitNormalization": _each(3),
    "Masking": _each(2),
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _each(2),
    "PReLU": _each(2),
    "ELU": _each(3),
    "Softmax": _each(5),
    "ThresholdedReLU": _each(2),
    **{f"UpSampling{rank}D": _upsampled for rank in _RANKS},
    "Resizing": _resized,
    "Dot": _dot,
}
