"""A graph as an SVG picture that needs no other program, in light and dark surroundings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from unicodedata import east_asian_width

from transfer.graphs.graph import Graph
from transfer.graphs.laying_out import Layout, Point, lay_out
from transfer.graphs.summarizing import LayerSummary, State, format_shape, format_takes, printable, summarize

_HEIGHT, _ROW = 38, 76  # of a layer, and from one row to the next
_GAP, _RAIL, _MARGIN = 26, 16, 24
_NARROWEST, _WIDEST = 150, 330
_LETTER, _SMALL = 7.3, 6.3  # widths of letters, on the safe side
_TOP = 96  # for what stands above the graph

# Okabe & Ito (2008): hues that stay apart for every kind of colour vision. Fill and line in light, then in dark.
_COLOURS: dict[State, tuple[str, str, str, str]] = {
    "trainable": ("#fdebcf", "#b35c00", "#4a2f0b", "#f0a24a"),
    "frozen": ("#dcebf7", "#0067a3", "#10324a", "#62b5ec"),
    "partly frozen": ("#dcebf7", "#b35c00", "#10324a", "#f0a24a"),
    "new": ("#d6f0e5", "#007a58", "#0c3b2d", "#3cc79b"),
    "": ("#f4f4f4", "#7d7d7d", "#2b2b2b", "#9a9a9a"),
}
_CLASSES: dict[State, str] = {state: state.replace(" ", "-") or "plain" for state in _COLOURS}
_MEANINGS: dict[State, str] = {"": "holds no weights"}


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What is drawn, and where.

    Attributes:
        graph: the architecture.
        layers: what there is to say of each layer, by name.
        layout: rows and middles.
        width: of a layer.
    """

    graph: Graph
    layers: Mapping[str, LayerSummary]
    layout: Layout
    width: float

    def x(self, point: Point) -> float:
        """The middle of a layer or rail."""
        return _MARGIN + self.layout.middles[point]

    def y(self, row: int) -> float:
        """The upper end of a row."""
        return _TOP + row * _ROW


def draw_svg(graph: Graph, *, new: Collection[str] = ()) -> str:
    """Draw a graph from top to bottom, nested models as one box each.

    Boxes are coloured and lettered by what is trained; lines carry the shapes of what flows; a pointer over a box
    shows all that is known of the layer.

    Args:
        graph: names are text to the drawing, whatever they hold.
        new: names of layers to mark as new.

    Raises:
        LayerError: if a name, an edge or an option is of a kind that Keras does not write.
    """
    layers = {each.name: each for each in summarize(graph, new=new)}
    width = min(_WIDEST, max([_NARROWEST, *(_text_width(each) for each in layers.values())]) + 20)
    layout = lay_out(graph, width=width, gap=_GAP, rail=_RAIL)
    sheet = _Sheet(graph, layers, layout, width)
    aside = 70 if layout.beside else 0  # room for what goes round
    legend = [x + 22 + _columns(told) * _SMALL for _, x, told in _legend(layers.values())]
    heading = _columns(_shortened(graph.name, 50)) * 1.5 * _LETTER
    full_width = 2 * _MARGIN + max([layout.width + aside, heading, *(end - _MARGIN for end in legend)])
    full_height = _TOP + (max(layout.rows.values(), default=0) + 1) * _ROW + _MARGIN
    name = _text(graph.name)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{full_width:.0f}" height="{full_height:.0f}" '
        f'viewBox="0 0 {full_width:.0f} {full_height:.0f}" role="img" aria-label="{name}">',
        f"<title>{name}</title>",
        f"<style>{_style()}</style>",
        f'<rect class="paper" width="{full_width:.0f}" height="{full_height:.0f}"/>',
        *_heading(sheet),
        '<g class="edges">',
        *_links(sheet),
        *_beside(sheet),
        *_ends(sheet),
        "</g>",
        *_shapes(sheet),
        *(line for each in graph for line in _box(sheet, layers[each.name])),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


# Boxes


def _box(sheet: _Sheet, layer: LayerSummary) -> Iterator[str]:
    row = sheet.layout.rows[layer.name]
    middle, top = sheet.x((layer.name, row)), sheet.y(row)
    left = middle - sheet.width / 2
    corner = 19 if layer.kind == "InputLayer" else 4
    yield f'<g class="layer {_CLASSES[layer.state]}"><title>{_text(_described(layer))}</title>'
    yield f'<rect x="{left:.1f}" y="{top}" width="{sheet.width:.1f}" height="{_HEIGHT}" rx="{corner}"/>'
    if layer.inner:
        yield (
            f'<rect class="inner" x="{left + 4:.1f}" y="{top + 4}" width="{sheet.width - 8:.1f}" '
            f'height="{_HEIGHT - 8}" rx="2"/>'
        )
    room = int((sheet.width - 20) / _LETTER)
    yield f'<text class="name" x="{middle:.1f}" y="{top + 16}">{_text(_shortened(layer.name, room))}</text>'
    second = _shortened(_second_line(layer), int((sheet.width - 16) / _SMALL))
    yield f'<text x="{middle:.1f}" y="{top + 30}">{_text(second)}</text>'
    yield "</g>"


