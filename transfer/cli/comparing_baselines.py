"""`transfer baselines`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from transfer.cli.caching import cache_options
from transfer.cli.completing import complete_recipes
from transfer.cli.labelling_options import labelling_options
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
    seed_option,
    unreadable_option,
)
from transfer.cli.recipe_options import chosen_recipe

if TYPE_CHECKING:
    from transfer.cli.labelling_options import LabelChoice
    from transfer.jobs.examples.cached_features import Cache
    from transfer.specs import Restoring


@click.command("baselines")
@file_argument
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--shots", type=click.IntRange(min=1), help="Learn from so many of each class in each fold.")
@click.option("--folds", type=click.IntRange(min=2), default=5, show_default=True, help="To deal DATA into.")
@click.option("--repeats", type=click.IntRange(min=1), default=5, show_default=True, help="Deal so many times.")
@click.option(
    "--recipe",
    shell_complete=complete_recipes,
    default="probe",
    show_default=True,
    help="What to do with FILE in each fold: a name or a file.",
)
@click.option("--scratch", is_flag=True, help="Also train the network from random weights in each fold: takes long.")
@into_option
@restoring_options
@at_option
@click.option(
    "--size", type=SizeType(), help="Fit images to this, keeping their aspect ratio: 160 or 160x224 (height x width)."
)
@click.option("--preprocessing", type=ChoiceType(PREPROCESSING_NAMES), help="How images are prepared.")
@labelling_options
@seed_option
@cache_options
@unreadable_option
@json_option
def command(
    file: str,
    data: Path,
    shots: int | None,
    folds: int,
    repeats: int,
    recipe: str,
    scratch: bool,
    into: str | None,
    restoring: Restoring,
    at: str | None,
    size: tuple[int, int] | None,
    preprocessing: str | None,
    labelled_by: LabelChoice,
    seed: int,
    cache: Cache | None,
    skip_unreadable: bool,
    as_json: bool,
) -> None:
    """Say what FILE is worth on DATA beside simple answers, over repeated folds.

    In each fold a head is solved on what FILE gives, and on the same network with random weights; nearest neighbours
    and logistic regression learn from the raw input. All learn from the same examples and answer the same others; what
    is frozen runs once. The difference to each has its interval, corrected for what folds share.

    \b
    transfer baselines mobilenet_v2_imagenet photos/
    transfer baselines mobilenet_v2_imagenet photos/ --shots 50 --folds 2 --repeats 10
    transfer baselines mobilenet_v2_imagenet photos/ --recipe lp-ft --folds 3 --repeats 2
    """
    from transfer.cli.quieting import import_tensorflow
    from transfer.cli.showing import progress_bar, show_json, show_table
    from transfer.weights.opening import open_checkpoint

    labelled, _ = labelled_by.read(data, strict=False, skip_unreadable=skip_unreadable, leniently=False)
    learnt = (
        len(labelled) * (folds - 1) // folds if shots is None else shots * len(labelled.labelling.outputs[0].classes)
    )
    followed = chosen_recipe(recipe, (), examples=max(1, learnt), seed=seed)
    checkpoint = open_checkpoint(file)
    import_tensorflow()
    from transfer.jobs.comparisons.comparing_baselines import compare_baselines
    from transfer.jobs.finetuning.learning import Learning, prepare_file
    from transfer.training.devices import make_repeatable

    make_repeatable()
    _, student = prepare_file(checkpoint, labelled, Learning(into=into, restoring=restoring, at=at))
    with progress_bar() as progress:
        found = compare_baselines(
            student,
            labelled,
            recipe=followed,
            shots=shots,
            folds=folds,
            repeats=repeats,
            scratch=scratch,
            preprocessing=preprocessing_named(preprocessing),
            size=size,
            skip_unreadable=skip_unreadable,
            cache=cache,
            seed=seed,
            progress=progress,
        )
    if as_json:
        show_json(found.to_json())
        return
    columns, rows, numbers = found.table
    click.echo(found.heading)
    show_table(columns, rows, numbers=numbers)
    click.echo("\n".join(found.closing))
