"""Numbers layer by layer: what they cost, how saturated they are, how far their data has moved."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from markupsafe import Markup

from transfer.analysis.drift import COLUMNS, FAR, Drift
from transfer.reports.charts import Point, draw_bars
from transfer.reports.contents import LayerRow
from transfer.reports.shown_text import shown
from transfer.reports.tables import Cell, Table, table_of
from transfer.tabulating import format_scaled

PARTS = ("input", "frozen", "trained", "new")
_DEAREST = 5


def part_of(row: LayerRow) -> str:
    """Its part, as the style of the page calls it."""
    return row.part if row.part in PARTS else "input"


def draw_flops(layers: Sequence[LayerRow]) -> Markup:
    """FLOPs of each layer that has any, from input to output."""
    points = [
        Point(place, 2.0 * row.macs, f"{shown(row.name, 60)} ({row.kind}, {row.part}): {flops(row)}", part_of(row))
        for place, row in enumerate(row for row in layers if row.macs)
    ]
    return draw_bars(points, label="FLOPs by layer", x_title="layers, from input to output", y_title="FLOP")


def tabulate_dearest(layers: Sequence[LayerRow]) -> Table:
    """The layers that cost most."""
    whole = sum(row.macs for row in layers) or 1
    dearest = sorted(layers, key=lambda row: -row.macs)[:_DEAREST]
    rows = [
        (shown(row.name), shown(row.kind), row.part, Cell(flops(row), row.macs), f"{100 * row.macs / whole:.1f} %")
        for row in dearest
        if row.macs
    ]
    return table_of("the dearest layers", ("layer", "class", "part", "FLOP", "share"), rows, ("FLOP", "share"))


def flops(row: LayerRow) -> str:
    """Its FLOPs as they are read."""
    return f"{format_scaled(2 * row.macs).rstrip()}"


def tabulate_layers(layers: Sequence[LayerRow]) -> Table:
    """All layers, in the order of their graph."""
    looked = any(row.saturated is not None for row in layers)
    columns = ("#", "layer", "class", "output", "parameters", "FLOP", "part", *(("saturated",) if looked else ()))
    rows = []
    for place, row in enumerate(layers, 1):
        share = "" if row.saturated is None else f"{100 * row.saturated:.1f} %"
        cells = [f"{place}", row.name, row.kind, row.shape, f"{row.parameters:,}"]
        rows.append((*cells, Cell(flops(row), row.macs), row.part, *((share,) if looked else ())))
    return table_of("layers of the network", columns, rows, ("#", "parameters", "FLOP", "saturated"))


def draw_saturation(layers: Sequence[LayerRow]) -> Markup:
    """The share of saturated or dead units of each layer that was looked at."""
    looked = [row for row in layers if row.saturated is not None and isfinite(row.saturated)]
    points = [
        Point(place, row.saturated, f"{shown(row.name, 60)}: {100 * (row.saturated or 0):.1f} % of units", part_of(row))
        for place, row in enumerate(looked)
    ]
    return draw_bars(
        points,
        label="share of saturated or dead units by layer",
        x_title="layers, from input to output",
        y_title="share of units",
        y_range=(0.0, 1.0),
    )


def draw_drift(drift: Drift) -> Markup:
    """The score of each batch norm; one that is not finite as high as the highest."""
    top = max([FAR, *(each.score for each in drift.layers if isfinite(each.score))])
    points = [
        Point(
            place,
            min(each.score, top),
            f"{shown(each.layer, 60)}: {each.score:.3f} nats",
            "near" if each.score <= FAR else "far",
        )
        for place, each in enumerate(drift.layers)
    ]
    return draw_bars(points, label="drift by layer", x_title="batch norms, from input to output", y_title="nats")


def tabulate_drift(drift: Drift) -> Table:
    """Each batch norm."""
    columns = (*COLUMNS[:-1], "far")
    return table_of("drift by layer", columns, drift.rows(), COLUMNS[1:-1])
