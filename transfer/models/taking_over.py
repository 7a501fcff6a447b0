"""Giving a live model what another network of the same layers has come to."""

from __future__ import annotations

import keras

from transfer.models.building import attach_card, freeze_as
from transfer.models.variables import assign_variables, name_variables
from transfer.surgery.network import Network


def take_over(model: keras.Model, network: Network) -> None:
    """Give a model a network's tensors, its flags of what is trained, and its card; it is not built anew.

    Args:
        model: of the same layers, changed in place.
        network: with a tensor for each of its weights.

    Raises:
        KeyError: if a weight has no tensor.
    """
    assign_variables(model, {name: network.tensors[name] for name in name_variables(model)})
    for layer in model.layers:
        layer.trainable = True
    freeze_as(model, network.graph)
    attach_card(model, network.card)
