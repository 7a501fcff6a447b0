"""From a `Network` to a Keras model, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.errors import LayerError, Problem
from transfer.graphs.graph import Graph
from transfer.graphs.keras_names import MODELS
from transfer.graphs.parsing import parse_config
from transfer.graphs.unparsing import unparse_graph
from transfer.models.adapting import leave_out_unknown, name_custom
from transfer.models.allowing import check_config
from transfer.models.counting import made_later
from transfer.models.variables import assign_variables, name_variables
from transfer.specs import Json
from transfer.surgery.network import Network
from transfer.weights.cards import Card

_OF_KERAS = (ValueError, TypeError, KeyError, AttributeError, NotImplementedError, RuntimeError, IndexError)
_CARD = "transfer_card"  # attribute of a Keras model under which its card travels along


def build_model(network: Network, custom_objects: Mapping[str, Any] | None = None) -> keras.Model:
    """A fresh Keras model with the network's tensors; it shares no variable with any other.

    Args:
        network: graph, tensors, card.
        custom_objects: classes of the caller's that the graph may ask for, by name.

    Raises:
        LayerError: if the graph asks for code or unknown classes or cannot be built, or a tensor does not fit.
    """
    model = build_graph(network.graph, custom_objects)
    variables = name_variables(model)
    lost = [name for name in variables if name not in network.tensors and name.split("/", 1)[0] not in network.new]
    problems = [Problem(name, "a tensor", "none") for name in lost]
    values = {name: network.tensors[name] for name in variables if name in network.tensors}
    problems += [
        Problem(name, f"{tuple(variables[name].shape)} in the graph", f"{array.shape} in its tensors")
        for name, array in values.items()
        if tuple(variables[name].shape) != array.shape
    ]
    if problems:
        raise LayerError(f"The tensors of {network.graph.name!r} do not fit its graph.", problems)
    assign_variables(model, values)
    attach_card(model, network.card)
    return model


def build_graph(
    graph: Graph, custom_objects: Mapping[str, Any] | None = None, *, largest_bytes: int | None = None
) -> keras.Model:
    """A fresh Keras model with initial values.

    Args:
        graph: the architecture.
        custom_objects: classes of the caller's that it may ask for, by name.
        largest_bytes: what all variables together may take; None for no limit. They are counted before one of them is
            made, so that a small file cannot fill the memory.

    Raises:
        LayerError: if the graph asks for code or unknown classes, is too large, or Keras cannot build it.
    """
    config = unparse_graph(graph)
    check_config(config, custom_objects)
    config = name_custom(leave_out_unknown(config), custom_objects)
    try:
        with made_later(largest_bytes, graph.name):
            model = keras.Model.from_config(config["config"], custom_objects=dict(custom_objects or {}))
    except _OF_KERAS as error:
        raise LayerError(
            f"Keras cannot build {graph.name!r}.",
            [Problem(graph.name, "a graph whose layers fit each other", str(error)[-200:])],
        ) from error
    _freeze_whole(model, [(layer.name, layer.class_name, layer.config) for layer in graph])
    return model


def _freeze_whole(model: keras.Model, layers: Iterable[tuple[str, str, Mapping[str, Json]]]) -> None:
    """A layer made with `trainable=False` does not freeze the layers that it makes itself; setting the flag does."""
    for name, kind, config in layers:
        if kind in MODELS and "layers" in config:
            inner = ((each["config"]["name"], each["class_name"], each["config"]) for each in config["layers"])
            _freeze_whole(model.get_layer(name), inner)
        elif config.get("trainable") is False:
            layer = model.get_layer(name)
            layer.trainable = True  # Keras skips layers inside that already say what they are told
            layer.trainable = False


def read_model(model: keras.Model) -> Network:
    """A live model as a network: its graph, and its variables read when asked for.

    Raises:
        LayerError: if the model has no graph (a subclass with code of its own).
    """
    if not isinstance(model, keras.Model):
        raise LayerError(
            f"Expected a Keras model, found {type(model).__name__}.",
            next_step="pass a keras.Model, or what transfer.restore gave",
        )
    try:
        config = keras.saving.serialize_keras_object(model)
    except NotImplementedError as error:
        raise LayerError(
            f"{model.name!r} has no config: it is a class of your own.", next_step="build it as a functional model"
        ) from error
    return Network(parse_config(config), _Live(name_variables(model)), card_of(model))


def classes_of(model: keras.Model) -> dict[str, type]:
    """The classes in a live model that are not Keras's own: whoever holds the model has them already."""
    layers = model._flatten_layers(include_self=False)
    return {type(each).__name__: type(each) for each in layers if type(each).__module__.split(".")[0] != "keras"}


def card_of(model: keras.Model) -> Card | None:
    """The card that a model carries along; None where it has none."""
    card = getattr(model, _CARD, None)
    return card if isinstance(card, Card) else None


def attach_card(model: keras.Model, card: Card | None) -> None:
    """Let a card travel along with a model, in place of the one it had; None takes it away."""
    setattr(model, _CARD, card)


class _Live(Mapping[str, NDArray[Any]]):
    """The variables of a live model as arrays, copied when asked for."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> NDArray[Any]:
        return np.array(keras.ops.convert_to_numpy(self._variables[name]))

    def __contains__(self, name: object) -> bool:  # Mapping's own would copy the values
        return name in self._variables

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)
