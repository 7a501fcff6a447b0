"""`transfer curve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from transfer.cli.caching import cache_options
from transfer.cli.completing import complete_recipes
from transfer.cli.engine_options import engine_options, open_engine, threads_here, threads_option
from transfer.cli.labelling_options import labelling_options
from transfer.cli.options import (
    PREPROCESSING_NAMES,
    ChoiceType,
    ShotsType,
    SizeType,
    at_option,
    file_argument,
    into_option,
    json_option,
    preprocessing_named,
    restoring_options,
    seed_option,
    unreadable_option,
)

if TYPE_CHECKING:
    from transfer.cli.labelling_options import LabelChoice
    from transfer.jobs.examples.cached_features import Cache
    from transfer.specs import Restoring


@click.command("curve")
@file_argument
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--shots", type=ShotsType(), default="1,5,10,20,50", show_default=True, help="Labels a class to try.")
@click.option(
    "--recipe",
    "recipes",
    multiple=True,
    shell_complete=complete_recipes,
    help="A recipe to follow, by name; may be given several times. scratch shows what pretraining is worth, and takes "
    "long.  [default: lp-ft]",
)
@click.option(
    "--divisions", type=click.IntRange(min=2), default=5, show_default=True, help="Of DATA, to learn and test."
)
@into_option
@restoring_options
@at_option
@click.option(
    "--size", type=SizeType(), help="Fit images to this, keeping their aspect ratio: 160 or 160x224 (height x width)."
)
@click.option("--preprocessing", type=ChoiceType(PREPROCESSING_NAMES), help="How images are prepared.")
@labelling_options
@seed_option
@engine_options
@threads_option
@cache_options
@unreadable_option
@json_option
def command(
    file: str,
    data: Path,
    shots: tuple[int, ...],
    recipes: tuple[str, ...],
    divisions: int,
    into: str | None,
    restoring: Restoring,
    at: str | None,
    size: tuple[int, int] | None,
    preprocessing: str | None,
    labelled_by: LabelChoice,
    seed: int,
    engine: str,
    address: str | None,
    workers: int | None,
    threads: int | None,
    cache: Cache | None,
    skip_unreadable: bool,
    as_json: bool,
) -> None:
    """Learn DATA from FILE with few and with more labels, and say how many labels the pretraining is worth.

    For each number of shots (labels a class) the network is fine-tuned on parts of DATA, and beside it stand a probe on
    the same network with random weights and the baselines on raw input. Then: at how many labels those that know
    nothing from before are as good, and from how many labels on more bring little, or that more still pay.

    \b
    transfer curve mobilenet_v2_imagenet photos/
    transfer curve mobilenet_v2_imagenet photos/ --shots 2,10,40 --recipe probe --recipe scratch
    transfer curve mobilenet_v2_imagenet photos/ --recipe full --engine ray --address head:6379
    """
    from transfer.cli.quieting import import_tensorflow
    from transfer.cli.showing import progress_bar, show_json, show_note, show_table
    from transfer.weights.opening import open_checkpoint

    labelled, _ = labelled_by.read(data, strict=False, skip_unreadable=skip_unreadable, leniently=False)
    checkpoint = open_checkpoint(file)
    import_tensorflow(threads_here(engine, threads))
    from transfer.analysis.estimates import spoken
    from transfer.jobs.comparisons.drawing_curves import draw_curve
    from transfer.jobs.comparisons.forecasting_curves import forecast_training
    from transfer.jobs.finetuning.learning import Learning, prepare_file
    from transfer.training.devices import make_repeatable

    make_repeatable()
    how = Learning(into=into, restoring=restoring, at=at, size=size, preprocessing=preprocessing_named(preprocessing))
    if "scratch" in recipes and labelled.labelling.is_single:
        seconds = forecast_training(checkpoint, labelled, how, "scratch", shots=shots, divisions=divisions)
        show_note(f"scratch   trains for about {spoken(seconds)} here in all")
    _, student = prepare_file(checkpoint, labelled, how)
    with open_engine(engine, address, workers, threads) as where, progress_bar() as progress:
        curve = draw_curve(
            student,
            labelled,
            shots=shots,
            recipes=recipes or ("lp-ft",),
            divisions=divisions,
            skip_unreadable=skip_unreadable,
            seed=seed,
            preprocessing=preprocessing_named(preprocessing),
            size=size,
            cache=cache,
            engine=where,
            progress=progress,
        )
    if as_json:
        show_json(curve.to_json())
        return
    columns, rows, numbers = curve.table
    show_table(columns, rows, numbers=numbers)
    click.echo("\n" + "\n".join(curve.closing))
