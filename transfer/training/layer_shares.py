"""How much of the learning rate each layer gets: less from block to block, from the head down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transfer.graphs.blocks import blocks_of, head_of
from transfer.graphs.graph import Graph


def layer_shares(graph: Graph, decay: float) -> dict[str, float]:
    """Share of the rate for each layer of the head and of every block, by its path.

    The head has the whole rate, the last block `decay`, the one before it `decay ** 2`. Where there is no head the
    last block has the whole.

    Raises:
        ValueError: if `decay` is not above 0 and at most 1.

    Source: Howard & Ruder (2018), section 3.2.
    """
    if not 0 < decay <= 1:
        raise ValueError(f"a decay is above 0 and at most 1: {decay}")
    levels = [*blocks_of(graph), tuple(sorted(head_of(graph)))]
    levels = [level for level in levels if level]
    return {layer: decay**above for above, level in enumerate(reversed(levels)) for layer in level}


def shares_of(names: Iterable[str], shares: Mapping[str, float]) -> dict[str, float]:
    """The share of each variable, `layer/role`, by the longest path of a layer that it begins with.

    One of a layer in no block, a normalization of the inputs, comes before all: it gets the smallest share.
    """
    least = min(shares.values(), default=1.0)
    return {name: next((shares[path] for path in _above(name) if path in shares), least) for name in names}


def _above(name: str) -> Iterable[str]:
    """`a/b/kernel` → `a/b`, `a`."""
    while (name := name.rpartition("/")[0]) != "":
        yield name
