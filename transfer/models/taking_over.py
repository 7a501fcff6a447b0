"""Giving a live model what another network of the same layers has come to."""

from __future__ import annotations

import keras

from transfer.models.building import attach_card
from transfer.models.live_flags import flag_as
from transfer.models.variables import finalize_layers, name_variables
from transfer.surgery.network import Network


def take_over(model: keras.Model, network: Network) -> None:
    """Give a model a network's tensors, its flags of what is trained, and its card; it is not built anew.

    Args:
        model: of the same layers, changed in place.
        network: with a tensor for each of its weights.

    Raises:
        KeyError: if a weight has no tensor.
    """
    variables = name_variables(model)
    lost = [name for name in variables if name not in network.tensors]
    if lost:
        raise KeyError(f"no tensor for {', '.join(lost)}")
    for name, variable in variables.items():
        variable.assign(network.tensors[name])
    finalize_layers(model)
    flag_as(model, network.graph)
    attach_card(model, network.card)
