"""A graph as DOT text, for Graphviz and what reads its language."""

from __future__ import annotations

from collections.abc import Collection

from transfer.graphs.graph import Graph
from transfer.graphs.shapes import infer_shapes
from transfer.graphs.summarizing import LayerSummary, State, format_shape, printable, summarize
from transfer.specs import distinct_names

# Fill and line, as in the drawing: Okabe & Ito (2008).
_COLOURS: dict[State, tuple[str, str]] = {
    "trainable": ("#fdebcf", "#b35c00"),
    "frozen": ("#dcebf7", "#0067a3"),
    "partly frozen": ("#dcebf7", "#b35c00"),
    "new": ("#d6f0e5", "#007a58"),
    "": ("#f4f4f4", "#7d7d7d"),
}


def draw_dot(graph: Graph, *, new: Collection[str] = ()) -> str:
    """Tell a graph in DOT: a node for each layer, nested models as one each, an edge for each tensor that is taken.

    Args:
        graph: names are quoted, whatever they hold.
        new: names of layers to mark as new.

    Raises:
        LayerError: if a name, an edge or an option is of a kind that Keras does not write.
    """
    layers = summarize(graph, new=new)
    nodes = dict(zip(graph.names, distinct_names([printable(name) for name in graph.names]), strict=True))
    shapes = infer_shapes(graph)
    lines = [
        f"digraph {_quoted(graph.name)} {{",
        '  node [shape=box, style="filled", fontname="Helvetica"];',
        '  edge [fontname="Helvetica", fontsize=10];',
    ]
    for each in layers:
        fill, line = _COLOURS[each.state]
        style = "filled,dashed" if each.state == "new" else "filled"
        more = ", peripheries=2" if each.inner else ""
        lines.append(
            f"  {_quoted(nodes[each.name])} [label={_label(each)}, "
            f'fillcolor="{fill}", color="{line}", style="{style}"{more}];'
        )
    for layer in graph:
        for ref in (ref for call in layer.calls for ref in call.sources if ref.layer in nodes):
            label = f" [label={_quoted(format_shape(shapes[ref]))}]" if ref in shapes else ""
            lines.append(f"  {_quoted(nodes[ref.layer])} -> {_quoted(nodes[layer.name])}{label};")
    return "\n".join([*lines, "}"]) + "\n"


def _label(layer: LayerSummary) -> str:
    lines = [layer.name, f"{layer.kind}, {layer.inner} layers" if layer.inner else layer.kind]
    if layer.shapes:
        lines.append(", ".join(map(format_shape, layer.shapes)))
    if layer.state:
        lines.append(layer.state if layer.parameters is None else f"{layer.parameters:,} {layer.state}")
    return '"' + r"\n".join(_quoted(each)[1:-1] for each in lines) + '"'


def _quoted(text: str) -> str:
    return '"' + printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
