"""Nested models opened in a network: the graph, and its tensors under the names that they have there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from transfer.graphs.flattening import Flattened, flatten
from transfer.surgery.network import Chosen, Network


def open_nested(network: Network, paths: Iterable[str] | None = None) -> tuple[Network, Flattened]:
    """The network with its nested models opened, and what each layer is called there.

    Args:
        network: left as it is; it is what comes back where there is nothing to open.
        paths: of the models to open; None for all.

    Raises:
        LayerError: if a path names no such model, or a model cannot be opened.
    """
    flat = flatten(network.graph, paths)
    if not flat.opened:
        return network, flat
    names = {flat.rename(name): name for name in network.tensors}
    return replace(network, graph=flat.graph, tensors=Chosen(network.tensors, names)), flat
