"""`transfer convert`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from transfer.cli.completing import complete_architectures
from transfer.cli.options import backend_option, era_option, file_argument, force_option, json_option

if TYPE_CHECKING:
    from transfer.graphs.graph import Graph


@click.command("convert")
@file_argument
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--into",
    metavar="ARCH",
    shell_complete=complete_architectures,
    help="The architecture, where FILE holds none: another file that holds it, a JSON config, a shipped checkpoint, "
    "module:function, file.py:function or app:MobileNetV2.",
)
@click.option("--weights-only", is_flag=True, help="Leave the architecture out of a legacy file; its card keeps it.")
@era_option
@backend_option
@click.option("--allow-nonfinite", is_flag=True, help="Let NaN and infinities replace a finite file.")
@force_option
@json_option
def command(file: str, out: Path, into: str | None, as_json: bool, **options: object) -> None:
    """Write FILE in another layout: OUT.weights.h5, OUT.keras, OUT.h5 or OUT.safetensors. Values keep their bits.

    \b
    transfer convert keras1_model.h5 model.keras
    transfer convert pretrained_weights.h5 weights.safetensors
    transfer convert weights.safetensors model.weights.h5 --into model.keras
    """
    from transfer.surgery.converting import convert

    done = convert(file, out, into=_graph(into), **options)  # type: ignore[arg-type]  # click has checked them
    if as_json:
        from transfer.cli.showing import show_json

        show_json(done.to_json())
    else:
        click.echo(done)


def _graph(into: str | None) -> Graph | None:
    """The architecture that is meant: from a file alone, or from the model that a builder makes."""
    if into is None:
        return None
    from transfer.surgery.planning import read_architecture

    graph = read_architecture(into)
    if graph is not None:
        return graph
    from transfer.cli.quieting import import_tensorflow

    import_tensorflow()
    from transfer.models.architectures import build_named
    from transfer.models.building import read_model

    return read_model(build_named(into)).graph
