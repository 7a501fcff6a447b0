"""Names for a live model's variables, the same that a file's tensors get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.specs import TensorSpec, distinct_names, snake_case


def name_variables(model: keras.Model) -> dict[str, Any]:
    """Every weight of a model by `layer/role`, nested layers joined by '/', in the order of the model's layers.

    States of random generators are no weights and are left out. A layer that is used twice is named once.
    """
    return {name: variable for name, variable, _ in _named(model)}


def kernels_by_layer(model: keras.Model) -> dict[str, list[Any]]:
    """Kernels and whatever else has at least two axes, by the path of the model's layer that holds them, in its order.

    Biases and scales start at 0 and 1: a gradient or an update beside their norm says nothing. What a layer has inside,
    as the projections of attention, counts as its own.
    """
    found: dict[str, list[Any]] = {}
    for _, variable, owner in _named(model):
        if len(variable.shape) >= 2 and keras.backend.standardize_dtype(variable.dtype).startswith(("float", "bfloat")):
            found.setdefault(owner.name or model.name, []).append(variable)
    return found


def describe_variables(model: keras.Model) -> dict[str, TensorSpec]:
    """A `TensorSpec` for each weight of a model: what it wants from a file."""
    specs: dict[str, TensorSpec] = {}
    for name, variable, owner in _named(model):
        layer, _, role = name.rpartition("/")
        shape = tuple(int(size) for size in variable.shape)
        dtype = keras.backend.standardize_dtype(variable.dtype)
        specs[name] = TensorSpec(name, shape, dtype, layer, role, owner.layer_class, owner.position, owner.name)
    return specs


def copy_variables(model: keras.Model) -> dict[str, NDArray[Any]]:
    """The values of all weights by name, apart from them."""
    return {name: np.array(keras.ops.convert_to_numpy(each)) for name, each in name_variables(model).items()}


def assign_variables(model: keras.Model, values: Mapping[str, Any]) -> None:
    """Give weights new values by their names."""
    variables = name_variables(model)
    for name, value in values.items():
        variables[name].assign(value)
    finalize_layers(model)


def finalize_layers(model: keras.Model) -> None:
    """Let layers that derive something from their weights do so again."""
    for layer in model._flatten_layers():  # layers inside layers have no public walk
        if hasattr(layer, "finalize_state"):  # Normalization keeps its mean and variance a second time
            layer.finalize_state()


@dataclass(frozen=True, slots=True)
class _Owner:
    """The layer among those of its model that a variable belongs to.

    Attributes:
        name: with the models that hold it before it; empty for a variable of the outermost model itself.
        layer_class: in snake case.
        position: its place in its model.
    """

    name: str = ""
    layer_class: str = ""
    position: int | None = None


def _named(model: keras.Model) -> Iterator[tuple[str, Any, _Owner]]:
    seen: set[int] = set()
    yield from _of_layers(model, "", seen)
    loose = [variable for variable in model.weights if id(variable) not in seen]
    for variable, name in zip(loose, distinct_names([variable.name for variable in loose]), strict=True):
        yield name, variable, _Owner()


def _of_layers(model: keras.Model, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any, _Owner]]:
    for position, layer in enumerate(model.layers):
        if isinstance(layer, keras.Model) and layer.layers:
            yield from _of_layers(layer, f"{prefix}{layer.name}/", seen)
            continue
        owner = _Owner(f"{prefix}{layer.name}", snake_case(type(layer).__name__), position)
        own = [(path, variable) for path, variable in _inside(layer) if id(variable) not in seen]
        seen |= {id(variable) for _, variable in own}
        for name, (_, variable) in zip(distinct_names([f"{owner.name}/{path}" for path, _ in own]), own, strict=True):
            yield name, variable, owner


def _inside(layer: Any) -> Iterator[tuple[str, Any]]:
    """Each weight of a layer with its path inside it, `lstm_cell/kernel`: Keras's own paths lose it on rebuilding."""
    below = {id(variable): f"{inner.name}/{path}" for inner in layer._layers for path, variable in _inside(inner)}
    for variable in layer.weights:
        yield below.get(id(variable), variable.name), variable
