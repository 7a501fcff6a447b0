"""A network as a picture: layers from top to bottom, what passes layers by as lines at their side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from transfer.reports.contents import LayerRow
from transfer.reports.layer_blocks import FEW, Block, group_layers
from transfer.reports.layer_charts import flops, part_of
from transfer.reports.shown_text import shown
from transfer.tabulating import format_scaled

_WIDTH, _BOX, _HEIGHT, _GAP = 340, 262, 40, 14
_LETTERS, _SMALL = 25, 40  # of a name in a box, and of what stands below it
_LANES = 6
_MOST = 400  # layers drawn of one block
_SAID = {
    "input": "input",
    "frozen": "frozen",
    "trained": "trained",
    "new": "new",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A box.

    Attributes:
        name: above.
        about: below it, in small.
        part: of the network.
        told: all there is to say.
        target: id of what it leads to; empty for nothing.
    """

    name: str
    about: str
    part: str
    told: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class OpenBlock:
    """A block with its layers.

    Attributes:
        id: of its place on the page.
        name: of the block.
        part: of the network.
        about: how many layers, parameters.
        drawn: its layers.
    """

    id: str
    name: str
    part: str
    about: str
    drawn: Markup


@dataclass(frozen=True, slots=True)
class NetworkDrawing:
    """A network in two steps.

    Attributes:
        overview: its blocks, or its layers where they are few.
        blocks: what opens; empty where they are few.
        legend: the parts that occur, with their layers and parameters.
    """

    overview: Markup
    blocks: tuple[OpenBlock, ...]
    legend: tuple[tuple[str, str], ...]


def draw_network(layers: Sequence[LayerRow], prefix: str) -> NetworkDrawing | None:
    """Draw a network; None of one without layers.

    Args:
        layers: in the order of the graph.
        prefix: of the ids on the page.
    """
    if not layers:
        return None
    blocks = group_layers(layers)
    parts = tuple((part, f"{_SAID[part]}: {_count(rows)}") for part, rows in _by_part(layers))
    if len(layers) <= FEW:
        return NetworkDrawing(
            draw_chain([_layer(row) for row in layers], _edges([(row,) for row in layers])), (), parts
        )
    opened = tuple(_open(block, f"{prefix}block-{place}") for place, block in enumerate(blocks, 1))
    nodes = [
        Node(block.name, one.about, block.part, f"{shown(block.name)}\n{one.about}", one.id)
        for block, one in zip(blocks, opened, strict=True)
    ]
    return NetworkDrawing(draw_chain(nodes, _edges([block.rows for block in blocks])), opened, parts)


def draw_chain(nodes: Sequence[Node], edges: Iterable[tuple[int, int]]) -> Markup:
    """Boxes one below the other; an edge to the next is an arrow, any other goes round at the side.

    Args:
        nodes: from top to bottom.
        edges: places of what gives and what takes; those that go up are left out.
    """
    steps = sorted({(one, other) for one, other in edges if one < other})
    height = len(nodes) * (_HEIGHT + _GAP) - _GAP + 4
    direct = [_arrow(one) for one, other in steps if other == one + 1]
    around = _around([each for each in steps if each[1] > each[0] + 1])
    boxes = [_box(place, node) for place, node in enumerate(nodes)]
    return Markup('<svg class="layers" viewBox="0 0 {} {}" role="group" aria-label="layers">{}</svg>').format(
        _WIDTH, height, Markup().join([*direct, *around, *boxes])
    )


def _box(place: int, node: Node) -> Markup:
    top = 2 + place * (_HEIGHT + _GAP)
    inside = Markup(
        '<g class="hover part-{0}"><title>{1}</title><rect class="box" x="2" y="{2}" width="{3}" height="{4}" rx="5"/>'
        '<rect class="stripe" x="6" y="{5}" width="8" height="{6}" rx="2"/>'
        '<svg x="22" y="{2}" width="{7}" height="{4}"><text class="name" y="17">{8}</text>'
        '<text class="about" y="32">{9}</text></svg></g>'
    ).format(
        *(node.part, node.told, top, _BOX, _HEIGHT, top + 4, _HEIGHT - 8),
        *(_BOX - 24, shown(node.name, _LETTERS), shown(node.about, _SMALL)),
    )
    return Markup('<a href="#{}">{}</a>').format(node.target, inside) if node.target else inside


