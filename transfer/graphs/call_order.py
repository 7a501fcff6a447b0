"""The calls of a graph in an order in which they can be made."""

from __future__ import annotations

from collections import deque

from transfer.graphs.graph import Call, Graph, Layer


def calls_in_order(graph: Graph) -> list[tuple[Layer, int, Call]]:
    """Each call, with its layer and number, after those whose outputs it takes; an input is a call of nothing.

    Calls that wait for themselves, in a circle, are left out. What comes from outside the graph is waited for by none.
    """
    calls = {(layer.name, node): (layer, call) for layer in graph for node, call in enumerate(layer.calls or (_NONE,))}
    takers: dict[tuple[str, int], list[tuple[str, int]]] = {}
    waiting: dict[tuple[str, int], int] = {}
    for key, (_, call) in calls.items():
        sources = {(ref.layer, ref.node) for ref in call.sources} & calls.keys()
        waiting[key] = len(sources)
        for source in sources:
            takers.setdefault(source, []).append(key)
    ready = deque(key for key, count in waiting.items() if not count)
    found = []
    while ready:
        key = ready.popleft()
        layer, call = calls[key]
        found.append((layer, key[1], call))
        for taker in takers.get(key, ()):
            waiting[taker] -= 1
            if not waiting[taker]:
                ready.append(taker)
    return found


_NONE = Call([], {})
