"""The cheapest cut of a network of arcs with capacities.

A flow from the source to the sink is as large as the cheapest cut between them is dear (Ford & Fulkerson, 1956). It is
found along shortest paths with room left (Edmonds & Karp, 1972).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def farthest_cut(arcs: Iterable[tuple[Node, Node, int]], source: Node, sink: Node) -> frozenset[Node]:
    """The nodes on the sink's side of the cheapest cut; of several cheapest ones the nearest to the sink.

    Args:
        arcs: from, to, capacity; those between the same two nodes add up.
        source: where the flow starts.
        sink: where it ends.
    """
    room: dict[Node, dict[Node, int]] = {source: {}, sink: {}}
    for start, end, capacity in arcs:
        room.setdefault(start, {})
        room.setdefault(end, {})
        room[start][end] = room[start].get(end, 0) + capacity
        room[end].setdefault(start, 0)
    while path := _shortest_path(room, source, sink):
        least = min(room[start][end] for start, end in path)
        for start, end in path:
            room[start][end] -= least
            room[end][start] += least
    return _reaching(room, sink)


def _shortest_path(room: Mapping[Node, Mapping[Node, int]], source: Node, sink: Node) -> list[tuple[Node, Node]]:
    """Arcs with room left, from the sink backwards; empty where there is no path."""
    before: dict[Node, Node] = {}
    ahead = deque([source])
    while ahead and sink not in before:
        node = ahead.popleft()
        for end, left in room[node].items():
            if left and end not in before and end != source:
                before[end] = node
                ahead.append(end)
    path: list[tuple[Node, Node]] = []
    node = sink
    while node in before:
        path.append((before[node], node))
        node = before[node]
    return path


def _reaching(room: Mapping[Node, Mapping[Node, int]], sink: Node) -> frozenset[Node]:
    """The nodes from which a path with room left leads to the sink."""
    found = {sink}
    ahead = [sink]
    while ahead:
        node = ahead.pop()
        new = [each for each in room[node] if each not in found and room[each][node]]
        found.update(new)
        ahead += new
    return frozenset(found)
