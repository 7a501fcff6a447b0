"""`transfer graph`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transfer.cli.completing import complete_architectures
from transfer.cli.options import file_argument, force_option, json_option

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from transfer.graphs.graph import Graph, Ref
    from transfer.graphs.summarizing import LayerSummary

COLUMNS = ("layer", "class", "output", "parameters", "", "takes")
SUFFIXES = (".svg", ".dot")


@click.command("graph")
@file_argument
@click.option(
    "--into",
    metavar="ARCH",
    shell_complete=complete_architectures,
    help="The architecture, where FILE holds none: another file that holds it, a JSON config, a shipped checkpoint, "
    "module:function, file.py:function or app:MobileNetV2. Layers of which FILE holds nothing are told as new.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="NAME.svg|NAME.dot",
    help="Draw it, as a picture or for Graphviz.",
)
@click.option("--flatten", "is_flat", is_flag=True, help="Open nested models.")
@force_option
@json_option
def command(file: str, into: str | None, out: Path | None, is_flat: bool, force: bool, as_json: bool) -> None:
    """Show the layers of FILE: a file, the name of a shipped checkpoint, or an architecture.

    \b
    transfer graph digits_mlp
    transfer graph student.keras --flatten -o student.svg
    transfer graph pretrained_weights.h5 --into module:create_model
    transfer graph app:ResNet50 -o resnet50.dot
    """
    if out is not None and out.suffix not in SUFFIXES:
        raise click.UsageError(f"{out} does not tell what to draw: expected a name that ends in .svg or .dot.")
    from transfer.cli.architectures import read_graph
    from transfer.graphs.summarizing import summarize
    from transfer.placing import refuse_existing

    if out is not None:
        refuse_existing(out, force=force)
    graph = read_graph(into or file)
    original, paths = graph, {name: name for name in graph.names}
    if is_flat:
        from transfer.graphs.flattening import flatten

        opened = flatten(graph)
        graph, paths = opened.graph, dict(opened.names)
    new = frozenset[str]() if into is None else _absent(file, original, paths)
    if out is not None:
        _draw(graph, out, new, force=force)
    layers = summarize(graph, new=new)
    if as_json:
        from transfer.cli.showing import show_json

        show_json(_to_json(graph, layers, out))
        return
    _show(graph, layers)
    if out is not None:
        click.echo(f"drawn: {out}")


def _absent(file: str, graph: Graph, paths: Mapping[str, str]) -> frozenset[str]:
    """Layers that would find nothing in a file, by the plan of a restore.

    Args:
        file: with weights.
        graph: the architecture that they are for.
        paths: of layers in it, to the names that they go by.
    """
    from transfer.cli.showing import show_note
    from transfer.errors import LayerError
    from transfer.specs import Restoring
    from transfer.surgery.planning import plan_into_graph
    from transfer.weights.opening import open_checkpoint

    checkpoint = open_checkpoint(file)
    try:
        plan = plan_into_graph(checkpoint, graph, Restoring(era="ignore")).plan
    except LayerError as error:
        show_note(f"what of it {file} holds is not known: {error.summary}")
        return frozenset()
    found = {each for pair in plan.pairs for each in _around(pair.wanted)}
    lacking = {each for name in (*plan.missing, *(each.where for each in plan.misshapen)) for each in _around(name)}
    return frozenset(name for path, name in paths.items() if path in lacking - found)


def _around(tensor: str) -> Iterator[str]:
    """`backbone/conv1/kernel` → `backbone`, `backbone/conv1`."""
    parts = tensor.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def _draw(graph: Graph, out: Path, new: Collection[str], *, force: bool) -> None:
    from transfer.graphs.dot import draw_dot
    from transfer.graphs.drawing import draw_svg
    from transfer.placing import placed_file

    text = draw_svg(graph, new=new) if out.suffix == ".svg" else draw_dot(graph, new=new)
    with placed_file(out, force=force) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _show(graph: Graph, layers: Sequence[LayerSummary]) -> None:
    from transfer.cli.showing import show_table
    from transfer.graphs.summarizing import format_shape, format_takes, printable

    rows = [
        (
            printable(each.name),
            printable(f"{each.kind} ({each.inner} layers)" if each.inner else each.kind),
            printable(", ".join(map(format_shape, each.shapes)) or "?"),
            "?" if each.parameters is None else f"{each.parameters:,}",
            each.state,
            printable(format_takes(each)),
        )
        for each in layers
    ]
    show_table(COLUMNS, rows, numbers=("parameters",))
    counts = _counts(layers)
    least = "at least " if counts["unknown_layers"] else ""
    click.echo()
    click.echo(
        f"{printable(graph.name)}: {len(layers)} layers; {least}{counts['parameters']:,} parameters, "
        f"{counts['trainable_parameters']:,} trainable and {counts['fixed_parameters']:,} not"
    )
    if counts["unknown_layers"]:
        click.echo(f"not known without building them: {', '.join(map(printable, counts['unknown_layers']))}")


def _counts(layers: Sequence[LayerSummary]) -> dict[str, Any]:
    held = sum(each.parameters or 0 for each in layers)
    trainable = sum(each.trainable or 0 for each in layers)
    unknown = [each.name for each in layers if each.parameters is None]
    return {
        "parameters": held,
        "trainable_parameters": trainable,
        "fixed_parameters": held - trainable,
        "unknown_layers": unknown,
    }


def _to_json(graph: Graph, layers: Sequence[LayerSummary], out: Path | None) -> dict[str, Any]:
    return {
        "name": graph.name,
        **_counts(layers),
        "inputs": [ref.layer for ref in graph.inputs],
        "outputs": [_ref(ref) for ref in graph.outputs],
        "layers": [
            {
                "name": each.name,
                "class": each.kind,
                "inner_layers": each.inner,
                "output_shapes": each.shapes,
                "parameters": each.parameters,
                "trainable_parameters": each.trainable,
                "state": each.state,
                "takes": [[_ref(ref) for ref in call] for call in each.takes],
            }
            for each in layers
        ],
        "drawn": None if out is None else str(out),
    }


def _ref(ref: Ref) -> dict[str, Any]:
    return {"layer": ref.layer, "call": ref.node, "output": ref.tensor}
