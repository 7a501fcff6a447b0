"""`transfer export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from transfer.cli.options import ChoiceType, classes_option, force_option, json_option


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="NAME.onnx, NAME.tflite, or a new folder for a SavedModel.",
)
@click.option(
    "--format",
    "written_as",
    type=ChoiceType(["saved_model", "onnx", "litert"]),
    help="By default what the name of OUT says.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Examples on which answers are compared.  [default: those of the run, where they still lie]",
)
@force_option
@classes_option
@json_option
def command(
    run: Path, out: Path, written_as: Any, data: Path | None, force: bool, into: str | None, as_json: bool
) -> None:
    """Write the network of a finished RUN for other runtimes: ONNX, LiteRT or a SavedModel.

    What was written is run on real examples and held against the answers of the run; nothing is written where it
    answers otherwise. ONNX and LiteRT need the extra: pip install 'h5transfer[export]'.

    \b
    transfer export runs/photos -o photos.onnx
    transfer export runs/photos -o photos.tflite --data new/
    """
    from transfer.cli.architectures import read_classes
    from transfer.cli.quieting import import_tensorflow
    from transfer.cli.showing import show_json
    from transfer.placing import refuse_existing

    refuse_existing(out, force=force, parents=not out.suffix)
    import_tensorflow()
    from transfer.jobs.runs.exporting import export

    found = export(run, out, format=written_as, inputs=data, custom_objects=read_classes(into), force=force)
    show_json(found.to_json()) if as_json else click.echo(found)
