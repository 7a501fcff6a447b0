"""What is trained and what is not, as part of the graph."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from transfer.errors import LayerError, nearest
from transfer.graphs.graph import Graph, Layer
from transfer.specs import Json

STATISTICS = ("BatchNormalization",)  # layers that change under training although no gradient reaches them


def freeze(graph: Graph, patterns: str | Iterable[str]) -> Graph:
    """Fix layers by name; `*` stands for any text, `re:` in front makes it a regular expression for the whole name.

    Raises:
        LayerError: if a pattern fits no layer.
    """
    chosen: set[str] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        fits = _fitting(pattern)
        names = {name for name in graph.names if fits(name)}
        if not names:
            raise LayerError(
                f"{graph.name!r} has no layer that fits {pattern!r}.",
                next_step=f"nearest: {nearest(pattern, graph.names)}",
            )
        chosen |= names
    return replace(
        graph, layers=tuple(_set(layer, trainable=False) if layer.name in chosen else layer for layer in graph)
    )


def freeze_all(graph: Graph) -> Graph:
    """Fix every layer."""
    return replace(graph, layers=tuple(_set(layer, trainable=False) for layer in graph))


def unfreeze_from(graph: Graph, name: str) -> Graph:
    """Train a layer and all after it in the graph's order; layers that keep running statistics stay frozen.

    Raises:
        LayerError: if there is no such layer.
    """
    graph.layer(name)
    place = graph.names.index(name)
    return replace(graph, layers=tuple(_set(layer, trainable=k >= place) for k, layer in enumerate(graph)))


def frozen_layers(graph: Graph) -> tuple[str, ...]:
    """Names of the layers that are fixed."""
    return tuple(layer.name for layer in graph if layer.config.get("trainable") is False)


def _set(layer: Layer, *, trainable: bool) -> Layer:
    return replace(layer, config=_set_config(layer.class_name, layer.config, trainable=trainable))


def _set_config(class_name: str, config: Mapping[str, Json], *, trainable: bool) -> dict[str, Json]:
    """The config of a layer with its flag, and those of the layers inside it, set."""
    changed = {key: _set_inside(value, trainable=trainable) for key, value in config.items()}
    if "trainable" in config:  # inputs and operations hold no variable and have no flag
        changed["trainable"] = trainable and class_name not in STATISTICS
    return changed


def _set_inside(value: Json, *, trainable: bool) -> Json:
    """Layers stand in configs as `{"class_name": …, "config": {…}}`: in nested models, wrappers, lists of cells."""
    if isinstance(value, list):
        return [_set_inside(each, trainable=trainable) for each in value]
    if isinstance(value, dict) and isinstance(value.get("config"), dict) and "class_name" in value:
        return {**value, "config": _set_config(value["class_name"], value["config"], trainable=trainable)}
    return value


def _fitting(pattern: str) -> Callable[[str], bool]:
    if not pattern.startswith("re:"):
        return lambda name: fnmatchcase(name, pattern)
    try:
        expression = re.compile(pattern.removeprefix("re:"))
    except re.error as error:
        raise LayerError(f"{pattern!r} is no regular expression: {error}.") from error
    return lambda name: expression.fullmatch(name) is not None
