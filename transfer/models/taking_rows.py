"""A model of several inputs as one that takes each example as a row of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from math import prod
from typing import Any

import keras


def inputs_of(model: keras.Model) -> Any:
    """The inputs as the model takes them: one tensor, or several in a list or by name."""
    return model.inputs[0] if len(model.inputs) == 1 else model.input


def take_rows(model: keras.Model, shapes: Mapping[str, tuple[int, ...]]) -> keras.Model:
    """The same model, its variables shared, on rows (n, d) of all its inputs, flattened, one after the other.

    Args:
        model: of several inputs.
        shapes: of one example for each by name, in the order of the rows.
    """
    ends = list(accumulate(map(prod, shapes.values())))
    row = keras.Input((ends[-1],))
    types = {each.name: each.dtype for each in model.inputs}
    parts = {}
    for (name, shape), end in zip(shapes.items(), ends, strict=True):
        part = keras.layers.Reshape(shape)(row[:, end - prod(shape) : end])
        parts[name] = keras.ops.cast(part, types[name])
    given = keras.tree.pack_sequence_as(model.input, [parts[each.name] for each in model.inputs])
    return keras.Model(row, model(given))