def _second_line(layer: LayerSummary) -> str:
    parts = [f"{layer.kind}, {layer.inner} layers" if layer.inner else layer.kind]
    if len(layer.takes) > 1:
        parts.append(f"{len(layer.takes)} calls")
    if layer.state:
        parts.append(layer.state if layer.parameters is None else f"{layer.parameters:,} {layer.state}")
    return " · ".join(parts)


def _described(layer: LayerSummary) -> str:
    lines = [layer.name, f"{layer.kind} with {layer.inner} layers" if layer.inner else layer.kind]
    if layer.shapes:
        lines.append("output: " + ", ".join(map(format_shape, layer.shapes)))
    if layer.parameters is None:
        lines.append("parameters: not known without building it")
    elif layer.parameters:
        lines.append(f"parameters: {layer.parameters:,}, {layer.trainable:,} of them trained")
    if layer.state:
        lines.append(layer.state)
    if layer.takes:
        lines.append(f"takes: {format_takes(layer)}")
    return "\n".join(lines)


def _text_width(layer: LayerSummary) -> float:
    return max(_columns(layer.name) * _LETTER, _columns(_second_line(layer)) * _SMALL)


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in printable(text[:200]))


def _shortened(text: str, room: int) -> str:
    """The text with its middle left out where there is no room; the pointer shows it in full."""
    while _columns(text) > room and len(text) > 5:
        keep = (min(len(text), 2 * room) - 2) // 2
        text = f"{text[:keep]}…{text[-keep:]}"
    return text


def _text(text: str) -> str:
    """Text of anyone's, safe in XML; lines stay lines."""
    return escape("\n".join(map(printable, text.split("\n"))), quote=True)


# Lines


def _links(sheet: _Sheet) -> Iterator[str]:
    """One path for all that leaves a layer: it branches off the layer's rail where it is taken."""
    rows, links = sheet.layout.rows, sheet.layout.links
    ports = _ports(sheet)
    for name, row in rows.items():
        parts, point = [], (name, row)
        while point in links:
            x, bottom = sheet.x(point), sheet.y(point[1]) + _HEIGHT
            if point[1] != row:
                parts.append(f"M{x:.1f} {sheet.y(point[1])}V{bottom}")  # past the layers of that row
            rail = None
            for each in links[point]:
                top = sheet.y(each[1])
                if rows[each[0]] == each[1]:
                    end = ports[point, each]
                    parts.append(f"{_curve(x, bottom, end, top)}M{end - 3:.1f} {top - 6}L{end:.1f} {top}l3 -6")
                else:
                    rail = each
                    parts.append(_curve(x, bottom, sheet.x(each), top))
            if rail is None:
                break
            point = rail
        if parts:
            yield f'<path d="{"".join(parts)}"/>'


def _ports(sheet: _Sheet) -> dict[tuple[Point, Point], float]:
    """Where each link ends at the upper side of a layer: side by side, in the order in which they come."""
    arriving: dict[Point, list[Point]] = defaultdict(list)
    for point, found in sheet.layout.links.items():
        for each in found:
            arriving[each].append(point)
    ports = {}
    for target, sources in arriving.items():
        step = min(14.0, sheet.width * 0.7 / len(sources))
        for place, source in enumerate(sorted(sources, key=sheet.x)):
            ports[source, target] = sheet.x(target) + (place - (len(sources) - 1) / 2) * step
    return ports


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    if abs(x - to_x) < 0.05:
        return f"M{x:.1f} {y}V{to_y}"
    half = (y + to_y) / 2
    return f"M{x:.1f} {y}C{x:.1f} {half} {to_x:.1f} {half} {to_x:.1f} {to_y}"


def _beside(sheet: _Sheet) -> Iterator[str]:
    """Edges to a layer further up that is called again, and those too long for a rail: dashed, on the right."""
    rows = sheet.layout.rows
    for source, target in sheet.layout.beside:
        x, y = sheet.x((source, rows[source])) + sheet.width / 2, sheet.y(rows[source]) + _HEIGHT / 2 + 6
        to_x, to_y = sheet.x((target, rows[target])) + sheet.width / 2, sheet.y(rows[target]) + _HEIGHT / 2 - 6
        out = max(x, to_x) + 60
        yield (
            f'<path class="beside" d="M{x:.1f} {y}C{out:.1f} {y} {out:.1f} {to_y} {to_x:.1f} {to_y}m6 -3l-6 3l6 3"/>'
        )


