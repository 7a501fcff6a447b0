"""Charts as pictures within the page, that need no script: pygal draws them, the page's own style colours them.

Plotly was weighed first. Its script alone is 4.8 MB on every page, and the preview of a mail on a phone runs no script,
so that nothing would be seen there. What pygal brings of its own to a page (style, a script from elsewhere, an
identifier drawn at random) is taken out: one style for all charts, dark and light, and the same bytes each time.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import pygal
from markupsafe import Markup
from pygal.style import Style

from transfer.reports.scales import spread_ticks
from transfer.reports.shown_text import shown
from transfer.tabulating import format_scaled

# pygal leaves a finder of maps among Python's own, of a kind that Python 3.11 warns of whenever a module is not found.
sys.meta_path[:] = [each for each in sys.meta_path if type(each).__module__ != "pygal"]

WIDTH, HEIGHT = 420, 230  # near what a phone has, so that letters keep their size there
_LETTERS = 12
_LARGEST = 1e100
_SVG = "http://www.w3.org/2000/svg"
_LONG = re.compile(r"(\d\.\d)\d+")
_DROPPED = {"style", "script", "title"}


@dataclass(frozen=True, slots=True)
class Point:
    """A value on a chart.

    Attributes:
        x: along it; of bars their place.
        y: its height; None for none.
        told: what is said of it.
        paint: name of its colour; empty for that of its series.
        size: of its dot.
    """

    x: float
    y: float | None
    told: str
    paint: str = ""
    size: float = 0.0


@dataclass(frozen=True, slots=True)
class Series:
    """Points that belong together.

    Attributes:
        name: from us.
        paint: name of its colour and dashes in the page's style.
        points: in order.
        is_line: whether a line joins them.
    """

    name: str
    paint: str
    points: tuple[Point, ...]
    is_line: bool = True


def has_place(value: float | None) -> bool:
    """Whether a number is one that a scale can hold; pygal squares them."""
    return value is not None and abs(value) <= _LARGEST


def draw_points(
    series: Sequence[Series],
    *,
    label: str,
    x_title: str,
    y_title: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
) -> Markup:
    """Lines and dots over a scale of numbers; nothing where no point has a height.

    Args:
        series: what is drawn.
        label: what it is, for those who do not see it.
        x_title: below it.
        y_title: beside it.
        x_range: by default that of the points, likewise `y_range`.
        y_range: ends of the scale.
    """
    heights = [each.y for one in series for each in one.points if each.y is not None and has_place(each.y)]
    if not heights:
        return Markup()
    xs = [each.x for one in series for each in one.points if has_place(each.x)] or [0.0]
    chart = pygal.XY(**_settings(x_title, y_title), show_x_guides=False)
    across = spread_ticks(*(x_range or (min(xs), max(xs))))
    if x_range is None and all(float(each).is_integer() for each in xs):  # epochs have no halves
        across = sorted({float(round(each)) for each in across if min(xs) <= each <= max(xs)} | {min(xs)})
    up = spread_ticks(*(y_range or (min(heights), max(heights))))
    chart.x_labels = [{"label": f"{each:.4g}", "value": each} for each in across]
    chart.xrange = (min([*xs, across[0]]), max([*xs, across[-1]])) if len(set(xs)) > 1 else (xs[0] - 1, xs[0] + 1)
    _scale_up(chart, up)
    for one in series:
        values = [_value(each) if has_place(each.x) and has_place(each.y) else None for each in one.points]
        chart.add(one.name, values, stroke=one.is_line, show_dots=any(each.told for each in one.points))
    return _drawn(chart, series, label)


def draw_bars(
    points: Sequence[Point], *, label: str, x_title: str, y_title: str, y_range: tuple[float, float] | None = None
) -> Markup:
    """A bar for each point, in order; nothing where there is none.

    Args:
        points: each with its paint; what has no finite height has no bar.
        label: as of `draw_points`, and so are the others.
        x_title: below it.
        y_title: beside it.
        y_range: ends of the scale; by default from 0 to the highest.
    """
    heights = [each.y for each in points if each.y is not None and has_place(each.y)]
    if not heights:
        return Markup()
    chart = pygal.Bar(**_settings(x_title, y_title), show_x_labels=False)
    _scale_up(chart, spread_ticks(*(y_range or (0.0, max(heights) or 1.0))))
    values = []
    for each in points:
        node = {"class": f"rect hoverable paint-{each.paint}"}
        known = has_place(each.y)
        values.append({"value": each.y, "node": node, "label": shown(each.told, 300)} if known else None)
    chart.add("", values)
    return _drawn(chart, [Series("", "plain", ())], label)


def _settings(x_title: str, y_title: str) -> dict[str, Any]:
    letters = dict.fromkeys(
        (f"{each}_font_size" for each in ("label", "major_label", "title", "value", "tooltip", "legend")), _LETTERS
    )
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "margin": 6,
        "spacing": 6,
        "show_legend": False,  # the page has one, which wraps
        "style": Style(**letters),
        "js": (),
        "css": (),
        "x_title": x_title,
        "y_title": y_title,
        "disable_xml_declaration": True,
        "dots_size": 3,
    }


def _scale_up(chart: Any, ticks: Sequence[float]) -> None:
    scaled = max(map(abs, ticks)) >= 10_000
    chart.y_labels = [
        {"label": format_scaled(each).strip() if scaled else f"{each:.4g}", "value": each} for each in ticks
    ]
    chart.range = (ticks[0], ticks[-1])


def _value(point: Point) -> dict[str, Any]:
    value: dict[str, Any] = {"value": (point.x, point.y), "label": shown(point.told, 300)}
    if point.size:
        value["node"] = {"r": f"{point.size:.1f}"}
    return value


def _drawn(chart: Any, series: Sequence[Series], label: str) -> Markup:
    """Its picture: colours by class, values as titles, nothing of pygal's own about it."""
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(chart.render(is_unicode=True))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.removeprefix(f"{{{_SVG}}}") in _DROPPED:
                parent.remove(child)
    for node in root.iter():
        classes = node.get("class", "")
        found = re.search(r"\bcolor-(\d+)", classes)
        if found:
            node.set("class", f"series paint-{series[int(found[1])].paint}")
        for name, value in list(node.attrib.items()):
            if name in ("style", "id") or name.startswith("{"):
                del node.attrib[name]
            else:
                node.set(name, _LONG.sub(r"\1", value))
        _tell(node)
        if node.get("class", "").startswith(("axis ", "titles")):
            node.set("aria-hidden", "true")  # what a point says of itself has them
    root.attrib |= {"class": "chart", "role": "group", "aria-label": label, "viewBox": f"0 0 {WIDTH} {HEIGHT}"}
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _tell(node: ElementTree.Element) -> None:
    """Turn pygal's descriptions, which its script would read, into a title, which every browser shows."""
    told = [child for child in node if child.tag == f"{{{_SVG}}}desc"]
    if not told:
        return
    texts = {child.get("class", ""): child.text or "" for child in told}
    for child in told:
        node.remove(child)
    text = next((child.text for child in told if child.get("class") == "x_label"), "") or ""
    label = texts.get("label", "") or text or texts.get("value", "")
    title = ElementTree.Element(f"{{{_SVG}}}title")
    title.text = label
    node.insert(0, title)
    node.set("class", f"{node.get('class', '')} hover".strip())
