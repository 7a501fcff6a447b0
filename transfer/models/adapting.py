"""Configs of a newer Keras: options that this one does not know, and that are switched off, are left out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

from transfer.models.allowing import find_class
from transfer.specs import Json


def leave_out_unknown(values: Json) -> Json:
    """The config without options that its classes do not take here and that are off: None or False.

    Each release of Keras adds options, and writes them into every config (`input_axes` of initializers, `renorm` of
    batch norm in 3.15). An option that says something stays, and Keras refuses it by name.
    """
    if isinstance(values, list | tuple):
        return [leave_out_unknown(each) for each in values]
    if not isinstance(values, dict):
        return values
    inner = values.get("config")
    found: Any = find_class(values.get("module"), values["class_name"]) if "class_name" in values else None
    if found is not None and isinstance(inner, dict):
        known = _options(found)
        inner = {key: value for key, value in inner.items() if key in known or not _is_off(key, inner)}
        values = {**values, "config": inner}
    return {key: leave_out_unknown(value) for key, value in values.items()}


def name_custom(values: Json, custom_objects: Mapping[str, Any] | None) -> Json:
    """The config with each class of the caller's under the name that the caller gave it.

    Files name such a class alone, `Block`, or with the package that it was registered in, `corpus>Block`.
    """
    if not custom_objects:
        return values
    if isinstance(values, list | tuple):
        return [name_custom(each, custom_objects) for each in values]
    if not isinstance(values, dict):
        return values
    given = [each for each in (values.get("registered_name"), values.get("class_name")) if each in custom_objects]
    named = {**values, "module": None, "registered_name": given[0]} if given and "config" in values else values
    return {key: name_custom(value, custom_objects) for key, value in named.items()}


def _is_off(key: str, config: dict[str, Json]) -> bool:
    """Whether an option changes nothing: it is off itself, or the one that it belongs to is."""
    if key == "value_range":  # Keras 3.0 wrote it for geometric layers, which have no use for it
        return True
    master = next((each for each in config if key.startswith(f"{each}_")), key)  # renorm_momentum belongs to renorm
    return config[key] in (None, False) or config[master] in (None, False)


@cache
def _options(found: Any) -> frozenset[str]:
    """Names of what a class and those it comes from are made with."""
    return frozenset(
        name
        for each in found.__mro__
        for name in inspect.signature(vars(each).get("__init__", object.__init__)).parameters
    )