def _arrow(place: int) -> Markup:
    start = 2 + place * (_HEIGHT + _GAP) + _HEIGHT
    middle, end = 2 + _BOX // 2, start + _GAP
    return Markup('<path class="edge" d="M{0} {1}V{2}M{3} {4}L{0} {2}L{5} {4}"/>').format(
        middle, start, end - 1, middle - 4, end - 6, middle + 4
    )


def _around(edges: Sequence[tuple[int, int]]) -> list[Markup]:
    """Lines at the side, each in the first lane that is free; the last lane takes what finds none."""
    free = [0] * _LANES
    drawn = []
    for one, other in sorted(edges, key=lambda each: (each[0], each[1])):
        lane = next((k for k in range(_LANES) if free[k] <= one), _LANES - 1)
        free[lane] = max(free[lane], other)
        start = 2 + one * (_HEIGHT + _GAP) + _HEIGHT - 10
        end = 2 + other * (_HEIGHT + _GAP) + 10
        right, out = 2 + _BOX, 2 + _BOX + 12 + lane * 11
        path = f"M{right} {start}H{out - 5}q5 0 5 5V{end - 5}q0 5 -5 5H{right + 1}"
        head = f"M{right + 6} {end - 4}L{right + 1} {end}L{right + 6} {end + 4}"
        drawn.append(Markup('<path class="edge" d="{}"/>').format(path + head))
    return drawn


def _layer(row: LayerRow) -> Node:
    weights = f" · {row.parameters:,}" if row.parameters else ""
    about = f"{row.kind} · {row.shape}{weights}"
    lines = [
        row.name,
        f"{row.kind}, {row.part}",
        f"output {row.shape}",
        f"{row.parameters:,} parameters, {flops(row)} FLOP",
        *([f"takes {', '.join(row.below)}"] if row.below else []),
        *([f"{100 * row.saturated:.1f} % of units saturated or dead"] if row.saturated is not None else []),
    ]
    return Node(row.name, about, part_of(row), "\n".join(shown(each, 300) for each in lines))


def _open(block: Block, place: str) -> OpenBlock:
    rows = block.rows[:_MOST]
    drawn = draw_chain([_layer(row) for row in rows], _edges([(row,) for row in rows]))
    cost = f" · {format_scaled(2 * block.macs).rstrip()} FLOP" if block.macs else ""
    count = f"{len(block.rows)} layer{'s' if len(block.rows) > 1 else ''}"
    weights = f" · {block.parameters:,} parameters" if block.parameters else ""
    about = f"{block.about} · {count}{weights}"
    more = f", the first {_MOST} drawn" if len(block.rows) > _MOST else ""
    return OpenBlock(place, shown(block.name, 60), block.part, f"{about}{cost if not weights else ''}{more}", drawn)


def _edges(groups: Sequence[Sequence[LayerRow]]) -> set[tuple[int, int]]:
    """Between places of groups."""
    places = {row.name: place for place, rows in enumerate(groups) for row in rows}
    return {
        (places[name], place)
        for place, rows in enumerate(groups)
        for row in rows
        for name in row.below
        if name in places and places[name] != place
    }


def _by_part(layers: Sequence[LayerRow]) -> list[tuple[str, list[LayerRow]]]:
    parts = dict.fromkeys(map(part_of, layers))
    return [(part, [row for row in layers if part_of(row) == part]) for part in parts]


def _count(rows: Sequence[LayerRow]) -> str:
    weights = sum(row.parameters for row in rows)
    layers = f"{len(rows)} layer{'s' if len(rows) > 1 else ''}"
    return layers + (f", {weights:,} parameters" if weights else "")
