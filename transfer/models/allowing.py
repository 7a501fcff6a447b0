"""Which classes a config may ask for. A file is data: nothing runs because a file names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras

from transfer.errors import LayerError, Problem
from transfer.graphs.graph import TENSOR
from transfer.graphs.keras_names import (
    ACTIVATIONS,
    CONSTRAINTS,
    INITIALIZERS,
    LAYERS,
    MODELS,
    OPERATIONS,
    POLICIES,
    QUANTIZERS,
    REGULARIZERS,
    STRUCTURE,
)
from transfer.specs import Json

_MODULES = {
    "keras.layers": LAYERS,
    "keras.initializers": INITIALIZERS,
    "keras.regularizers": REGULARIZERS,
    "keras.constraints": CONSTRAINTS,
    "keras.dtype_policies": POLICIES,
    "keras.quantizers": QUANTIZERS,
    "keras.src.models.functional": MODELS,
    "keras.src.models.sequential": MODELS,
    "keras.src.engine.functional": MODELS,
    "keras.src.engine.sequential": MODELS,
    "keras.models": MODELS,
    "keras": MODELS | POLICIES,
    **OPERATIONS,
}
_EVERYWHERE = LAYERS | INITIALIZERS | REGULARIZERS | CONSTRAINTS | MODELS | POLICIES  # of entries without a module
_PLACES = {
    "keras.layers": keras.layers,
    "keras.initializers": keras.initializers,
    "keras.regularizers": keras.regularizers,
    "keras.constraints": keras.constraints,
}
# Options that hold a function or object by its name, by how they are called.
_NAMED = {
    "activation": ACTIVATIONS,
    "initializer": INITIALIZERS,
    "regularizer": REGULARIZERS,
    "constraint": CONSTRAINTS,
}
_FROM_FILES = ("vocabulary", "idf_weights", "filepath")  # where these are a text, Keras reads what it points to
_EXPECTED = "a layer, activation, initializer, regularizer or constraint of Keras"


def check_config(config: Json, custom_objects: Mapping[str, Any] | None = None) -> None:
    """Hold every class and function that a config names against what may be built.

    Raises:
        LayerError: if it names code or a file, or a class that is neither Keras's own nor given by the caller.
    """
    custom = frozenset(custom_objects or {})
    refused = [
        Problem(where or "model", _EXPECTED, found)
        for where, entry in _entries(config, "")
        for found in _refusals(entry, custom)
    ]
    if refused:
        raise LayerError(
            "The architecture asks for what is not built from a file.",
            dict.fromkeys(refused),
            next_step="name a builder of your own with --into (into=…), or pass the classes (custom_objects=…)",
        )


def find_class(module: object, kind: object) -> type[Any] | None:
    """The class of Keras that a config means, where it is one that may be built; None otherwise."""
    places = [str(module)] if module else list(_PLACES)
    for place in places:
        if place in _PLACES and isinstance(kind, str) and kind in _MODULES[place]:
            found = getattr(_PLACES[place], kind, None)
            if isinstance(found, type):
                return found
    return None


def _entries(values: Json, where: str) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Every dictionary in a config, with the name of the layer in which it stands."""
    if isinstance(values, dict):
        inner = values.get("config")
        if "class_name" in values:
            name = inner.get("name") if isinstance(inner, dict) else values.get("name")
            where = name if isinstance(name, str) and _is_layer(values) else where
        yield where, values
        for value in values.values():
            yield from _entries(value, where)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _entries(value, where)


def _is_layer(entry: Mapping[str, Json]) -> bool:
    """Policies of types have names too, which say nothing to a reader."""
    return isinstance(entry["class_name"], str) and entry["class_name"] not in POLICIES


def _refusals(entry: Mapping[str, Json], custom: frozenset[str]) -> Iterator[str]:
    """What an entry names that is not built."""
    if "class_name" in entry:
        yield from _refused_class(entry, custom)
    for key, value in entry.items():
        names = _NAMED.get(key.rpartition("_")[2]) if isinstance(key, str) else None
        if names is not None and isinstance(value, str) and value not in names and value not in custom:
            yield f"{key} {value!r}"
        if key in _FROM_FILES and isinstance(value, str):
            yield f"{key} from a file: {value!r}"
    for node in entry.get("inbound_nodes") or ():
        if not _holds_tensor(node):
            yield f"{entry.get('class_name')} called on no tensor"


def _refused_class(entry: Mapping[str, Json], custom: frozenset[str]) -> Iterator[str]:
    kind, module, registered = entry["class_name"], entry.get("module"), entry.get("registered_name")
    if not all(isinstance(each, str | None) for each in (kind, module, registered)) or kind is None:
        yield f"{module}.{kind}"
    elif kind in custom or registered in custom or (kind in STRUCTURE and module is None):
        return
    elif kind not in (_EVERYWHERE if module is None else _MODULES.get(module, ())):
        inner = entry.get("config")
        function = inner.get("function") if isinstance(inner, dict) else None
        of_what = f" of {function!r}" if isinstance(function, str) else ""
        yield (f"{module}.{kind}" if module and module != "keras.layers" else kind) + of_what
    elif registered not in (None, kind):
        yield f"{kind} registered as {registered!r}"


def _holds_tensor(values: Json) -> bool:
    if isinstance(values, dict):
        return values.get("class_name") == TENSOR or any(map(_holds_tensor, values.values()))
    return isinstance(values, list | tuple) and any(map(_holds_tensor, values))
