"""`transfer features`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transfer.cli.options import (
    PREPROCESSING_NAMES,
    ChoiceType,
    SizeType,
    at_option,
    file_argument,
    into_option,
    json_option,
    preprocessing_named,
    restoring_options,
)

if TYPE_CHECKING:
    from transfer.specs import Restoring


@click.command("features")
@file_argument
@click.argument("data", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="A folder: new, or of this request.")
@into_option
@at_option
@click.option("--preprocessing", type=ChoiceType(PREPROCESSING_NAMES), help="How images are prepared.")
@click.option(
    "--size", type=SizeType(), help="Fit images to this, keeping their aspect ratio: 160 or 160x224 (height x width)."
)
@click.option(
    "--format",
    "form",
    type=ChoiceType(["hdf5", "parquet"]),
    default="hdf5",
    show_default=True,
    help="Of the shards: as the cache has them, or for other programs.",
)
@click.option("--shard-rows", type=click.IntRange(min=1), default=1024, show_default=True, help="Examples of a shard.")
@restoring_options
@json_option
def command(
    file: str,
    data: Path,
    out: Path,
    into: str | None,
    at: str | None,
    preprocessing: str | None,
    size: tuple[int, int] | None,
    form: Any,
    shard_rows: int,
    restoring: Restoring,
    as_json: bool,
) -> None:
    """Run FILE up to its features once over all of DATA, and keep them in a folder of shards.

    DATA is a folder of pictures with all below it, a CSV or Parquet table with a column of paths, or a file of arrays:
    .npz or HDF5 with x, IDX images. Labels are not looked at. Asked for again, only what is missing is computed; what
    cannot be read stands in OUT/failed.csv and ends nothing. OUT/manifest.json says what was asked, and for each shard
    its rows, their ids and its SHA-256.

    \b
    transfer features mobilenet_v2_imagenet photos/ -o features/
    transfer features vgg16.h5 manifest.csv --at block5_pool --preprocessing caffe -o features/
    transfer finetune mobilenet_v2_imagenet photos/ --cache features/ -o runs/photos
    """
    from transfer.cli.quieting import import_tensorflow
    from transfer.cli.showing import progress_bar, show_json

    import_tensorflow()
    from transfer.jobs.computing_features import compute_features
    from transfer.training.devices import make_repeatable

    make_repeatable()
    with progress_bar() as progress:
        found = compute_features(
            file,
            data,
            out,
            at=at,
            into=into,
            restoring=restoring,
            preprocessing=preprocessing_named(preprocessing),
            size=size,
            format=form,
            shard_rows=shard_rows,
            progress=progress,
        )
    if as_json:
        show_json(found.to_json())
    else:
        click.echo(found)
