"""Every layer of a graph with those inside it: in models, wrappers and stacks of cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from transfer.graphs.graph import Graph
from transfer.graphs.keras_names import MODELS
from transfer.specs import Json

_INSIDE = ("layer", "forward_layer", "backward_layer", "cell", "cells")


@dataclass(frozen=True, slots=True)
class Place:
    """A layer somewhere in a graph.

    Attributes:
        path: names of the models around it and its own, then where it stands in its wrapper: `("bi", "layer")`.
        name: what to call it in a message: the names alone, joined by '/'.
        kind: its class.
        config: the options it is made with.
    """

    path: tuple[str, ...]
    name: str
    kind: str
    config: Mapping[str, Json]


def walk(graph: Graph) -> Iterator[Place]:
    """Every layer, outer ones before those inside."""
    found: list[Place] = []

    def note(place: Place) -> Mapping[str, Json]:
        found.append(place)
        return place.config

    change(graph, note)
    yield from found


def change(graph: Graph, act: Callable[[Place], Mapping[str, Json]]) -> Graph:
    """The graph with other options: `act` gives those of every layer, and sees outer ones before those inside."""
    return replace(
        graph,
        layers=tuple(
            replace(layer, config=_changed(Place((layer.name,), layer.name, layer.class_name, layer.config), act))
            for layer in graph
        ),
    )


def _changed(place: Place, act: Callable[[Place], Mapping[str, Json]]) -> Mapping[str, Json]:
    config = act(place)
    if place.kind in MODELS and "layers" in config:
        return {**config, "layers": [_entry(each, place, act, named=True) for each in config["layers"]]}
    inner = {key: config[key] for key in _INSIDE if key in config}
    return {**config, **{key: _inside(value, place, key, act) for key, value in inner.items()}} if inner else config


def _inside(value: Json, place: Place, key: str, act: Callable[[Place], Mapping[str, Json]]) -> Json:
    if isinstance(value, list):
        return [_inside(each, place, f"{key}_{k}", act) for k, each in enumerate(value)]
    return _entry(value, place, act, key=key)


def _entry(
    entry: Json, place: Place, act: Callable[[Place], Mapping[str, Json]], *, key: str = "", named: bool = False
) -> Json:
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict):
        return entry
    own = str(entry["config"].get("name", key)) if named else key
    inner = Place(
        (*place.path, own), f"{place.name}/{own}" if named else place.name, str(entry["class_name"]), entry["config"]
    )
    return {**entry, "config": _changed(inner, act)}
