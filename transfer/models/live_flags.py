"""Flags that say whether a layer is trained, where Keras's configs do not carry them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import keras

from transfer.graphs.graph import Graph, Layer
from transfer.graphs.training_flags import WRAPPED, holds_layers, is_entry
from transfer.graphs.weightless import WEIGHTLESS
from transfer.models.keeping_names import takes
from transfer.specs import Json


def leave_out_flags(values: Json, custom_objects: Mapping[str, Any] | None) -> Json:
    """The config of a model without flags of the caller's classes that are not made with one.

    Args:
        values: with each such class under the name that the caller gave it.
        custom_objects: the classes, by these names.
    """
    if not custom_objects:
        return values
    if isinstance(values, list | tuple):
        return [leave_out_flags(each, custom_objects) for each in values]
    if not isinstance(values, dict):
        return values
    if is_entry(values) and "trainable" in values["config"] and not _takes_flag(values, custom_objects):
        values = {**values, "config": {key: each for key, each in values["config"].items() if key != "trainable"}}
    return {key: leave_out_flags(value, custom_objects) for key, value in values.items()}


def freeze_as(model: keras.Model, graph: Graph) -> None:
    """Set the flags of a graph that are False in the model built from it.

    A layer made with `trainable=False` does not freeze the layers that it makes itself, and classes of the caller's may
    not be made with a flag at all; setting it does.
    """
    live = {each.name: each for each in model.layers}
    for layer in graph:
        if layer.name in live:
            _freeze(live[layer.name], _entry_of(layer))


def flag_as(model: keras.Model, graph: Graph) -> None:
    """Set every flag of a live model, which may have others, as a graph of the same layers says.

    Layers of the caller's own that freeze some of those that they make themselves lose that where they are unfrozen.
    """
    live = {each.name: each for each in model.layers}
    for layer in graph:
        if layer.name in live:
            _flag(live[layer.name], _entry_of(layer))


def note_frozen(graph: Graph, model: keras.Model) -> Graph:
    """The graph of a live model, with the flags that are False of layers whose configs do not say it."""
    live = {each.name: each for each in model.layers}
    layers = (
        replace(layer, config=_noted(live[layer.name], _entry_of(layer))["config"]) if layer.name in live else layer
        for layer in graph
    )
    return replace(graph, layers=tuple(layers))


def _entry_of(layer: Layer) -> Json:
    return {"class_name": layer.class_name, "config": layer.config}


def _takes_flag(entry: Json, custom_objects: Mapping[str, Any]) -> bool:
    found = custom_objects.get(str(entry.get("registered_name")))
    return not inspect.isclass(found) or takes(found, "trainable")


def _freeze(layer: Any, entry: Json) -> None:
    if not holds_layers(entry) and entry["config"].get("trainable") is False:
        layer.trainable = True  # Keras skips layers inside that already say what they are told
        layer.trainable = False
        return
    for _, held, inner in _held(layer, entry):
        _freeze(held, inner)


def _flag(layer: Any, entry: Json) -> None:
    is_trained = holds_layers(entry) or entry["config"].get("trainable", True) is not False
    for value in (True, False, is_trained):
        layer.trainable = value  # Keras skips layers inside that already say what they are told
    for _, held, inner in _held(layer, entry) if is_trained else ():
        _flag(held, inner)


def _noted(layer: Any, entry: Json) -> Json:
    config = dict(entry["config"])
    for (key, place), held, inner in _held(layer, entry):
        if place is None:
            config[key] = _noted(held, inner)
        else:
            config[key] = [_noted(held, inner) if k == place else each for k, each in enumerate(config[key])]
    is_told = "trainable" in config or holds_layers(entry) or entry["class_name"] in WEIGHTLESS
    if not is_told and not layer.trainable:
        config["trainable"] = False
    return {**entry, "config": config}


def _held(layer: Any, entry: Json) -> Iterator[tuple[tuple[str, int | None], Any, Json]]:
    """((option, place in it), live layer, entry) of each layer that one holds; place is None for one by itself."""
    config = entry["config"]
    if holds_layers(entry):
        live = {each.name: each for each in layer.layers}
        for place, each in enumerate(config["layers"]):
            if each["config"].get("name") in live:
                yield ("layers", place), live[each["config"]["name"]], each
        return
    for key in WRAPPED:
        held: Json = config.get(key)
        attribute = "forward_layer" if key == "layer" and hasattr(layer, "forward_layer") else key
        if is_entry(held) and isinstance(found := getattr(layer, attribute, None), keras.Layer):
            yield (key, None), found, held
        elif isinstance(held, list) and isinstance(found := getattr(layer, attribute, None), list | tuple):
            for place, (one, each) in enumerate(zip(found, held, strict=False)):
                if is_entry(each) and isinstance(one, keras.Layer):
                    yield (key, place), one, each
