"""Where the layers of a graph stand in a drawing: rows by depth, edges that skip rows as rails beside the layers.

Source: Sugiyama, Tagawa & Toda (1981): rows, an order that avoids crossings, then places; each row is placed by
isotonic regression (Ayer et al. 1955), which is exact.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from transfer.graphs.graph import Graph

Point: TypeAlias = tuple[str, int]  # a layer in its row, or its rail in a row below
Edge: TypeAlias = tuple[str, str]

LONGEST_RAILS = 40_000  # rows that all rails pass together; the longest of what is beyond go beside the drawing
_SWEEPS = 8
_SKIP = 0.001  # weight of a rail past layers that come from the same one: it gives way to them


@dataclass(frozen=True, slots=True)
class Layout:
    """A drawing without sizes on paper.

    Attributes:
        rows: of each layer, from 0 at the top; layers and rails of a row do not overlap.
        middles: of each layer and of each rail in each row that it passes, from 0 at the left.
        links: from each point of a row to points of the row below, in order; they stand for all edges but `beside`.
        beside: edges that go up (a layer is called again later), or are too long for rails.
        width: of the widest row, half a layer beyond its middle included.
    """

    rows: Mapping[str, int]
    middles: Mapping[Point, float]
    links: Mapping[Point, tuple[Point, ...]]
    beside: tuple[Edge, ...]
    width: float


def lay_out(graph: Graph, *, width: float, gap: float, rail: float) -> Layout:
    """Place the layers of a graph.

    Args:
        graph: any.
        width: of a layer.
        gap: between layers side by side.
        rail: between a rail and what stands beside it.
    """
    rows = layer_rows(graph)
    edges = tuple(
        dict.fromkeys((ref.layer, each.name) for each in graph for call in each.calls for ref in call.sources)
    )
    down, beside = _within_rails(edges, rows)
    links = _link(down, rows)
    ordered = _ordered(_rows_of(rows, links), links)
    weights = dict.fromkeys((point for row in ordered for point in row), 1.0)
    skips = _skips(graph, edges)
    weights |= {point: _SKIP for point in weights if point[0] in skips and rows[point[0]] != point[1]}
    apart = {  # of a layer or rail from a layer or rail
        (True, True): width + gap,
        (True, False): width / 2 + rail,
        (False, True): width / 2 + rail,
        (False, False): rail,
    }
    middles = _middles(ordered, links, rows, weights, apart)
    left = min((middles[name, row] for name, row in rows.items()), default=0.0) - width / 2
    left = min([left, *(middle - rail for middle in middles.values())])
    right = max([middle + (width / 2 if rows[name] == row else rail) for (name, row), middle in middles.items()] or [0])
    moved = {point: middle - left for point, middle in middles.items()}
    return Layout(rows, moved, {point: tuple(found) for point, found in links.items()}, beside, right - left)


def layer_rows(graph: Graph) -> dict[str, int]:
    """The row of each layer: one below all that its first call takes. Inputs stand right above what takes them."""
    waiting: dict[Point, int] = {}
    takers: dict[Point, list[Point]] = defaultdict(list)
    rows: dict[Point, int] = {}
    for layer in graph:
        for node, call in enumerate(layer.calls):
            sources = {(ref.layer, ref.node) for ref in call.sources}
            waiting[layer.name, node] = len(sources)
            for source in sources:
                takers[source].append((layer.name, node))
    ready = deque((layer.name, 0) for layer in graph if not layer.calls)
    ready += [point for point, count in waiting.items() if not count]
    while ready:
        point = ready.popleft()
        rows.setdefault(point, 0)
        for taker in takers[point]:
            rows[taker] = max(rows.get(taker, 0), rows[point] + 1)
            waiting[taker] -= 1
            if not waiting[taker]:
                ready.append(taker)
    found = {layer.name: rows.get((layer.name, 0), 0) for layer in graph}
    for layer in graph:
        below = [found[name] for name, _ in takers[layer.name, 0]]
        if not layer.calls and below:
            found[layer.name] = max(0, min(below) - 1)
    return found


def _within_rails(edges: Iterable[Edge], rows: Mapping[str, int]) -> tuple[list[Edge], tuple[Edge, ...]]:
    """Edges that go down, by links and rails; and the rest."""
    known = [edge for edge in edges if edge[0] in rows]
    last: dict[str, int] = {}
    for source, target in known:
        last[source] = max(last.get(source, 0), rows[target] - rows[source] - 1)
    budget, railed = LONGEST_RAILS, set()
    for source, length in sorted(last.items(), key=lambda each: each[1]):
        budget -= max(0, length)
        if budget >= 0:
            railed.add(source)
    down = [
        (source, target)
        for source, target in known
        if rows[target] == rows[source] + 1 or (rows[target] > rows[source] and source in railed)
    ]
    kept = set(down)
    return down, tuple(edge for edge in known if edge not in kept)


def _skips(graph: Graph, edges: Iterable[Edge]) -> frozenset[str]:
    """Layers of which something is taken together with what comes from it: their rails skip layers.

    A branch that waits for a longer one is no skip, and keeps its place beside it.
    """
    bits = {name: 1 << place for place, name in enumerate(graph.names)}
    taken: dict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        if source in bits:
            taken[target].append(source)
    before: dict[str, int] = {}
    for name in graph.names:  # each comes after its inputs; a layer that is called again does not wait for that
        before[name] = 0
        for source in taken[name]:
            before[name] |= before.get(source, 0) | bits[source]
    return frozenset(
        source
        for sources in taken.values()
        for source in sources
        if any(before.get(other, 0) & bits[source] for other in sources if other != source)
    )


def _link(edges: Iterable[Edge], rows: Mapping[str, int]) -> dict[Point, list[Point]]:
    """Edges cut into steps of one row; those of one layer share its rail as far as they go together."""
    links: dict[Point, dict[Point, None]] = defaultdict(dict)
    for source, target in edges:
        for row in range(rows[source], rows[target] - 1):
            links[source, row][source, row + 1] = None
        links[source, rows[target] - 1][target, rows[target]] = None
    return {point: list(found) for point, found in links.items()}


def _rows_of(rows: Mapping[str, int], links: Mapping[Point, Sequence[Point]]) -> list[list[Point]]:
    ordered: list[list[Point]] = [[] for _ in range(max(rows.values(), default=-1) + 1)]
    for point in [*rows.items(), *(each for found in links.values() for each in found if rows[each[0]] != each[1])]:
        ordered[point[1]].append(point)
    return ordered


def _ordered(ordered: list[list[Point]], links: Mapping[Point, Sequence[Point]]) -> list[list[Point]]:
    """Rows in an order in which few links cross: each point goes to the mean place of its neighbours, up and down."""
    above = _turned(links)
    for sweep in range(_SWEEPS):
        towards, neighbours = (ordered, above) if sweep % 2 == 0 else (ordered[::-1], links)
        places: dict[Point, float] = {}
        for row in towards:
            means = {}
            for place, point in enumerate(row):
                met = [places[each] for each in neighbours.get(point, ()) if each in places]
                means[point] = sum(met) / len(met) if met else float(place)
            row.sort(key=means.__getitem__)  # stable: of equals, rails stay on the right
            places = {point: float(place) for place, point in enumerate(row)}
    return ordered


def _middles(
    ordered: Sequence[Sequence[Point]],
    links: Mapping[Point, Sequence[Point]],
    rows: Mapping[str, int],
    weights: Mapping[Point, float],
    apart: Mapping[tuple[bool, bool], float],
) -> dict[Point, float]:
    """Places, in rounds down and up: each point goes where its neighbours are, as far as its row has room."""
    above = _turned(links)
    middles: dict[Point, float] = {}
    for sweep in range(_SWEEPS + 1):  # the last goes down: what follows stands below what it follows
        towards, neighbours = (ordered, above) if sweep % 2 == 0 else (ordered[::-1], links)
        for row in towards:
            wanted = []
            for point in row:
                met = [(middles[each], weights[each]) for each in neighbours.get(point, ()) if each in middles]
                mass = sum(weight for _, weight in met)
                mean = sum(middle * weight for middle, weight in met) / mass if met else middles.get(point, 0.0)
                wanted.append(mean)
            between = [apart[rows[one[0]] == one[1], rows[other[0]] == other[1]] for one, other in pairwise(row)]
            placed = place_apart(wanted, [weights[point] for point in row], between)
            middles.update(zip(row, placed, strict=True))
    return middles


def place_apart(wanted: Sequence[float], weights: Sequence[float], between: Sequence[float]) -> list[float]:
    """Places in order, at least so far apart, as near as can be to the wanted ones.

    Minimises Σ w_i (x_i - wanted_i)² under x_{i+1} - x_i ≥ between_i. With s_i = Σ_{j<i} between_j, the x_i - s_i do
    not decrease: an isotonic regression, solved by pooling neighbours that are in the wrong order.
    """
    shifts = [0.0]
    for distance in between:
        shifts.append(shifts[-1] + distance)
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for each, weight, shift in zip(wanted, weights, shifts, strict=False):
        mean, mass, count = each - shift, weight, 1
        while pools and pools[-1][0] > mean:
            before, other, many = pools.pop()
            mean, mass, count = (mean * mass + before * other) / (mass + other), mass + other, count + many
        pools.append((mean, mass, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + shift for mean, shift in zip(means, shifts, strict=False)]


def _turned(links: Mapping[Point, Sequence[Point]]) -> dict[Point, list[Point]]:
    above: dict[Point, list[Point]] = defaultdict(list)
    for point, found in links.items():
        for each in found:
            above[each].append(point)
    return above
