"""Types of a layer's variables from the `dtype` of its config: a name, or a policy."""

from __future__ import annotations

from collections.abc import Mapping

from transfer.errors import LayerError, Problem
from transfer.specs import Json


def variable_dtype(config: Mapping[str, Json]) -> tuple[str, str]:
    """Numpy's name of the type of a layer's variables, and how they are quantized (`int8`); empty where they are not.

    Raises:
        LayerError: if the policy is of a kind not known here.
    """
    given = config.get("dtype")
    if isinstance(given, Mapping):
        given = _policy(given, str(config.get("name")))
    mode, found, source = str(given or "float32").partition("_from_")
    name = source if found else mode
    if name.startswith("mixed_"):
        name = "float32"
    return name, mode if found else ""


def _policy(entry: Mapping[str, Json], layer: str) -> str:
    kind, inner = entry.get("class_name"), entry.get("config")
    if isinstance(inner, Mapping):
        if kind == "DTypePolicyMap" and not inner.get("policy_map"):
            default = inner.get("default_policy")
            return _policy(default, layer) if isinstance(default, Mapping) else str(default)
        if kind != "DTypePolicyMap" and "mode" in inner and "source_name" in inner:
            return f"{inner['mode']}_from_{inner['source_name']}"
        if kind != "DTypePolicyMap" and isinstance(inner.get("name"), str):
            return str(inner["name"])
    raise LayerError(
        f"{layer!r} has a dtype policy that is not known here.",
        [Problem(layer, "the name of a type, or a DTypePolicy", str(entry)[:120])],
    )
