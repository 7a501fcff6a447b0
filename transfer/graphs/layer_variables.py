"""The variables that a layer makes, from its options and the shape that goes in: names, shapes, types, in their order.

The order is Keras's own: what it can train, then the rest, then the layers inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from transfer.errors import LayerError, Problem
from transfer.graphs.einsum import dense_shapes
from transfer.graphs.layer_shapes import channels_of, each_axis
from transfer.graphs.variable_types import variable_dtype
from transfer.graphs.wrapping import Shape
from transfer.specs import Json

Config = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a layer.

    Attributes:
        path: inside the layer, `kernel` or `lstm_cell/kernel`.
        shape: every size known.
        dtype: numpy's name; empty for the layer's own.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str = ""

    def inside(self, name: str) -> Variable:
        """The same variable, seen from around the layer."""
        return replace(self, path=f"{name}/{self.path}")


def simple_variables(kind: str, config: Config, shape: Shape) -> tuple[Variable, ...] | None:
    """Variables of a layer that holds no layer and has one input; None where there is no rule.

    Args:
        kind: its class.
        config: its options.
        shape: what goes in at its first call, without the batch axis.

    Raises:
        LayerError: if a size that a variable depends on is open, or the layer is quantized in a way not known here.
    """
    rule = _RULES.get(kind)
    if rule is None:
        return None
    dtype, mode = variable_dtype(config)
    made: list[Variable] = []
    for path, sizes, *own in rule(config, shape):
        if None in sizes:
            raise LayerError(
                f"{kind} {config.get('name')!r} has no shape: a size that its variables depend on is open.",
                [Problem(str(config.get("name")), "known sizes", f"{path} of {tuple(sizes)} for an input of {shape}")],
                next_step="give the input a shape",
            )
        made.append(Variable(path, tuple(int(size) for size in sizes if size is not None), own[0] if own else dtype))
    whole = _quantized(kind, config, made[0], dtype) if mode and made else ()
    trained = made[1:] if whole else made
    return (*trained, *_adaptation(config, made), *whole)


def _quantized(kind: str, config: Config, main: Variable, dtype: str) -> tuple[Variable, Variable]:
    """The main array in whole numbers, and its scale."""
    scales = {"Dense": main.shape[-1:], "Embedding": main.shape[:1]}
    if kind not in scales or variable_dtype(config)[1] != "int8":
        raise LayerError(
            f"{kind} {config.get('name')!r} is quantized in a way whose variables are not known here.",
            [Problem(str(config.get("name")), "int8 in Dense or Embedding", str(config.get("dtype"))[:120])],
        )
    return replace(main, dtype="int8"), Variable(f"{main.path}_scale", scales[kind], dtype)


def _adaptation(config: Config, made: list[Variable]) -> tuple[Variable, ...]:
    """The two factors of a low-rank adaptation, where there is one."""
    rank = config.get("lora_rank")
    if not rank or not made:
        return ()
    main = made[0]
    sizes = {"a": (*main.shape[:-1], rank), "b": (rank, main.shape[-1])}
    return tuple(Variable(f"lora_{main.path}_{part}", shape, "float32") for part, shape in sizes.items())


Rows = Iterator[tuple[str, Shape] | tuple[str, Shape, str]]


def _bias(config: Config, size: int | None) -> Rows:
    if config.get("use_bias", True):
        yield "bias", (size,)


def _dense(config: Config, shape: Shape) -> Rows:
    yield "kernel", (shape[-1], config["units"])
    yield from _bias(config, config["units"])


def _einsum_dense(config: Config, shape: Shape) -> Rows:
    found = dense_shapes(config, shape)
    yield "kernel", found.kernel
    if found.bias is not None:
        yield "bias", found.bias


def _kernel_size(config: Config, shape: Shape) -> tuple[int, ...]:
    return tuple(each_axis(config["kernel_size"], len(shape) - 1))


def _convolution(config: Config, shape: Shape) -> Rows:
    channels = channels_of(config, shape)
    within = None if channels is None else channels // (config.get("groups") or 1)
    yield "kernel", (*_kernel_size(config, shape), within, config["filters"])
    yield from _bias(config, config["filters"])


def _transposed(config: Config, shape: Shape) -> Rows:
    yield "kernel", (*_kernel_size(config, shape), config["filters"], channels_of(config, shape))
    yield from _bias(config, config["filters"])


def _depthwise(config: Config, shape: Shape) -> Rows:
    channels, times = channels_of(config, shape), config.get("depth_multiplier", 1)
    yield "kernel", (*_kernel_size(config, shape), channels, times)
    yield from _bias(config, None if channels is None else channels * times)


def _separable(config: Config, shape: Shape) -> Rows:
    channels, times, sizes = channels_of(config, shape), config.get("depth_multiplier", 1), _kernel_size(config, shape)
    yield "depthwise_kernel", (*sizes, channels, times)
    yield (
        "pointwise_kernel",
        (*(1,) * len(sizes), None if channels is None else channels * times, config["filters"]),
    )
    yield from _bias(config, config["filters"])


def _embedding(config: Config, shape: Shape) -> Rows:  # noqa: ARG001
    yield "embeddings", (config["input_dim"], config["output_dim"])


def _reversible_embedding(config: Config, shape: Shape) -> Rows:
    yield from _embedding(config, shape)
    if not config.get("tie_weights", True):
        yield "reverse_embeddings", (config["output_dim"], config["input_dim"])


def _axes(config: Config, shape: Shape, *, key: str = "axis") -> Shape:
    """Sizes of the axes that an option names, the batch counted."""
    full: Shape = (None, *shape)
    axis = config.get(key, -1)
    return (full[axis],) if isinstance(axis, int) else tuple(full[place] for place in sorted(axis))


def _scaled(config: Config, sizes: Shape) -> Rows:
    if config.get("scale", True):
        yield "gamma", sizes
    if config.get("center", True):
        yield "beta", sizes


def _batch_normalization(config: Config, shape: Shape) -> Rows:
    sizes = _axes(config, shape)
    yield from _scaled(config, sizes)
    names = ("moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev")
    for name in names if config.get("renorm") else names[:2]:
        yield name, sizes


def _normalized(config: Config, shape: Shape) -> Rows:
    if config.get("rms_scaling"):
        yield "gamma", _axes(config, shape)
    else:
        yield from _scaled(config, _axes(config, shape))


def _rms_normalization(config: Config, shape: Shape) -> Rows:
    yield "scale", _axes(config, shape)


def _normalization(config: Config, shape: Shape) -> Rows:
    if config.get("mean") is not None:
        return
    full: Shape = (None, *shape)
    axis = config.get("axis", -1)
    axes = [] if axis is None else [axis] if isinstance(axis, int) else list(axis)
    sizes = tuple(full[place] for place in sorted(place % len(full) for place in axes))
    yield "mean", sizes
    yield "variance", sizes
    yield "count", (), "int64"


def _prelu(config: Config, shape: Shape) -> Rows:
    shared = config.get("shared_axes") or ()
    yield "alpha", tuple(1 if place + 1 in shared else size for place, size in enumerate(shape))


def _layer_scale(config: Config, shape: Shape) -> Rows:  # noqa: ARG001
    yield "variable", (config["projection_dim"],)  # ConvNeXt gives it no name


def _spectrogram(config: Config, shape: Shape) -> Rows:  # noqa: ARG001
    length = config["frame_length"]
    points = config.get("fft_length") or 2 ** (length - 1).bit_length()
    for part in ("real", "imag"):
        if config.get("mode") != {"real": "imag", "imag": "real"}[part]:
            yield f"{part}_kernel", (length, 1, points // 2 + 1)


def _cell(gates: int) -> Callable[[Config, Shape], Rows]:
    def rows(config: Config, shape: Shape) -> Rows:
        width = gates * config["units"]
        yield "kernel", (shape[-1], width)
        yield "recurrent_kernel", (config["units"], width)
        if config.get("use_bias", True):
            yield "bias", (2, width) if gates == 3 and config.get("reset_after", True) else (width,)

    return rows


def _conv_lstm_cell(config: Config, shape: Shape) -> Rows:
    sizes, width = _kernel_size(config, shape), 4 * config["filters"]
    yield "kernel", (*sizes, channels_of(config, shape), width)
    yield "recurrent_kernel", (*sizes, config["filters"], width)
    yield from _bias(config, width)


_RANKS = (1, 2, 3)
_RULES: dict[str, Callable[[Config, Shape], Rows]] = {
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    **{f"Conv{rank}D": _convolution for rank in _RANKS},
    **{f"Conv{rank}DTranspose": _transposed for rank in _RANKS},
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    "Embedding": _embedding,
    "ReversibleEmbedding": _reversible_embedding,
    "BatchNormalization": _batch_normalization,
    **dict.fromkeys(("LayerNormalization", "GroupNormalization"), _normalized),
    "RMSNormalization": _rms_normalization,
    "Normalization": _normalization,
    "PReLU": _prelu,
    "LayerScale": _layer_scale,
    "STFTSpectrogram": _spectrogram,
    "LSTMCell": _cell(4),
    "GRUCell": _cell(3),
    "SimpleRNNCell": _cell(1),
    "ConvLSTMCell": _conv_lstm_cell,
}
SHAPED = frozenset(_RULES)  # classes with a rule here
UNSHAPED = frozenset({"Embedding", "ReversibleEmbedding", "LayerScale", "STFTSpectrogram"})  # whatever goes in
