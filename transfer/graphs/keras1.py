"""Layers in the words of Keras 0 and 1, in those of Keras 2: class and argument names, merges, regularizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transfer.errors import LayerError, Problem
from transfer.specs import Json

CLASSES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "AtrousConv1D": "Conv1D",
    "AtrousConv2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "TimeDistributedDense": "Dense",  # today's Dense goes over all axes but the last
}
_ARGUMENTS = {
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "subsample": "strides",
    "subsample_length": "strides",
    "stride": "strides",
    "pool_length": "pool_size",
    "length": "size",
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "atrous_rate": "dilation_rate",
    "output_dim": "units",
    "p": "rate",
    "sigma": "stddev",
    "bias": "use_bias",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "U_constraint": "recurrent_constraint",
    "b_constraint": "bias_constraint",
    "beta_init": "beta_initializer",
    "gamma_init": "gamma_initializer",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "dims": "target_shape",
    "input_dtype": "dtype",
}
_OF_CLASSES: dict[str, dict[str, str]] = {
    "Embedding": {
        "output_dim": "output_dim",
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
    },
    "PReLU": {"init": "alpha_initializer"},
    "SeparableConv2D": {"init": "depthwise_initializer", "W_regularizer": "depthwise_regularizer"},
}
_WITHOUT_USE = ("consume_less", "cache_enabled", "custom_name", "input_length", "output_shape")
_KINDS = frozenset(
    {"Dense", "Dropout", "Embedding", "PReLU", "BatchNormalization", "GaussianNoise", "GaussianDropout", "Reshape"}
    | {"LSTM", "GRU", "SimpleRNN", "ConvLSTM2D", "InputLayer", *CLASSES, *CLASSES.values()}
    | {f"{kind}{rank}D" for kind in ("UpSampling", "ZeroPadding", "Cropping", "SpatialDropout") for rank in (1, 2, 3)}
    | {f"{kind}Pooling{rank}D" for kind in ("Max", "Average", "GlobalMax", "GlobalAverage") for rank in (1, 2, 3)}
)
_DATA_FORMATS = {"tf": "channels_last", "th": "channels_first"}
_INITIALIZERS = {
    "uniform": "random_uniform",
    "normal": "random_normal",
    "zero": "zeros",
    "one": "ones",
}
_MERGES = {
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "concat": "Concatenate",
    "dot": "Dot",
}


def from_keras1(kind: str, config: Mapping[str, Json]) -> tuple[str, dict[str, Json]]:
    """A layer's class and options in the words of Keras 2; those of Keras 2 stay as they are.

    Raises:
        LayerError: if it does what no layer does today, such as batch norm by sample.
    """
    if kind == "Merge":
        return _merge(config)
    if kind not in _KINDS:
        return kind, dict(config)
    kind = CLASSES.get(kind, kind)
    names = {**_ARGUMENTS, **_OF_CLASSES.get(kind, {})}
    changed: dict[str, Json] = {}
    for key, value in config.items():
        if key not in _WITHOUT_USE and not (key == "input_dim" and kind != "Embedding"):
            changed[names.get(key, key)] = value
    _join_sizes(changed)
    _settle(kind, changed)
    return kind, {key: _value(key, value) for key, value in changed.items()}


def _join_sizes(changed: dict[str, Json]) -> None:
    """`nb_row` and `nb_col`, or `kernel_dim1` to `3`, are one size today."""
    for names in (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3")):
        if names[0] in changed:
            changed["kernel_size"] = [changed.pop(name) for name in names]


def _settle(kind: str, changed: dict[str, Json]) -> None:
    """Options that are said otherwise today, class by class."""
    if kind == "BatchNormalization" and changed.pop("mode", 0) != 0:
        raise LayerError(
            f"{changed.get('name')!r} normalizes by sample or by batch, which no layer of Keras 3 does.",
            [Problem(str(changed.get("name")), "BatchNormalization(mode=0)", "another mode")],
            next_step="write a layer of your own and name a builder with --into (into=…)",
        )
    if "forget_bias_init" in changed:
        changed["unit_forget_bias"] = changed.pop("forget_bias_init") == "one"
    if kind == "Embedding":
        changed.pop("dropout", None)  # of whole words, in training alone
    if kind == "SeparableConv2D" and "depthwise_initializer" in changed:
        changed["pointwise_initializer"] = changed["depthwise_initializer"]
        changed["pointwise_regularizer"] = changed.pop("kernel_regularizer", None)
    if kind.startswith("ZeroPadding") and isinstance(changed.get("padding"), dict):
        changed["padding"] = _sides(changed["padding"])
    if kind == "ZeroPadding2D" and isinstance(changed.get("padding"), list) and len(changed["padding"]) == 4:
        top, bottom, left, right = changed["padding"]
        changed["padding"] = [[top, bottom], [left, right]]


def _sides(padding: Mapping[str, Json]) -> Json:
    horizontal = [padding.get("left_pad", 0), padding.get("right_pad", 0)]
    if not {"top_pad", "bottom_pad"} & set(padding):
        return horizontal
    return [[padding.get("top_pad", 0), padding.get("bottom_pad", 0)], horizontal]


def _value(key: str, value: Json) -> Json:
    if key == "data_format":
        return _DATA_FORMATS.get(value, "channels_last") if value in ("tf", "th", "default") else value
    if key.endswith("_initializer") and isinstance(value, str):
        return _INITIALIZERS.get(value, value)
    if key.endswith("_regularizer"):
        return _regularizer(value)
    if key.endswith("_constraint"):
        return _constraint(value)
    return value


def _regularizer(value: Json) -> Json:
    """`{"name": "L1L2Regularizer", "l1": …, "l2": …}`; anything else is left for the list of classes to judge."""
    if not isinstance(value, dict) or "name" not in value:
        return value
    if {"l1", "l2"} & set(value):
        return _entry("L1L2", l1=float(value.get("l1", 0.0)), l2=float(value.get("l2", 0.0)))
    return _entry(str(value["name"]))


def _constraint(value: Json) -> Json:
    if not isinstance(value, dict) or "name" not in value:
        return value
    options = {key: each for key, each in value.items() if key != "name"}
    if "m" in options:
        options["max_value"] = options.pop("m")
    return _entry(str(value["name"]), **options)


def _entry(class_name: str, **config: Any) -> Json:
    return {"class_name": class_name, "config": config}


def _merge(config: Mapping[str, Json]) -> tuple[str, dict[str, Json]]:
    mode, name = config.get("mode"), config.get("name")
    if mode not in _MERGES or config.get("mode_type", "raw") != "raw":
        raise LayerError(
            f"{name!r} merges in a way that no layer of Keras 3 does.",
            [Problem(str(name), f"Merge with a mode of {', '.join(_MERGES)}", f"mode {mode!r}")],
            next_step="name a builder of your own with --into (into=…)",
        )
    options: dict[str, Json] = {"name": name}
    if mode == "concat":
        options["axis"] = config.get("concat_axis", -1)
    if mode == "dot":
        options |= {"axes": _axes(config.get("dot_axes", -1)), "normalize": False}
    return _MERGES[mode], options


def _axes(axes: Json) -> Json:
    """One axis, or one for each side; each may stand in a list of its own."""
    if isinstance(axes, list):
        return [each[0] if isinstance(each, list) and len(each) == 1 else each for each in axes]
    return axes
