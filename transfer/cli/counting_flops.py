"""`transfer flops`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from transfer.cli.completing import complete_architectures
from transfer.cli.options import file_argument, json_option

if TYPE_CHECKING:
    import keras

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
@file_argument
@click.option(
    "--into",
    metavar="ARCH",
    shell_complete=complete_architectures,
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
    from transfer.analysis.counting_flops import count_graph_flops
    from transfer.cli.architectures import read_source
    from transfer.cli.showing import show_json

    if len(inputs) > 1 and not all(name for name, _ in inputs):
        raise click.UsageError("Of several --input each needs the name of its input: NAME=224,224,3.")
    source = read_source(into or file)
    shape: Any = inputs[0][1] if len(inputs) == 1 and not inputs[0][0] else dict(inputs) or None
    graph, shapes = _settle(source, shape)
    counted = count_graph_flops(graph, shape, shapes=shapes)
    extra: dict[str, Any] = {}
    if training:
        from transfer.analysis.freeze_boundaries import cost_boundaries

        extra["training"] = cost_boundaries(graph, shape, shapes=shapes)
    if measure or profile:
        extra |= _run(source, shape, counted, batch_size if measure else None, profile=profile)
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


def _settle(source: Graph | keras.Model, shape: Any) -> tuple[Graph, Any]:
    """The graph, and shapes that only Keras can tell."""
    from transfer.cli.quieting import import_tensorflow
    from transfer.graphs.graph import Graph
    from transfer.jobs.diagnoses.counting_flops import needs_keras, settle_source

    if isinstance(source, Graph) and needs_keras(source, shape):
        import_tensorflow()
    return settle_source(source, shape)


def _run(
    source: Graph | keras.Model, shape: Any, counted: Any, batch_size: int | None, *, profile: bool
) -> dict[str, Any]:
    """What only a built network can tell."""
    from transfer.cli.quieting import import_tensorflow

    import_tensorflow()
    from transfer.models.profiling import profile_flops
    from transfer.models.shaping import sized_model
    from transfer.models.timing import measure_throughput

    model = sized_model(source, shape)
    found: dict[str, Any] = {}
    if profile:
        found["profile"] = profile_flops(model)
    if batch_size is not None:
        found["measured"] = measure_throughput(model, counted.macs, batch_size=batch_size)
    return found
