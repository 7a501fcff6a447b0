"""Names of layers as Keras 3 allows them: older ones also held the "/" that parts a model from its layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from transfer.graphs.graph import TENSOR
from transfer.specs import Json

_HOLDING = ("layer", "forward_layer", "backward_layer", "cell", "cells")
_ENDS = ("input_layers", "output_layers")


def with_plain_names(config: Json) -> Json:
    """A model's config whose layers have no '/' in their names, nor has the model; it computes the same.

    A '/' becomes `_`, as in the names of tensors that are read from files: DenseNet's `conv1/conv` is `conv1_conv`. A
    number comes behind where another layer of the model has that name.

    Args:
        config: in the form of Keras 3; left as it is.
    """
    return {**config, "config": _changed(config["config"])}


def unused_name(name: str, taken: Set[str]) -> str:
    """The name itself, or with the first `_1`, `_2`, … that is not taken."""
    free, count = name, 0
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    return free


def _changed(options: Mapping[str, Json], name: str | None = None) -> Json:
    """The options of a model or layer, called `name` now, with those of the layers inside."""
    changed = dict(options)
    if isinstance(options.get("name"), str):
        changed["name"] = _plain(options["name"]) if name is None else name
    for key in _HOLDING:
        if key in options:
            changed[key] = _held(options[key])
    if isinstance(options.get("layers"), list):
        names = _distinct(map(_name, options["layers"]))
        changed["layers"] = [_entry(each, names) for each in options["layers"]]
        changed |= {key: _ends(options[key], names) for key in _ENDS if key in options}
    return changed


def _held(value: Json) -> Json:
    """What a wrapper holds: a layer, or a list of them. Nothing refers to it by name."""
    if isinstance(value, list):
        return [_held(each) for each in value]
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        return {**value, "config": _changed(value["config"])}
    return value


def _entry(entry: Mapping[str, Json], names: Mapping[str, str]) -> Json:
    name = names[_name(entry)]
    changed = {**entry, "config": _changed(entry["config"], name)}
    if "name" in entry:
        changed["name"] = name
    if "inbound_nodes" in entry:
        changed["inbound_nodes"] = _tensors(entry["inbound_nodes"], names)
    return changed


def _name(entry: Mapping[str, Json]) -> str:
    return str(entry["name"] if "name" in entry else entry["config"]["name"])


def _distinct(names: Iterable[str]) -> dict[str, str]:
    """Old name → new one. Those without a '/' stay."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(names, key=lambda name: "/" in name):
        if name in found:
            continue
        found[name] = unused_name(_plain(name), taken)
        taken.add(found[name])
    return found


def _plain(name: str) -> str:
    return name.replace("/", "_")


def _tensors(values: Json, names: Mapping[str, str]) -> Json:
    if isinstance(values, dict):
        if values.get("class_name") == TENSOR:
            history = _ends(values["config"]["keras_history"], names)
            return {**values, "config": {**values["config"], "keras_history": history}}
        return {key: _tensors(value, names) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_tensors(value, names) for value in values]
    return values


def _ends(value: Json, names: Mapping[str, str]) -> Json:
    """`["x", 0, 0]`, a list of such, or a dictionary of such."""
    if isinstance(value, dict):
        return {key: _ends(each, names) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_ends(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value
