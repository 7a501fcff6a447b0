"""Frozen layers that draw random numbers pass their input on, as they did when the features were computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

_DRAWING = ("rate", "stddev", "dropout", "recurrent_dropout")  # of dropout, of noise, of recurrent cells


def drawing_layers(network: keras.Model) -> list[str]:
    """Names of the layers that draw random numbers while it is trained."""
    return [
        layer.name
        for layer in network._flatten_layers()
        if layer.trainable and any(isinstance(each := vars(layer).get(name), float) and each for name in _DRAWING)
    ]


@contextmanager
def stilled(network: keras.Model) -> Iterator[None]:
    """Switch dropout and noise of frozen layers off for a while.

    Keras looks at `training` alone there, not at `trainable`.
    """
    kept = [
        (layer, name, value)
        for layer in network._flatten_layers()
        for name in _DRAWING
        if not layer.trainable and isinstance(value := vars(layer).get(name), float) and value
    ]
    for layer, name, _ in kept:
        setattr(layer, name, 0.0)
    try:
        yield
    finally:
        for layer, name, value in kept:
            setattr(layer, name, value)
