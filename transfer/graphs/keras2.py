"""Layers in the words of Keras 2, standalone or inside TensorFlow, in those of Keras 3."""

from __future__ import annotations

from collections.abc import Mapping

from transfer.errors import LayerError, Problem
from transfer.graphs.hard_sigmoid import old_hard_sigmoid
from transfer.graphs.keras_names import CONSTRAINTS, INITIALIZERS, LAYERS, REGULARIZERS
from transfer.graphs.writers import HARD_SIGMOID, era_defaults
from transfer.specs import Json, Writer

# Options that say nothing about what a layer computes today, or that belong to its input.
_DROPPED = frozenset(
    {"batch_input_shape", "input_shape", "input_dtype", "batch_size", "implementation", "rng_type", "type_spec"}
    | {"query_shape", "key_shape", "value_shape", "fused", "virtual_batch_size", "adjustment", "vocabulary_size"}
)
# Options that Keras 3 lacks: harmless at this value, another model at any other.
_LOST: dict[str, Json] = {
    "time_major": False,
    "renorm": False,
    "num_constants": None,
    "ragged": False,
    "causal": False,
    "softmax_robust_masking": False,
}
_GROUPED = ("Conv1D", "Conv2D", "Conv3D", "GroupNormalization")
_OF_A_KERNEL = ("kernel_initializer", "kernel_regularizer", "kernel_constraint", "filters")
_CLASSES = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU", "ThresholdedReLU": "ReLU"}
_ACTIVATIONS = {"softmax_v2": "softmax"}  # how TensorFlow 2.0 called its own
_OUTPUT_MODES = {"binary": "multi_hot", "tf-idf": "tf_idf"}
_WITH_TYPES_OF_INPUT = ("InputLayer", "StringLookup", "IntegerLookup", "CategoryEncoding", "Hashing", "Discretization")
_OBJECTS = {"initializers": INITIALIZERS, "regularizers": REGULARIZERS, "constraints": CONSTRAINTS}
_FLOATS = ("float", "bfloat", "mixed")


def from_keras2(kind: str, config: Mapping[str, Json], writer: Writer) -> tuple[str, dict[str, Json]]:
    """A layer's class and options in the words of Keras 3, with the defaults of its era where it names none.

    Raises:
        LayerError: if an option says what no layer of Keras 3 does.
    """
    changed = {key: _plain(value) for key, value in config.items()}
    if kind == "InputLayer":
        return kind, _input(changed)
    if kind not in LAYERS and kind not in _CLASSES:  # with words of its own
        own = {key: value for key, value in changed.items() if key != "batch_input_shape"}
        return kind, {key: policy(value) if key == "dtype" else value for key, value in own.items()}
    _refuse_lost(changed)
    changed = {key: value for key, value in changed.items() if key not in _DROPPED and key not in _LOST}
    changed = {**era_defaults(_CLASSES.get(kind, kind), writer), **changed}
    if "dtype" in changed and not _keeps_type(kind, changed["dtype"]):
        del changed["dtype"]
    kind = _rename(kind, changed)
    return kind, {key: _option(key, value, changed, writer) for key, value in changed.items()}


def policy(dtype: Json) -> Json:
    """The name of a type or policy: `{"class_name": "Policy", "config": {"name": "mixed_float16"}}` → its name."""
    inner = dtype.get("config") if isinstance(dtype, dict) else None
    return inner["name"] if isinstance(inner, dict) and "name" in inner else dtype


def _plain(value: Json) -> Json:
    """Numbers that Keras 2 wrote as numpy had them: `{"type": "ndarray", "value": 0.3}`."""
    if isinstance(value, dict) and set(value) == {"type", "value"}:
        return value["value"]
    return value


