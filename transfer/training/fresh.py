"""A network whose weights start anew, for training from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras

from transfer.errors import KerasNeededError, LayerError, Problem
from transfer.graphs.walking import walk
from transfer.models.building import build_graph, read_model
from transfer.surgery.initializing import draw_lazily
from transfer.surgery.network import Chosen, Network, Tensors

_MEASURED = "Normalization"  # mean and variance of the data that it was adapted to are preprocessing, no weights


def start_anew(network: Network, seed: int, custom_objects: Mapping[str, Any] | None = None) -> Network:
    """The network with initial values in place of its weights, drawn as Keras does.

    Statistics of batch normalizations start at 0 and 1. What `Normalization` layers measured is kept: it is
    preprocessing, and a network from scratch gets the same inputs.

    Args:
        network: left as it is; what is frozen in it starts anew as well.
        seed: of what is drawn.
        custom_objects: classes of the caller's that the network holds, by name. Where there are any Keras draws all
            values, from its global seed, which is set for that.

    Raises:
        LayerError: if an initialiser is not known, Keras cannot build the network, or a tensor has no initial value.
    """
    measured = tuple(f"{place.name}/" for place in walk(network.graph) if place.kind == _MEASURED)
    drawn = _initial(network, seed, custom_objects)
    lacking = [name for name in network.tensors if name not in drawn and not name.startswith(measured)]
    if lacking:
        problems = [Problem(name, "an initial value", "none") for name in lacking]
        raise LayerError(f"Not all weights of {network.graph.name!r} can start anew.", problems)
    fresh = Chosen(drawn, {name: name for name in drawn if not name.startswith(measured)})
    return replace(network, tensors=Chosen(network.tensors, {name: name for name in network.tensors}, fresh))


def _initial(network: Network, seed: int, custom_objects: Mapping[str, Any] | None) -> Tensors:
    """A value for each variable, by `layer/role`."""
    try:
        return draw_lazily(network.graph, network.graph.names, seed)
    except KerasNeededError:
        keras.utils.set_random_seed(seed)
        return read_model(build_graph(network.graph, custom_objects)).tensors
