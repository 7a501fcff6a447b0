"""`transfer predict`."""

from __future__ import annotations

from pathlib import Path

import click

from transfer.cli.options import classes_option, json_option, strict_option


@click.command("predict")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@classes_option
@strict_option
@json_option
def command(run: Path, inputs: tuple[Path, ...], into: str | None, strict: bool, as_json: bool) -> None:
    """Give each of the INPUTS its classes with their probabilities: pictures, folders of them, a table or an .npz.

    A table (CSV, TSV, Parquet) has a column of paths or addresses, such as `file`; an .npz has an array x.

    \b
    transfer predict runs/photos new.jpg more/
    transfer predict runs/photos manifest.csv
    """
    from transfer.cli.architectures import read_classes
    from transfer.cli.quieting import import_tensorflow
    from transfer.cli.showing import progress_bar, show_json, show_problems, show_table

    import_tensorflow()
    from transfer.jobs.runs.predicting import predict

    with progress_bar() as progress:
        found = predict(run, inputs, custom_objects=read_classes(into), strict=strict, progress=progress)
    if as_json:
        show_json(found.to_json())
        return
    show_problems("left out", found.left_out)
    show_table(found.columns, found.rows, numbers=("probability",))
