"""A live model rebuilt so that each activation, and each layer of a nested model, can be watched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import keras

from transfer.errors import LayerError
from transfer.graphs.activation_sites import Sites, find_sites
from transfer.graphs.exposing_activations import expose_activations
from transfer.graphs.graph import Ref
from transfer.graphs.logits import Logits, find_logits
from transfer.graphs.shapes import Shape
from transfer.models.building import build_model
from transfer.surgery.network import Network
from transfer.surgery.opening_nested import open_nested


@dataclass(frozen=True, slots=True)
class ExposedModel:
    """A network whose activations can be watched, not yet built.

    Attributes:
        network: flat, its activations layers of their own; it computes what it did before.
        flat: the same with activations where they were.
        owners: name of each activation that was made a layer → the layer that holds it in `flat`.
        sites: the activations.
        logits: what its probabilities are made from; None where that is not known.
        paths: name of each layer → what people call it: its path in the original, for an activation that of its owner.
    """

    network: Network
    flat: Network
    owners: Mapping[str, str]
    sites: Sites
    logits: Logits | None
    paths: Mapping[str, str] = field(repr=False)

    def name_of(self, ref: Ref) -> str:
        """What people call the layer that gives a tensor; the second call of a shared one is `name (2)`."""
        return self.paths[ref.layer] + (f" ({ref.node + 1})" if ref.node else "")


def expose(network: Network, shapes: Mapping[Ref, Shape] | None = None) -> ExposedModel:
    """Open nested models and make activations layers.

    Args:
        network: left as it is.
        shapes: of tensors for which there is no rule, where the caller knows them.

    Raises:
        LayerError: if the network has several inputs, or its models cannot be opened.
    """
    if len(network.graph.inputs) != 1:
        raise LayerError(
            f"{network.graph.name!r} has {len(network.graph.inputs)} inputs; one with one can be looked at.",
            next_step="look at the part behind one of them: cut it out with 'transfer extract'",
        )
    opened, flat = open_nested(network)
    exposed = expose_activations(opened.graph)
    paths = flat.paths
    paths |= {name: paths[owner] for name, owner in exposed.owners.items()}
    sites = find_sites(exposed.graph)
    logits = find_logits(exposed.graph, sites.found, shapes)
    return ExposedModel(replace(opened, graph=exposed.graph), opened, exposed.owners, sites, logits, paths)


class Built:
    """The exposed network as a Keras model."""

    def __init__(self, exposed: ExposedModel, custom_objects: Mapping[str, type]) -> None:
        self.model = build_model(exposed.network, custom_objects)
        self._operations: dict[str, Any] = {each.name: each for each in self.model.operations}

    def tensor(self, ref: Ref) -> Any:
        """The Keras tensor of a reference."""
        return self._operations[ref.layer]._inbound_nodes[ref.node].output_tensors[ref.tensor]

    def to(self, ref: Ref) -> keras.Model:
        """The part of the model that leads to a tensor."""
        return keras.Model(self.model.inputs[0], self.tensor(ref))


def unit_axis(network: Network) -> int:
    """1 where convolutions have their channels first, else -1."""
    return 1 if any(layer.config.get("data_format") == "channels_first" for layer in network.graph) else -1
