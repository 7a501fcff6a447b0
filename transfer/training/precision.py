"""The precision in which a suffix computes while it is trained; its weights are and stay of single precision.

In `mixed_bfloat16` layers compute on values with 8 bits of mantissa, but for the last one: logits, loss, gradients of
the weights and updates are of single precision. On GPUs of the kinds that have units for it that is faster, on
processors mostly slower. Float16, which would need its loss scaled, is not offered.

Source: Micikevicius et al. (2018), "Mixed precision training", section 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from transfer.recipes import Precision

_FIRST_WITH_UNITS = (8, 0)  # compute capability, of Ampere


@contextmanager
def in_precision(model: keras.Model, precision: Precision) -> Iterator[None]:
    """Let a model's layers of single precision compute in another for a while; functions traced then keep it."""
    policy = settled_precision(precision)
    changed = [] if policy == "float32" else _layers_within(model)
    for layer in changed:
        layer.dtype_policy = policy
    try:
        yield
    finally:
        for layer in changed:
            layer.dtype_policy = "float32"


def settled_precision(precision: Precision) -> Precision:
    """What `auto` is on this machine: `mixed_bfloat16` where every GPU has units for it, else `float32`."""
    if precision != "auto":
        return precision
    found = [tf.config.experimental.get_device_details(each) for each in tf.config.get_visible_devices("GPU")]
    capable = [each.get("compute_capability", (0, 0)) >= _FIRST_WITH_UNITS for each in found]
    return "mixed_bfloat16" if capable and all(capable) else "float32"


def _layers_within(model: keras.Model) -> list[keras.Layer]:
    """All of single precision but those that give the outputs; models are layers that pass on what they get."""
    last = {id(each._keras_history.operation) for each in model.outputs}
    return [
        layer
        for layer in model._flatten_layers(include_self=False)
        if id(layer) not in last and not isinstance(layer, keras.Model) and layer.dtype_policy.name == "float32"
    ]
