"""Networks whose low-rank adapters have been merged into their kernels need no place for them any more."""

from __future__ import annotations

from collections.abc import Mapping

from transfer.graphs.graph import Graph
from transfer.graphs.walking import Place, change
from transfer.specs import Json

_LORA = frozenset({"lora_rank", "lora_alpha"})


def without_lora(graph: Graph) -> Graph:
    """The graph whose layers are plain: files keep merged kernels, or are read as if they did.

    Source: Hu et al. (2022), section 4.1: once merged, a layer computes as it would have with the adapters.
    """

    def plain(place: Place) -> Mapping[str, Json]:
        return {key: value for key, value in place.config.items() if key not in _LORA}

    return change(graph, plain)
