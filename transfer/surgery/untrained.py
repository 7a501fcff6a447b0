"""Whether a network was ever trained."""

from __future__ import annotations

import numpy as np

from transfer.errors import LayerError
from transfer.graphs.graph import Graph
from transfer.graphs.variables import describe_graph
from transfer.surgery.initializing import draw_lazily
from transfer.surgery.network import Network
from transfer.surgery.opening_nested import open_nested

_NORMALIZING = ("gamma", "beta", "moving_mean", "moving_variance")
_CONSTANT = ("bias", *_NORMALIZING)  # roles that start from constants by default


def is_untrained(network: Network) -> bool:
    """Whether everything that starts from a constant still holds it: biases at 0, scales at 1, statistics of no data.

    A step of training moves them all at once. A network that has none of them is taken for trained, and so is one whose
    initial values are not known here, and one with a kernel for which no constant speaks: neither one of its own layer
    nor one of a normalization behind it. Such a kernel may be what was learnt, under a head that is new.
    """
    try:
        opened = open_nested(network)[0]
        names = [name for name in describe_graph(opened.graph) if _role(name) in _CONSTANT]
        initial = draw_lazily(opened.graph, opened.graph.names, 0)
        return (
            bool(names)
            and all(name in initial and np.array_equal(initial[name], opened.tensors[name]) for name in names)
            and not _unspoken(opened.graph)
        )
    except LayerError:
        return False


def _unspoken(graph: Graph) -> set[str]:
    """Layers with kernels for which no constant speaks."""
    roles: dict[str, set[str]] = {}
    for name in describe_graph(graph):
        roles.setdefault(name.split("/", 1)[0], set()).add(_role(name))
    alone = {name for name, own in roles.items() if any(map(_is_kernel, own)) and not own & set(_CONSTANT)}
    spoken = {
        source
        for name, own in roles.items()
        if own & set(_NORMALIZING) and not any(map(_is_kernel, own))
        for source in _before(graph, name, set(roles))
    }
    return alone - spoken


def _before(graph: Graph, name: str, weighted: set[str]) -> set[str]:
    """The layers with weights that feed a layer, past those without any."""
    found: set[str] = set()
    waiting, seen = [name], {name}
    while waiting:
        for ref in {ref.layer for call in graph.layer(waiting.pop()).calls for ref in call.sources} - seen:
            seen.add(ref)
            (found.add if ref in weighted else waiting.append)(ref)
    return found


def _role(name: str) -> str:
    return name.rpartition("/")[2]


def _is_kernel(role: str) -> bool:
    return role.endswith("kernel")
