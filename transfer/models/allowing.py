"""Which classes a config may ask for. A file is data: nothing runs because a file names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras

from transfer.errors import LayerError, Problem
from transfer.specs import Json

# Layers that carry code, or read what a file points to.
REFUSED = frozenset({"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
_CLASSES = {
    "keras.layers": keras.layers,
    "keras.initializers": keras.initializers,
    "keras.regularizers": keras.regularizers,
    "keras.constraints": keras.constraints,
}
_KINDS = (
    keras.layers.Layer,
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
)
_MODELS = ("Functional", "Sequential", "Model")
_STRUCTURE = ("__keras_tensor__", "__ellipsis__", "__tuple__", "__slice__")  # how Keras writes what JSON lacks
_OPERATIONS = ("keras.src.ops.numpy", "keras.src.ops.nn", "keras.src.ops.core", "keras.src.ops.math")


def check_config(config: Json, custom_objects: Mapping[str, Any] | None = None) -> None:
    """Hold every class that a config names against what may be built.

    Raises:
        LayerError: if it names code, or a class that is neither Keras's own nor given by the caller.
    """
    custom = set(custom_objects or {})
    refused = [
        Problem(where or "model", "a layer, initializer, regularizer or constraint of Keras", found)
        for where, entry in _entries(config, "")
        if (found := _refusal(entry, custom))
    ]
    if refused:
        raise LayerError(
            "The architecture asks for classes that are not built from a file.",
            refused,
            next_step="name a builder of your own with --into (into=…), or pass the classes (custom_objects=…)",
        )


def _entries(values: Json, where: str) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Every serialised object in a config, with the name of the layer in which it stands."""
    if isinstance(values, dict):
        inner = values.get("config")
        if "class_name" in values:
            name = inner.get("name") if isinstance(inner, dict) else None
            where = name if isinstance(name, str) else where
            yield where, values
        for value in values.values():
            yield from _entries(value, where)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _entries(value, where)


def _refusal(entry: Mapping[str, Json], custom: set[str]) -> str:
    """Why an entry is not built; empty where it may be."""
    kind, module = entry["class_name"], entry.get("module")
    if not isinstance(kind, str) or kind in REFUSED:
        return str(kind)
    if kind in custom or entry.get("registered_name") in custom:
        return ""
    if kind in _STRUCTURE or (kind in _MODELS and str(module or "keras").split(".")[0] == "keras"):
        return ""
    if module == "keras" and kind in ("DTypePolicy", "QuantizedDTypePolicy", "FloatDTypePolicy"):
        return ""
    if find_class(module, kind) is not None:
        return ""
    if module in _OPERATIONS and kind.isidentifier() and kind[:1].isupper():
        return ""
    return f"{module}.{kind}" if module else kind


def find_class(module: object, kind: object) -> type[Any] | None:
    """The class of Keras that a config means, where it is one that may be built; None otherwise."""
    if not isinstance(kind, str) or not kind.isidentifier() or kind.startswith("_"):
        return None
    places = [_CLASSES[str(module)]] if module in _CLASSES else [] if module else list(_CLASSES.values())
    for place in places:
        found = getattr(place, kind, None)
        if isinstance(found, type) and issubclass(found, _KINDS):
            return found
    return None
