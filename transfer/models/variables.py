"""Names for a live model's variables, the same that a file's tensors get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras

from transfer.specs import TensorSpec, snake_case


def name_variables(model: keras.Model) -> dict[str, Any]:
    """Every weight of a model by `layer/role`, nested layers joined by '/', in the order of the model's layers.

    States of random generators are no weights and are left out. A layer that is used twice is named once.
    """
    return {name: variable for name, variable, _ in _named(model)}


def describe_variables(model: keras.Model) -> dict[str, TensorSpec]:
    """A `TensorSpec` for each weight of a model: what it wants from a file."""
    specs: dict[str, TensorSpec] = {}
    for position, (name, variable, layer_class) in enumerate(_named(model)):
        layer, _, role = name.rpartition("/")
        shape = tuple(int(size) for size in variable.shape)
        dtype = keras.backend.standardize_dtype(variable.dtype)
        whole = bool(layer_class)
        specs[name] = TensorSpec(name, shape, dtype, layer, role, layer_class, position if whole else None)
    return specs


def assign_variables(model: keras.Model, values: Mapping[str, Any]) -> None:
    """Give weights new values by their names; layers that derive something from theirs do so again."""
    variables = name_variables(model)
    for name, value in values.items():
        variables[name].assign(value)
    for layer in model._flatten_layers():  # layers inside layers have no public walk
        if hasattr(layer, "finalize_state"):  # Normalization keeps its mean and variance a second time
            layer.finalize_state()


def _named(model: keras.Model, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    seen: set[int] = set()
    for layer in model.layers:
        if isinstance(layer, keras.Model) and layer.layers:
            yield from _named(layer, f"{prefix}{layer.name}/")
            continue
        own, taken = snake_case(type(layer).__name__), dict[str, int]()
        for inside, variable in _inside(layer):
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            name = f"{prefix}{layer.name}/{inside}"
            count = taken.get(name, 0)
            taken[name] = count + 1
            # a layer that this layer made itself has a place of its own, not one among the model's layers
            yield (f"{name}_{count}" if count else name), variable, "" if "/" in inside else own


def _inside(layer: Any) -> Iterator[tuple[str, Any]]:
    """Each weight of a layer with its path inside it, `lstm_cell/kernel`: Keras's own paths lose it on rebuilding."""
    below = {id(variable): f"{inner.name}/{path}" for inner in layer._layers for path, variable in _inside(inner)}
    for variable in layer.weights:
        yield below.get(id(variable), variable.name), variable
