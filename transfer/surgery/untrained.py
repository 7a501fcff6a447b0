"""Whether a network was ever trained."""

from __future__ import annotations

import numpy as np

from transfer.errors import LayerError
from transfer.graphs.variables import describe_graph
from transfer.surgery.initializing import draw_lazily
from transfer.surgery.network import Network

_CONSTANT = ("bias", "gamma", "beta", "moving_mean", "moving_variance")  # roles that start from constants by default


def is_untrained(network: Network) -> bool:
    """Whether everything that starts from a constant still holds it: biases at 0, scales at 1, statistics of no data.

    A step of training moves them all at once. A network that has none of them is taken for trained, and so is one whose
    initial values are not known here.
    """
    try:
        names = [name for name in describe_graph(network.graph) if name.rpartition("/")[2] in _CONSTANT]
        initial = draw_lazily(network.graph, network.graph.names, 0)
        return bool(names) and all(
            name in initial and np.array_equal(initial[name], network.tensors[name]) for name in names
        )
    except LayerError:
        return False
