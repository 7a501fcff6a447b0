"""The `hard_sigmoid` of Keras before version 3, from layers that every Keras 3 has.

Until Keras 2 it was clip(0.2 x + 0.5, 0, 1); in Keras 3 the same name means clip(x / 6 + 0.5, 0, 1).
"""

from __future__ import annotations

from transfer.specs import Json

NAME = "hard_sigmoid_of_keras_2"


def old_hard_sigmoid(dtype: Json = "float32") -> Json:
    """The config of an activation object that computes the old function; it saves and loads like any layer.

    Args:
        dtype: the policy of the layer that it belongs to.
    """
    return _entry(
        "Pipeline",
        name=NAME,
        layers=[
            _entry("Rescaling", name="slope", trainable=True, dtype=dtype, scale=0.2, offset=0.5),
            _entry("ReLU", name="clip", trainable=True, dtype=dtype, max_value=1.0, negative_slope=0.0, threshold=0.0),
        ],
    )


def is_old_hard_sigmoid(activation: Json) -> bool:
    """Whether an option of a layer is the object that `old_hard_sigmoid` describes."""
    inner = activation.get("config") if isinstance(activation, dict) else None
    return isinstance(inner, dict) and inner.get("name") == NAME


def _entry(class_name: str, **config: Json) -> Json:
    return {"module": "keras.layers", "class_name": class_name, "config": config, "registered_name": None}
