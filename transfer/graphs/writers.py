"""What each Keras took for an option that nobody gave, and how to tell from a config which Keras wrote it."""

from __future__ import annotations

from collections.abc import Mapping

from transfer.specs import Json, Writer

HARD_SIGMOID = "hard_sigmoid"
RECURRENT = frozenset({"LSTM", "GRU", "LSTMCell", "GRUCell"})
CONVOLUTIONAL_RECURRENT = frozenset({"ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"})
_FIRST_EPSILON_OF_TODAY = (1, 2)  # batch norm: 1e-6 up to Keras 1.0.7, 1e-5 up to 1.1, 1e-3 since


def is_old(writer: Writer) -> bool:
    """Whether Keras 3 did not exist yet, or it was one of its successors in name: tf_keras is Keras 2."""
    return bool(writer.version) and writer.version < (3,)


def is_open_ended(writer: Writer) -> bool:
    """Whether only the oldest Keras is known that can have written it, `2.12+`, and Keras 3 can as well."""
    return writer.keras.endswith("+") and is_old(writer)


def is_disputed(writer: Writer) -> bool:
    """Whether the version is one that TensorFlow 1.13 to 1.15 and 2.0 and 2.1 both wrote."""
    return writer.is_tensorflow and writer.version[:3] == (2, 2, 4)


def is_first_recurrent(writer: Writer) -> bool:
    """Whether the recurrent layers were those of Keras before 2.3 or TensorFlow 1; the disputed version counts."""
    return is_old(writer) and writer.version < (2, 3)


def era_defaults(kind: str, writer: Writer) -> dict[str, Json]:
    """Options of a class whose default differs today: name → what that writer took. Empty for Keras 3.

    Args:
        kind: the class in today's words.
        writer: an unknown one has Keras 3's defaults.
    """
    if not is_old(writer):
        return {}
    if kind in CONVOLUTIONAL_RECURRENT:
        return {"recurrent_activation": HARD_SIGMOID}
    if kind in RECURRENT:
        defaults: dict[str, Json] = {"recurrent_activation": HARD_SIGMOID} if is_first_recurrent(writer) else {}
        return {**defaults, "reset_after": False} if kind.startswith("GRU") and _resets_before(writer) else defaults
    if kind == "BatchNormalization" and writer.version < _FIRST_EPSILON_OF_TODAY:
        return {"epsilon": batch_norm_epsilon(writer)}
    return {}


def batch_norm_epsilon(writer: Writer) -> float:
    """What batch norm added to the variance; where only `1` is known, that of the last Keras 1."""
    version = writer.version
    if version == (1,) or version >= _FIRST_EPSILON_OF_TODAY:
        return 1e-3
    return 1e-5 if version >= (1, 0, 8) else 1e-6


def is_modern(config: Json, writer: Writer) -> bool:
    """Whether a model's config is in the form of Keras 3; where neither writer nor form tell, it is not."""
    if writer.version and not is_open_ended(writer):
        return not is_old(writer)
    return _has_marks_of_3(config)


def _resets_before(writer: Writer) -> bool:
    """Whether a GRU applied its reset gate before the recurrent kernel: standalone Keras always, TensorFlow 1 too."""
    if is_first_recurrent(writer):
        return True
    return not writer.is_tensorflow and writer.version < (2, 4)  # from 2.4 on, Keras is that of TensorFlow 2


def _has_marks_of_3(values: Json) -> bool:
    """Calls written as `{"args", "kwargs"}`, inputs with a `batch_shape`, policies of their class of today."""
    if isinstance(values, list | tuple):
        return any(map(_has_marks_of_3, values))
    if not isinstance(values, Mapping):
        return False
    if "batch_shape" in values or values.get("class_name") in ("DTypePolicy", "__keras_tensor__"):
        return True
    nodes = values.get("inbound_nodes")
    if isinstance(nodes, list) and nodes:
        return isinstance(nodes[0], dict) and "args" in nodes[0]
    return any(map(_has_marks_of_3, values.values()))
