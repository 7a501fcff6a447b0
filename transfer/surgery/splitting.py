"""A network in two: what runs once per example, and what is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from transfer.graphs.graph import Graph, Ref
from transfer.graphs.splitting import split as split_graph
from transfer.graphs.wrapping import Shape
from transfer.surgery.network import Network, Selection


def split(
    network: Network,
    at: str | Sequence[str] | None = None,
    *,
    latest: bool = False,
    stilled: bool = False,
    shapes: Mapping[Ref, Shape] | None = None,
) -> tuple[Network, Network]:
    """The frozen prefix of a network and its trainable suffix; no tensor is read.

    See `graphs.splitting.split` for what goes where. A layer that is called on both sides has its tensors in both, and
    is frozen. The prefix keeps how inputs are prepared, the suffix the classes.

    Args:
        network: left as it is.
        at: names of layers to split at; by default the cheapest place at which training can begin.
        latest: put all that can be computed once into the prefix, whatever its boundary takes.
        stilled: let frozen dropout and noise stand in the prefix; training has to switch them off in the whole.
        shapes: of tensors that cannot be inferred, without the batch axis.

    Raises:
        LayerError: if the network does not come apart at `at`.
    """
    parts = split_graph(network.graph, at, latest=latest, stilled=stilled, shapes=shapes)
    place = ", ".join(dict.fromkeys(ref.layer for ref in parts.boundary))
    prefix = _part(network, parts.prefix, f"kept what leads to {place}")
    suffix = _part(network, parts.suffix, f"kept what follows {place}")
    if prefix.card is not None and suffix.card is not None:
        is_whole = all(not network.graph.layer(ref.layer).calls for ref in parts.boundary)
        prefix = replace(prefix, card=replace(prefix.card, classes=()))
        suffix = suffix if is_whole else replace(suffix, card=replace(suffix.card, preprocessing=None))
    return prefix, suffix


def _part(network: Network, graph: Graph, done: str) -> Network:
    names = frozenset(graph.names)
    card = network.card
    if card is not None:
        card = replace(card.without_proof(), architecture=None, history=(*card.history, done))
    return Network(graph, Selection(network.tensors, names), card, network.new & names)
