"""`transfer finetune`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transfer.cli.caching import cache_options
from transfer.cli.options import (
    PREPROCESSING_NAMES,
    SizeType,
    at_option,
    chosen_recipe,
    drop_n_option,
    drop_option,
    dropped,
    force_option,
    into_option,
    json_option,
    preprocessing_named,
    recipe_option,
    restoring_options,
    seed_option,
    set_option,
    strict_option,
    unreadable_option,
)

if TYPE_CHECKING:
    from transfer.jobs.cached_features import Cache
    from transfer.specs import Restoring


@click.command("finetune")
@click.argument("file")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="A new folder for the run.")
@click.option("--dry-run", is_flag=True, help="Say what would be done and what it would cost, and write nothing.")
@into_option
@restoring_options
@drop_option
@drop_n_option
@at_option
@click.option(
    "--size", type=SizeType(), help="Fit images to this, keeping their aspect ratio: 160 or 160x224 (height x width)."
)
@click.option(
    "--preprocessing",
    type=click.Choice(PREPROCESSING_NAMES),
    help="How images were prepared in training, where FILE has no card.",
)
@click.option("--shots", type=click.IntRange(min=1), help="Learn from this many examples a class, test on the rest.")
@click.option(
    "--test-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share to test on otherwise.  [default: 0.25]",
)
@click.option("--test", "test_data", type=click.Path(path_type=Path), help="Test on these instead.")
@recipe_option
@set_option
@click.option("--unfreeze-from", metavar="LAYER", help="After the head is solved, train this layer and all after it.")
@click.option("--epochs", type=click.IntRange(min=1), help="For --unfreeze-from.  [default: 10]")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Adam's, for --unfreeze-from.  [default: 1e-05]")
@cache_options
@click.option(
    "--memory",
    type=click.IntRange(min=1),
    default=1024,
    show_default=True,
    metavar="MB",
    help="For features in memory; past it they lie on the disk.",
)
@seed_option
@strict_option
@unreadable_option
@force_option
@json_option
def command(
    file: str,
    data: Path,
    out: Path | None,
    dry_run: bool,
    into: str | None,
    drop_last: bool,
    drop_last_n: int | None,
    at: str | None,
    size: tuple[int, int] | None,
    preprocessing: str | None,
    shots: int | None,
    test_share: float | None,
    test_data: Path | None,
    recipe: str | None,
    settings: tuple[str, ...],
    unfreeze_from: str | None,
    epochs: int | None,
    rate: float | None,
    cache: Cache | None,
    memory: int,
    seed: int,
    strict: bool,
    skip_unreadable: bool,
    force: bool,
    as_json: bool,
    restoring: Restoring,
) -> None:
    """Restore FILE, put a new head on it, learn the labelled set DATA, and say what the result is worth.

    DATA is a folder with one subfolder of pictures a class or with a labels.csv, a table (CSV, TSV) of pictures and
    classes, or an .npz with arrays x and y. The old classifier (all after the last global pooling or flatten, or the
    last Dense) is dropped unless told otherwise.

    \b
    transfer finetune mobilenet_v2_imagenet photos/ -o runs/photos
    transfer finetune mobilenet_v2_imagenet photos/ --recipe lp-ft --set stages.1.epochs=20 -o runs/tuned
    transfer finetune mobilenet_v2_imagenet photos/ --unfreeze-from block_15_expand --dry-run
    transfer finetune pretrained.h5 photos/ --into module:create_model --preprocessing torch --shots 20 -o runs/photos
    """
    started = time.perf_counter()
    if out is None and not dry_run:
        raise click.UsageError("Say where the run goes with -o RUN, or ask for a --dry-run.")
    drop = dropped(drop_last=drop_last, drop_last_n=drop_last_n, at=at)
    if unfreeze_from is None and (epochs is not None or rate is not None):
        raise click.UsageError("--epochs and --rate belong to --unfreeze-from.")
    if shots is not None and test_data is not None:
        raise click.UsageError("Give --shots or --test: with a test set of its own all of DATA is learnt from.")
    if test_share is not None and (shots is not None or test_data is not None):
        raise click.UsageError("Give --test-share alone: --shots and --test say what is tested on, each by itself.")
    if unfreeze_from is not None and recipe is not None:
        raise click.UsageError("--unfreeze-from makes a recipe of its own: give it or --recipe.")
    from transfer.cli.quieting import import_tensorflow
    from transfer.cli.scores import show_run
    from transfer.cli.showing import progress_bar, show_json, show_problems
    from transfer.data.reading_leniently import read_leniently, read_strictly
    from transfer.jobs.run_folders import refuse_foreign
    from transfer.recipes import Recipe, Stage
    from transfer.training.named_recipes import DEFAULT
    from transfer.training.recipe_texts import change_recipe
    from transfer.weights.opening import begin_opening

    if out is not None:
        refuse_foreign(out)
    dry_run = dry_run or out is None
    read = read_leniently if dry_run else read_strictly
    labelled, damaged = read(data, strict=strict, skip_unreadable=skip_unreadable)
    test, more_damaged = read(test_data, strict=strict, skip_unreadable=skip_unreadable) if test_data else (None, ())
    with begin_opening(file) as opening:  # another process reads the structure while TensorFlow is imported
        import_tensorflow()
        checkpoint = opening.checkpoint()
    from transfer.jobs.forecasting import forecast_file
    from transfer.jobs.learning import Learning, learn_file

    share = test_share or 0.25
    count = len(labelled) if test else shots * len(labelled.classes) if shots else round(len(labelled) * (1 - share))
    if unfreeze_from:
        tune = Stage("tune", unfreeze_from=unfreeze_from, epochs=epochs or 10, rate=rate or 1e-5)
        chosen = change_recipe(Recipe((Stage("probe"), tune), seed=seed), settings)
    else:
        chosen = chosen_recipe(recipe or DEFAULT, settings, examples=max(1, count), seed=seed)
    how = Learning(
        into=into,
        restoring=restoring,
        drop_last=drop,
        at=at,
        size=size,
        preprocessing=preprocessing_named(preprocessing),
        shots=shots,
        test_share=share,
        test=test,
        recipe=chosen,
    )
    if out is None or dry_run:
        with progress_bar() as progress:
            forecast = forecast_file(
                checkpoint,
                labelled,
                how,
                unreadable=(*damaged, *more_damaged),
                cache=cache,
                memory_bytes=memory * 2**20,
                started=started,
                progress=progress,
            )
        for warning in forecast.warnings:
            click.echo(f"warning: {warning}", err=True)
        show_json(forecast.to_json()) if as_json else click.echo(forecast)
        if not skip_unreadable:
            forecast.doubts.refuse_unreadable(labelled.source)
        return
    with progress_bar() as progress:
        run = learn_file(
            checkpoint,
            labelled,
            out,
            how,
            skip_unreadable=skip_unreadable,
            force=force,
            cache=cache,
            memory_bytes=memory * 2**20,
            progress=progress,
        )
    for warning in run.result.warnings:
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        show_json({"run": str(run.folder), "reused": run.reused, **run.result.to_json(), "receipt": run.receipt})
        return
    show_problems("left out", run.result.left_out)
    show_run(run)
