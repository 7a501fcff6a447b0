"""`transfer drift`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from transfer.cli.options import (
    PREPROCESSING_NAMES,
    ChoiceType,
    SizeType,
    file_argument,
    into_option,
    json_option,
    preprocessing_named,
    restoring_options,
    seed_option,
)

if TYPE_CHECKING:
    from transfer.specs import Restoring


@click.command("drift")
@file_argument
@click.argument("data", type=click.Path(path_type=Path))
@into_option
@restoring_options
@click.option(
    "--size", type=SizeType(), help="Fit images to this, keeping their aspect ratio: 160 or 160x224 (height x width)."
)
@click.option(
    "--preprocessing",
    type=ChoiceType(PREPROCESSING_NAMES),
    help="How images are prepared, where FILE has no card, or to try another way.",
)
@click.option(
    "--most", type=click.IntRange(min=1), default=256, show_default=True, help="Look at no more examples than this."
)
@seed_option
@json_option
def command(
    file: str,
    data: Path,
    into: str | None,
    size: tuple[int, int] | None,
    preprocessing: str | None,
    most: int,
    seed: int,
    as_json: bool,
    restoring: Restoring,
) -> None:
    """Say whether FILE, a checkpoint or a run's folder, fits DATA: its batch norms have kept what they saw in training.

    DATA is a picture, a folder of pictures, a table (CSV, TSV, Parquet) of pictures, or an .npz with an array x; it
    needs no labels. Wrong preprocessing is named, with what to do; then, layer by layer, how far the data lies from
    that of the training.

    \b
    transfer drift mobilenet_v2_imagenet photos/
    transfer drift resnet50.h5 photos/ --into app:ResNet50 --preprocessing caffe
    transfer drift runs/photos more-photos/
    """
    from transfer.cli.showing import progress_bar, show_json
    from transfer.cli.sources import open_source
    from transfer.data.forms import as_examples

    examples = as_examples(data, remote=True)
    source = open_source(file, into)
    from transfer.jobs.diagnoses.measuring_drift import measure_drift

    with progress_bar() as progress:
        drift = measure_drift(
            source,
            examples,
            into=into,
            restoring=restoring,
            preprocessing=preprocessing_named(preprocessing),
            size=size,
            most=most,
            seed=seed,
            progress=progress,
        )
    show_json(drift.to_json()) if as_json else click.echo(drift)