def _input(config: dict[str, Json]) -> dict[str, Json]:
    if config.get("ragged"):
        raise LayerError(
            f"The input {config.get('name')!r} is ragged, which no model of Keras 3 takes here.",
            next_step="name a builder of your own with --into (into=…)",
        )
    shape = config.get("batch_shape", config.get("batch_input_shape"))
    dtype = policy(config.get("dtype") or config.get("input_dtype") or "float32")
    kept = {"name": config.get("name"), "batch_shape": shape, "dtype": dtype}
    return {**kept, **{key: True for key in ("sparse", "optional") if config.get(key)}}


def _refuse_lost(config: Mapping[str, Json]) -> None:
    lost = {key: config[key] for key in _LOST if config.get(key) not in (None, False, _LOST[key])}
    if lost:
        name = str(config.get("name"))
        raise LayerError(
            f"{name!r} has options that no layer of Keras 3 has.",
            [Problem(name, f"{key}={_LOST[key]}", f"{key}={value}") for key, value in lost.items()],
            next_step="name a builder of your own with --into (into=…)",
        )


def _keeps_type(kind: str, dtype: Json) -> bool:
    """Keras 2 wrote the type of a layer's input here, and `infer` where it was open."""
    name = policy(dtype)
    return kind in _WITH_TYPES_OF_INPUT or (isinstance(name, str) and name.startswith(_FLOATS))


def _rename(kind: str, changed: dict[str, Json]) -> str:
    """Today's class; `changed` gets the options that are called otherwise."""
    if kind.startswith("CuDNN"):
        changed["recurrent_activation"] = "sigmoid"
        if kind == "CuDNNGRU":
            changed["reset_after"] = True
    if kind == "LeakyReLU" and "alpha" in changed:
        changed["negative_slope"] = changed.pop("alpha")
    if kind == "ThresholdedReLU":
        changed["threshold"] = changed.pop("theta", 1.0)
    if kind == "Embedding":
        changed.pop("input_length", None)
        changed.pop("sparse", None)  # how its gradient is kept
    if kind == "Flatten":
        changed.setdefault("data_format", "channels_last")  # before 2.2: the order in which the values lie
    if kind.startswith(("DepthwiseConv", "SeparableConv")):
        for key in _OF_A_KERNEL[: 4 if kind.startswith("Depthwise") else 3]:
            changed.pop(key, None)
    if "groups" in changed and kind not in _GROUPED and changed["groups"] in (None, 1):
        del changed["groups"]
    if kind in ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"):
        changed.pop("noise_shape", None)
    if kind == "CategoryEncoding" and "max_tokens" in changed:
        changed["num_tokens"] = changed.pop("max_tokens")
    return _CLASSES.get(kind, kind)


def _option(key: str, value: Json, config: Mapping[str, Json], writer: Writer) -> Json:
    if key == "dtype":
        return policy(value)
    if key.endswith("activation"):
        return _activation(value, config, writer)
    if key == "axis" and isinstance(value, list | tuple) and len(value) < 2:
        return value[0] if value else None
    if key == "output_mode":
        return _OUTPUT_MODES.get(value, value) if isinstance(value, str) else value
    if key.endswith(("_initializer", "_regularizer", "_constraint")):
        return _object(value)
    return value


def _activation(value: Json, config: Mapping[str, Json], writer: Writer) -> Json:
    if value == HARD_SIGMOID:
        return old_hard_sigmoid(policy(config.get("dtype")) or "float32")
    if isinstance(value, dict) and value.get("class_name") in LAYERS and isinstance(value.get("config"), dict):
        return _entry("layers", *from_keras2(value["class_name"], value["config"], writer))
    return _ACTIVATIONS.get(value, value) if isinstance(value, str) else value


def _object(value: Json) -> Json:
    """Initializers, regularizers and constraints carry a module today, and no type of their own."""
    if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
        return value
    kind = str(value.get("class_name"))
    place = next((place for place, names in _OBJECTS.items() if kind in names), None)
    if place is None:
        return value
    return _entry(place, kind, {key: _plain(each) for key, each in value["config"].items() if key != "dtype"})


def _entry(place: str, class_name: str, config: Json) -> Json:
    return {"module": f"keras.{place}", "class_name": class_name, "config": config, "registered_name": None}
