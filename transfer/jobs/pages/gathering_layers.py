"""The layers of a network with what they cost and what became of them, as a report shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from transfer.analysis.counting_flops import count_graph_flops
from transfer.errors import TransferError
from transfer.graphs.graph import Graph, Ref
from transfer.graphs.summarizing import LayerSummary, format_shape, summarize
from transfer.reports.contents import LayerRow

_ORDER = ("input", "frozen", "trained", "new")


def gather_layers(
    graph: Graph,
    *,
    sizes: Mapping[str, tuple[int, ...]] | None = None,
    fresh: bool = False,
    saturated: Mapping[str, float] | None = None,
) -> tuple[LayerRow, ...]:
    """A row for each layer of a run's network; nested models are one each.

    A head is what holds weights next to an output. A layer without weights belongs to what it takes its input from.

    Args:
        graph: raw input in, answers out, its flags as in the last stage.
        sizes: of inputs whose size is open, by name.
        fresh: whether the network was trained from random weights.
        saturated: share of the units that are saturated or dead, by layer.

    Raises:
        LayerError: if the graph is not one that Keras writes.
    """
    summaries = summarize(graph)
    heads = frozenset(_heads(graph, {each.name for each in summaries if each.parameters}))
    macs, shares = _macs(graph, sizes), saturated or {}
    rows: dict[str, LayerRow] = {}
    for each in summaries:
        below = tuple(dict.fromkeys(ref.layer for call in each.takes for ref in call))
        parts = [rows[name].part for name in below if name in rows]
        rows[each.name] = LayerRow(
            name=each.name,
            kind=each.kind,
            shape=", ".join(map(format_shape, each.shapes)) or "?",
            parameters=each.parameters or 0,
            macs=macs[each.name],
            part=_part(each, heads, parts, fresh=fresh),
            below=below,
            saturated=shares.get(each.name),
        )
    return tuple(rows.values())


def _part(layer: LayerSummary, heads: frozenset[str], below: list[str], *, fresh: bool) -> str:
    if layer.name in heads or (fresh and layer.parameters):
        return "new"
    if not layer.state:
        return max(below, key=_ORDER.index, default="input")
    return "frozen" if layer.state == "frozen" else "trained"


def _heads(graph: Graph, holding: Collection[str]) -> Iterator[str]:
    """The nearest layers with weights before each output."""
    waiting: list[Ref] = list(graph.outputs)
    seen: set[Ref] = set()
    while waiting:
        ref = waiting.pop()
        if ref in seen:
            continue
        seen.add(ref)
        if ref.layer in holding:
            yield ref.layer
            continue
        layer = graph.layer(ref.layer)
        waiting += [source for call in layer.calls for source in call.sources]


def _macs(graph: Graph, sizes: Mapping[str, tuple[int, ...]] | None) -> Mapping[str, int]:
    """Multiply-adds of each layer for one example; none where they cannot be counted."""
    found: dict[str, int] = defaultdict(int)
    try:
        counted = count_graph_flops(graph, sizes or None)
    except TransferError:
        return found
    for row in counted.layers:
        found[row.name.split("/", 1)[0]] += row.macs
    return found
