"""Taking the layers one needs out of a network, into a new one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from transfer.graphs.attaching import attach
from transfer.graphs.cutting import cut, drop_last
from transfer.graphs.feature_layers import feature_layer
from transfer.graphs.freezing import freeze, freeze_all
from transfer.specs import Head
from transfer.surgery.network import Network, Selection

BACKBONE = "backbone"
FEATURES = "features"


def extract_network(
    network: Network,
    *,
    drop: int = 0,
    at: str | None = None,
    frozen: str | Iterable[str] = (),
    heads: Sequence[Head] = (),
    seed: int = 0,
) -> Network:
    """Cut, freeze and attach heads, on the graph; the tensors that are kept are not read.

    Args:
        network: left as it is.
        drop: number of last layers to drop (see `graphs.cutting.drop_last`).
        at: the last layer to keep instead; `"features"` for where a classifier's features end.
        frozen: `"backbone"` for all that is kept, or names and patterns of layers.
        heads: what to attach.
        seed: of the heads' initial kernels.

    Raises:
        LayerError: if a name or pattern fits no layer, or the cut is not possible.
    """
    if drop and at is not None:
        raise ValueError("give drop_last or at, not both")
    graph, done = network.graph, []
    if drop:
        graph, _ = drop_last(graph, drop)
        done.append(f"dropped the last {drop}")
    elif at is not None:
        end = feature_layer(graph) if at == FEATURES and at not in graph.names else at
        graph = cut(graph, end)
        done.append(f"cut at {end}")
    patterns = [frozen] if isinstance(frozen, str) else list(frozen)
    if BACKBONE in patterns and BACKBONE not in graph.names:
        graph = freeze_all(graph)
        patterns.remove(BACKBONE)
    kept = frozenset(graph.names)
    if heads:
        graph = attach(graph, heads, seed=seed)
        done.append("attached " + ", ".join(f"{head.name}:{head.classes}" for head in heads))
    if patterns:
        graph = freeze(graph, patterns)
    card = network.card
    if card is not None and done:
        card = replace(card.without_proof(), architecture=None, classes=(), history=(*card.history, *done))
    new = frozenset(head.name for head in heads) | (network.new & kept)
    return Network(graph, Selection(network.tensors, kept), card, new)
