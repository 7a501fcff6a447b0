"""`transfer flops`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from transfer.cli.options import json_option

if TYPE_CHECKING:
    from transfer.graphs.graph import Graph


class ShapeType(click.ParamType[Any]):
    """`224,224,3`, or `image=224,224,3` for one of several inputs."""

    name = "SIZES"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        if isinstance(value, tuple):
            return value
        name, _, sizes = str(value).rpartition("=")
        parts = [part.strip() for part in sizes.replace("x", ",").split(",")]
        if not all(part.isdecimal() and int(part) for part in parts):
            self.fail(f"{value!r} is not a shape such as 224,224,3 or image=224,224,3", param, ctx)
        return name, tuple(map(int, parts))


@click.command("flops")
@click.argument("file")
@click.option(
    "--into",
    metavar="ARCH",
    help="The architecture, where FILE holds none: another file that holds it, a JSON config, a shipped checkpoint, "
    "module:function, file.py:function or app:MobileNetV2.",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    type=ShapeType(),
    help="Shape of one example, where the network takes any: 224,224,3; NAME=224,224,3 for one of several inputs.",
)
@click.option("--training", is_flag=True, help="Also what a step of training costs, from each block on.")
@click.option("--measure", is_flag=True, help="Also how fast this machine runs it, beside a matrix product.")
@click.option("--profile", is_flag=True, help="Also TensorFlow's own count, side by side.")
@click.option("--batch-size", type=click.IntRange(min=1), default=16, show_default=True, help="For --measure.")
@json_option
def command(
    file: str,
    into: str | None,
    inputs: tuple[tuple[str, tuple[int, ...]], ...],
    training: bool,
    measure: bool,
    profile: bool,
    batch_size: int,
    as_json: bool,
) -> None:
    """Count what the network in FILE costs per example: multiply-adds, other work, parameters, activations, bytes.

    FILE is a file, the name of a shipped checkpoint, or an architecture. One multiply-add (MAC) is two FLOPs; biases,
    activations, normalization and pooling stand in a column of their own.

    \b
    transfer flops pretrained.h5
    transfer flops app:MobileNetV3Small --input 224,224,3
    transfer flops mobilenet_v2_imagenet --training --measure
    """
    from transfer.cli.architectures import read_graph
    from transfer.cli.showing import show_json
    from transfer.jobs.counting_flops import count_flops, settle_shapes

    if len(inputs) > 1 and not all(name for name, _ in inputs):
        raise click.UsageError("Of several --input each needs the name of its input: NAME=224,224,3.")
    graph = read_graph(into or file)
    shape: Any = inputs[0][1] if len(inputs) == 1 and not inputs[0][0] else dict(inputs) or None
    counted = count_flops(graph, input_shape=shape)
    extra: dict[str, Any] = {}
    if training:
        from transfer.analysis.freeze_boundaries import cost_boundaries

        extra["training"] = cost_boundaries(graph, shape, shapes=settle_shapes(graph, shape))
    if measure or profile:
        extra |= _run(graph, shape, counted, batch_size if measure else None, profile=profile)
    if as_json:
        show_json({**counted.to_json(), **{name: each.to_json() for name, each in extra.items()}})
        return
    click.echo(counted)
    if "training" in extra:
        click.echo("\nmultiply-adds of one step of training, per example:")
        click.echo(extra["training"])
    if "profile" in extra:
        click.echo()
        click.echo(extra["profile"].beside(counted.flops, counted.elementwise))
    if "measured" in extra:
        click.echo()
        click.echo(extra["measured"])


def _run(graph: Graph, shape: Any, counted: Any, batch_size: int | None, *, profile: bool) -> dict[str, Any]:
    """What only a built network can tell."""
    from transfer.cli.quieting import import_tensorflow

    import_tensorflow()
    from transfer.graphs.input_shapes import with_input_shapes
    from transfer.models.building import build_graph
    from transfer.models.profiling import profile_flops
    from transfer.models.timing import measure_throughput

    model = build_graph(with_input_shapes(graph, shape))
    found: dict[str, Any] = {}
    if profile:
        found["profile"] = profile_flops(model)
    if batch_size is not None:
        found["measured"] = measure_throughput(model, counted.macs, batch_size=batch_size)
    return found
