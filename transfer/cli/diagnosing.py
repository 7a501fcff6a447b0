"""`transfer diagnose`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from transfer.cli.options import (
    PREPROCESSING_NAMES,
    ChoiceType,
    SizeType,
    file_argument,
    force_option,
    into_option,
    json_option,
    preprocessing_named,
    restoring_options,
    seed_option,
    strict_option,
    unreadable_option,
)

if TYPE_CHECKING:
    from transfer.specs import Restoring


@click.command("diagnose")
@file_argument
@click.argument("data", type=click.Path(path_type=Path))
@into_option
@restoring_options
@click.option("--size", type=SizeType(), help="Fit images to this: 160 or 160x224 (height x width).")
@click.option(
    "--preprocessing",
    type=ChoiceType(PREPROCESSING_NAMES),
    help="How images are prepared, where FILE has no card.",
)
@click.option(
    "--batches",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Of 16 examples each, for the gradients; the activations are those of all examples.",
)
@click.option("--fix", is_flag=True, help="Write the network with what can safely be mended to -o OUT.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="For --fix: a new .keras archive, or weights with a card."
)
@seed_option
@strict_option
@unreadable_option
@force_option
@json_option
def command(
    file: str,
    data: Path,
    into: str | None,
    size: tuple[int, int] | None,
    preprocessing: str | None,
    batches: int,
    fix: bool,
    out: Path | None,
    seed: int,
    strict: bool,
    skip_unreadable: bool,
    force: bool,
    as_json: bool,
    restoring: Restoring,
) -> None:
    """Send the labelled set DATA through FILE, a checkpoint or a run's folder, and say what keeps it from learning.

    Shows for each activation how much of it is saturated or dead, for each layer its gradient beside its weights, and
    for what is wrong its cause and what to do. 'low' and 'high' are shares of values at the flat ends of an activation;
    for ReLU 'low' is what is not active.

    \b
    transfer diagnose mobilenet_v2_imagenet photos/ --size 96
    transfer diagnose untrained.keras photos/ --preprocessing unit --fix -o mended.keras
    transfer diagnose runs/photos photos/
    """
    if fix != (out is not None):
        raise click.UsageError("--fix and -o OUT go together.")
    from transfer.cli.showing import progress_bar, show_json, show_problems
    from transfer.cli.sources import open_source
    from transfer.data.reading import read_labelled

    labelled = read_labelled(data, strict=strict, skip_unreadable=skip_unreadable)
    source = open_source(file, into)
    from transfer.jobs.diagnoses.diagnosing import diagnose

    with progress_bar() as progress:
        diagnosis = diagnose(
            source,
            labelled,
            into=into,
            restoring=restoring,
            preprocessing=preprocessing_named(preprocessing),
            size=size,
            batches=batches,
            seed=seed,
            skip_unreadable=skip_unreadable,
            fix=out,
            force=force,
            progress=progress,
        )
    if as_json:
        show_json(diagnosis.to_json())
        return
    show_problems("left out", labelled.problems)
    click.echo(diagnosis)
