"""Entries of Keras 3 made complete: full `.h5` files name no modules, and archives say how a layer was built."""

from __future__ import annotations

from collections.abc import Mapping

from transfer.graphs.keras_names import LAYERS, MODELS, OPERATIONS
from transfer.specs import Json

MODULE_OF = {
    "Functional": "keras.src.models.functional",
    "Model": "keras.src.models.functional",
    "Sequential": "keras.src.models.sequential",
}
_HISTORY = ("build_config", "compile_config", "shared_object_id")  # how it was built and compiled; one of several uses


# Layers that move pixels: Keras 3.0 wrote a range of values into their configs, which no other Keras takes.
_GEOMETRIC = frozenset(
    f"Random{what}" for what in ("Crop", "Flip", "Rotation", "Shear", "Translation", "Zoom", "Height", "Width")
)


def complete_entry(entry: Mapping[str, Json]) -> dict[str, Json]:
    """A layer's entry with its module and the name it is registered under, and so those of the layers inside it."""
    kind = entry["class_name"]
    changed = {key: value for key, value in entry.items() if key not in _HISTORY}
    changed |= {"module": entry.get("module") or _module(kind, entry["config"])}
    changed |= {"registered_name": entry.get("registered_name"), "config": _without_history(entry["config"])}
    if isinstance(kind, str) and ">" in kind:
        changed |= {"class_name": kind.rpartition(">")[2], "registered_name": kind}
    inner = changed["config"]
    if kind in _GEOMETRIC and isinstance(inner, dict):
        changed["config"] = {key: value for key, value in inner.items() if key != "value_range"}
    if kind in MODELS and isinstance(inner, dict) and isinstance(inner.get("layers"), list):
        changed["config"] = {**inner, "layers": [complete_entry(each) for each in inner["layers"]]}
    return changed


def _module(kind: Json, config: Json) -> str | None:
    """Where Keras has a class; None for one that it has not."""
    if kind in MODULE_OF:
        return MODULE_OF[kind]
    operation = next((module for module, names in OPERATIONS.items() if kind in names), None)
    is_layer = isinstance(config, dict) and "trainable" in config  # an operation, Add say, has its name alone
    if operation is not None and not (is_layer and kind in LAYERS):
        return operation
    return "keras.layers" if kind in LAYERS else None


def _without_history(values: Json) -> Json:
    if isinstance(values, dict):
        return {key: _without_history(value) for key, value in values.items() if key not in _HISTORY}
    if isinstance(values, list | tuple):
        return type(values)(map(_without_history, values))
    return values