def _ends(sheet: _Sheet) -> Iterator[str]:
    """A short line out of each layer whose output is one of the model's."""
    for name in dict.fromkeys(ref.layer for ref in sheet.graph.outputs):
        row = sheet.layout.rows[name]
        x, y = sheet.x((name, row)), sheet.y(row) + _HEIGHT
        yield f'<path class="end" d="M{x:.1f} {y}v20m-4 -6l4 6l4 -6"/>'


def _shapes(sheet: _Sheet) -> Iterator[str]:
    """The shape of what leaves a layer, at the beginning of its line, and the keys of outputs."""
    keys = sheet.graph.output_keys or ("output",) * len(sheet.graph.outputs)
    ends: dict[str, list[str]] = defaultdict(list)
    for key, ref in zip(keys, sheet.graph.outputs, strict=True):
        ends[ref.layer].append(key)
    for name, row in sheet.layout.rows.items():
        x, y = sheet.x((name, row)), sheet.y(row) + _HEIGHT + 14
        shape = ", ".join(map(format_shape, sheet.layers[name].shapes))
        if shape:
            yield f'<text class="shape" x="{x - 6:.1f}" y="{y}">{_text(_shortened(shape, 40))}</text>'
        if name in ends:
            told = _shortened(", ".join(dict.fromkeys(ends[name])), 30)
            yield f'<text class="shape out" x="{x + 8:.1f}" y="{y}">{_text(told)}</text>'


# What stands above the graph, and how it looks


def _heading(sheet: _Sheet) -> Iterator[str]:
    layers = list(sheet.layers.values())
    unknown = any(each.parameters is None for each in layers)
    total = sum(each.parameters or 0 for each in layers)
    counted = f"{len(layers)} layers, {'at least ' if unknown else ''}{total:,} parameters"
    name = _text(_shortened(sheet.graph.name, 50))
    yield f'<text class="heading" x="{_MARGIN}" y="32">{name}</text>'
    yield f'<text class="legend" x="{_MARGIN}" y="51">{counted}</text>'
    for state, x, told in _legend(layers):
        yield f'<g class="layer {_CLASSES[state]}"><rect x="{x:.0f}" y="62" width="16" height="12" rx="2"/></g>'
        yield f'<text class="legend" x="{x + 22:.0f}" y="72">{told}</text>'


def _legend(layers: Collection[LayerSummary]) -> list[tuple[State, float, str]]:
    """What each colour means that is there, how many layers have it, and where that stands."""
    found, x = Counter(each.state for each in layers), float(_MARGIN)
    entries: list[tuple[State, float, str]] = []
    for state in (each for each in _COLOURS if found[each]):
        told = f"{_MEANINGS.get(state, state)} ({found[state]})"
        entries.append((state, x, told))
        x += 22 + len(told) * _SMALL + 18
    return entries


def _style() -> str:
    light = _rules([colours[:2] for colours in _COLOURS.values()], paper="#ffffff", ink="#1a1a1a", line="#5c5c5c")
    dark = _rules([colours[2:] for colours in _COLOURS.values()], paper="#161616", ink="#ececec", line="#a8a8a8")
    return (
        "text{font:11px system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;text-anchor:middle}"
        ".name{font-size:12px;font-weight:600}.heading{font-size:18px;font-weight:600}"
        ".shape{font-size:10px;text-anchor:end;paint-order:stroke;stroke-width:4px}"
        ".heading,.legend,.out{text-anchor:start}"
        ".layer rect{stroke-width:1.5}.layer .inner{fill:none}.new rect{stroke-dasharray:5 3}"
        ".edges path{fill:none;stroke-width:1.2}.edges .beside{stroke-dasharray:4 3}.edges .end{stroke-width:2}"
        f"{light}@media (prefers-color-scheme:dark){{{dark}}}"
    )


def _rules(colours: Sequence[tuple[str, ...]], *, paper: str, ink: str, line: str) -> str:
    boxes = "".join(
        f".{name} rect{{fill:{fill};stroke:{stroke}}}"
        for name, (fill, stroke) in zip(_CLASSES.values(), colours, strict=True)
    )
    return (
        f".paper{{fill:{paper}}}text{{fill:{ink}}}.shape{{fill:{line};stroke:{paper}}}.edges path{{stroke:{line}}}"
        f"{boxes}.layer .inner{{fill:none}}"
    )
