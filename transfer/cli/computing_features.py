"""`transfer features`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transfer.cli.engine_options import engine_options
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
    from transfer.jobs.features.estimating_features import FeatureEstimate
    from transfer.specs import Restoring

_SHORT_SECONDS = 10.0


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
@engine_options
@click.option(
    "--threads", type=click.IntRange(min=1), help="Of this process, or of each worker: all processors, or one."
)
@click.option("--dry-run", is_flag=True, help="Say what it needs and how long it should take, and stop.")
@click.option("--resume", is_flag=True, help="Go on with what OUT holds, as is done anyway; it has to hold something.")
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
    engine: str,
    address: str | None,
    workers: int | None,
    threads: int | None,
    dry_run: bool,
    resume: bool,
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
    transfer features mobilenet_v2_imagenet manifest.csv -o features/ --engine ray --address head:6379 --workers 64
    """
    from transfer.cli.engine_options import open_engine
    from transfer.cli.quieting import import_tensorflow
    from transfer.cli.showing import progress_bar, show_json

    import_tensorflow(threads)
    from transfer.jobs.features.computing_features import compute_features, estimate_features

    if resume:
        _refuse_nothing(out)
    with open_engine(engine, address, workers, threads) as where, progress_bar() as progress:
        asked: dict[str, Any] = {
            "at": at,
            "into": into,
            "restoring": restoring,
            "preprocessing": preprocessing_named(preprocessing),
            "size": size,
            "format": form,
            "shard_rows": shard_rows,
            "engine": where,
        }
        if dry_run:
            estimate = estimate_features(file, data, out, **asked)
            show_json(estimate.to_json(), of="features-dry-run") if as_json else click.echo(estimate)
            return
        found = compute_features(file, data, out, **asked, before=_tell, progress=progress)
    if as_json:
        show_json(found.to_json())
    else:
        click.echo(found)


def _tell(estimate: FeatureEstimate) -> None:
    """Say what is to come, where it is worth waiting for."""
    from transfer.cli.showing import show_note

    if estimate.seconds > _SHORT_SECONDS:
        show_note(str(estimate))


def _refuse_nothing(out: Path) -> None:
    """Refuse to go on with what is not there."""
    from transfer.data.feature_records import read_manifest
    from transfer.errors import OutputError

    if read_manifest(out) is None:
        raise OutputError(f"{out} holds nothing to go on with.", next_step="leave out --resume to begin, or see to -o")
