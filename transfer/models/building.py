"""From a `Network` to a Keras model, and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from transfer.errors import LayerError, Problem
from transfer.graphs.graph import Graph
from transfer.graphs.parsing import parse_config
from transfer.graphs.unparsing import unparse_graph
from transfer.models.adapting import leave_out_unknown, name_custom
from transfer.models.allowing import check_config
from transfer.models.keeping_names import note_names, rename_inner, with_names
from transfer.models.live_flags import freeze_as, leave_out_flags, note_frozen
from transfer.models.making_late import made_later, start_at_zero, start_with
from transfer.models.variables import assign_variables, name_variables
from transfer.surgery.network import Network, Tensors
from transfer.weights.cards import Card
from transfer.weights.lazy_tensors import LazyTensors

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
    model, started = _build(network.graph, custom_objects, network.tensors)
    unsettled = rename_inner(model, network.tensors, network.new)
    variables = name_variables(model)
    lost = [name for name in variables if name not in network.tensors and name.split("/", 1)[0] not in network.new]
    problems = [Problem(name, "a tensor", "none") for name in lost]
    ahead = [name for name, each in variables.items() if started.get(id(each)) != name]
    values = {name: network.tensors[name] for name in ahead if name in network.tensors}
    problems += [
        Problem(name, f"{tuple(variables[name].shape)} in the graph", f"{array.shape} in its tensors")
        for name, array in values.items()
        if tuple(variables[name].shape) != array.shape
    ]
    if problems:
        raise LayerError(
            f"The tensors of {network.graph.name!r} do not fit its graph.",
            problems,
            next_step=f"give a name to each layer that {unsettled[0]!r} makes inside" if unsettled else "",
        )
    assign_variables(model, values)
    attach_card(model, network.card)
    return model


def build_graph(
    graph: Graph,
    custom_objects: Mapping[str, Any] | None = None,
    *,
    largest_bytes: int | None = None,
    filled_later: bool = False,
) -> keras.Model:
    """A fresh Keras model with initial values.

    Args:
        graph: the architecture.
        custom_objects: classes of the caller's that it may ask for, by name.
        largest_bytes: what all variables together may take; None for no limit. They are counted before one of them is
            made, so that a small file cannot fill the memory.
        filled_later: whether every weight gets a value afterwards: until then it is 0, because drawing takes long.

    Raises:
        LayerError: if the graph asks for code or unknown classes, is too large, or Keras cannot build it.
    """
    return _build(graph, custom_objects, {}, largest_bytes=largest_bytes, filled_later=filled_later)[0]


def _build(
    graph: Graph,
    custom_objects: Mapping[str, Any] | None,
    tensors: Tensors,
    *,
    largest_bytes: int | None = None,
    filled_later: bool = False,
) -> tuple[keras.Model, dict[int, str]]:
    """A fresh model whose variables start with the tensors of their names; and these names, by the variables' ids.

    Those that do not fit, and all others, have their initial values.
    """
    config = unparse_graph(graph)
    check_config(config, custom_objects)
    config = leave_out_flags(name_custom(leave_out_unknown(config), custom_objects), custom_objects)
    try:
        with made_later(largest_bytes, graph.name) as unfrozen:
            model = keras.Model.from_config(config["config"], custom_objects=with_names(custom_objects))
            layers = model._flatten_layers(include_self=False)
            unfrozen += [each for layer in layers for each in layer._trainable_variables]
            started = start_with(name_variables(model), tensors) if tensors else {}
            if filled_later:
                start_at_zero(name_variables(model).values())
    except _OF_KERAS as error:
        raise LayerError(
            f"Keras cannot build {graph.name!r}.",
            [Problem(graph.name, "a graph whose layers fit each other", str(error)[-200:])],
        ) from error
    freeze_as(model, graph)
    _still_spectral(model)
    return model, started


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
    graph = parse_config(note_names(config, model))
    return Network(note_frozen(graph, model), _Live(name_variables(model)), card_of(model))


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


class _Live(LazyTensors):
    """The variables of a live model as arrays, copied when asked for."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> NDArray[Any]:
        return np.array(keras.ops.convert_to_numpy(self._variables[name]))

    def _listed(self) -> Collection[str]:
        return self._variables

    def dtype_of(self, name: str) -> str:
        """Type of a variable; nothing is copied for it."""
        return str(keras.backend.standardize_dtype(self._variables[name].dtype))


def _still_spectral(model: keras.Model) -> None:
    """Let spectral normalization that is frozen leave its kernel as it is, as frozen batch normalization does.

    Keras normalizes the kernel anew whenever the layer is called for training, whatever its flag says.
    """
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.SpectralNormalization):
            layer.call = _call_where_trained(layer)


def _call_where_trained(layer: keras.Layer) -> Any:
    call = layer.call

    def stilled(inputs: Any, training: bool = False) -> Any:
        return call(inputs, training=bool(training) and layer.trainable)

    return stilled
