"""Configs of a newer Keras: options that this one does not know, and that are switched off, are left out."""

from __future__ import annotations

import inspect
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


def _is_off(key: str, config: dict[str, Json]) -> bool:
    """Whether an option changes nothing: it is off itself, or the one that it belongs to is."""
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
