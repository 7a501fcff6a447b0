"""`transfer sweep`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transfer.cli.caching import cache_options
from transfer.cli.engine_options import engine_options, open_engine, threads_here, threads_option
from transfer.cli.labelling_options import labelling_options
from transfer.cli.options import (
    PREPROCESSING_NAMES,
    ChoiceType,
    FiniteRange,
    SizeType,
    at_option,
    drop_n_option,
    drop_option,
    dropped,
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
from transfer.cli.recipe_options import chosen_recipe, recipe_option, set_option
from transfer.cli.typed_commands import Remembering, typed_as

if TYPE_CHECKING:
    from transfer.cli.labelling_options import LabelChoice
    from transfer.jobs.examples.cached_features import Cache
    from transfer.specs import Restoring
    from transfer.training.engines import Engine

RAY = "ray"
_OWN = (  # what best.toml says, or what has no part in a run
    *("over", "recipe", "settings", "seed", "trials", "folds", "at_once", "resume"),
    *("engine", "address", "workers", "threads"),
)


@click.command("sweep", cls=Remembering)
@file_argument
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="A folder: new, or of this very sweep."
)
@click.option(
    "--over",
    multiple=True,
    required=True,
    metavar="FIELD=SPACE",
    help="Vary a field of the recipe: stages.1.rate=1e-5..1e-3 (even in the logarithm where it spans a factor of ten, "
    "or with :log behind it; :linear is not), stages.1.unfreeze_last=1..4, stages.1.optimizer=adam,sgd; lists with | "
    "between them: 'stages.1.augment=flip|flip,shift'.",
)
@recipe_option
@set_option
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="At most, beside the recipe as it is; fewer where all points are tried.",
)
@click.option(
    "--folds", type=click.IntRange(min=2), default=3, show_default=True, help="Of the training part, to compare trials."
)
@click.option(
    "--at-once",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    metavar="N",
    help="Trials whose points are chosen together, so that they can be done together; another number chooses others.",
)
@click.option("--resume", is_flag=True, help="Only go on with a sweep that is there; without it one is begun as well.")
@into_option
@restoring_options
@drop_option
@drop_n_option
@at_option
@click.option(
    "--size", type=SizeType(), help="Fit images to this, keeping their aspect ratio: 160 or 160x224 (height x width)."
)
@click.option("--preprocessing", type=ChoiceType(PREPROCESSING_NAMES), help="How images are prepared.")
@click.option("--shots", type=click.IntRange(min=1), help="Learn from this many examples a class, test on the rest.")
@click.option(
    "--test-share",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    help="Share to test on otherwise.  [default: 0.25]",
)
@click.option("--test", "test_data", type=click.Path(path_type=Path), help="Test on these instead.")
@labelling_options
@seed_option
@engine_options
@threads_option
@cache_options
@strict_option
@unreadable_option
@force_option
@json_option
def command(
    file: str,
    data: Path,
    out: Path,
    over: tuple[str, ...],
    recipe: str | None,
    settings: tuple[str, ...],
    trials: int,
    folds: int,
    at_once: int,
    resume: bool,
    into: str | None,
    drop_last: bool,
    drop_last_n: int | None,
    at: str | None,
    size: tuple[int, int] | None,
    preprocessing: str | None,
    shots: int | None,
    test_share: float | None,
    test_data: Path | None,
    labelled_by: LabelChoice,
    seed: int,
    engine: str,
    address: str | None,
    workers: int | None,
    threads: int | None,
    cache: Cache | None,
    strict: bool,
    skip_unreadable: bool,
    force: bool,
    as_json: bool,
    restoring: Restoring,
) -> None:
    """Try a recipe on DATA with other values of some of its fields, and say what the best of them is worth.

    Trials are compared on folds of the examples to learn from alone; then the best recipe and the recipe as it is are
    run once each on the test part. All points are tried where there are no more than --trials; else Optuna chooses
    them, seeded, and the same whatever is done first. A sweep that was killed goes on when it is typed again. OUT holds
    the trials, best.toml for finetune --recipe, both runs, and study.db for Optuna's tools.

    \b
    transfer sweep mobilenet_v2_imagenet photos/ --over stages.1.rate=1e-5..1e-3 -o sweeps/rate
    transfer sweep own.h5 photos/ --recipe full --over stages.1.rate=1e-5..1e-3 --over stages.1.optimizer=adam,sgd -o s
    transfer sweep own.h5 photos/ --over stages.1.unfreeze_last=1..4 --over 'stages.1.augment=|flip|flip,zoom' -o s
    transfer sweep own.h5 photos/ --over stages.1.rate=1e-5..1e-3 -o s --engine ray --address head:6379 --trials 64
    """
    drop = dropped(drop_last=drop_last, drop_last_n=drop_last_n, at=at)
    if shots is not None and test_data is not None:
        raise click.UsageError("Give --shots or --test: with a test set of its own all of DATA is learnt from.")
    if test_share is not None and (shots is not None or test_data is not None):
        raise click.UsageError("Give --test-share alone: --shots and --test say what is tested on, each by itself.")
    from transfer.cli.quieting import import_tensorflow
    from transfer.cli.showing import progress_bar, show_json, show_table, show_warnings
    from transfer.training.named_recipes import DEFAULT
    from transfer.training.recipe_spaces import parse_space
    from transfer.weights.opening import open_checkpoint

    labelled, _ = labelled_by.read(data, strict=strict, skip_unreadable=skip_unreadable, leniently=False)
    test = None
    if test_data is not None:
        how_to_read = {"strict": strict, "skip_unreadable": skip_unreadable, "leniently": False}
        test, _ = labelled_by.alike(labelled)(test_data, **how_to_read)
    share = test_share or 0.25
    classes = sum(len(each.classes) for each in labelled.labelling)
    count = len(labelled) if test else shots * classes if shots else round(len(labelled) * (1 - share))
    chosen = chosen_recipe(recipe or DEFAULT, settings, examples=max(1, count), seed=seed)
    parse_space(chosen, over)  # before TensorFlow is imported
    checkpoint = open_checkpoint(file)
    import_tensorflow(threads_here(engine, threads))
    from transfer.jobs.finetuning.learning import Learning, prepare_file
    from transfer.jobs.sweeps.sweeping import sweep
    from transfer.training.devices import make_repeatable

    make_repeatable()
    how = Learning(into=into, restoring=restoring, drop_last=drop, at=at, recipe=chosen)
    _, student = prepare_file(checkpoint, labelled, how)
    with _open_engine(engine, out, address, workers, threads) as where, progress_bar() as progress:
        found = sweep(
            student,
            labelled,
            over=over,
            out=out,
            recipe=chosen,
            trials=trials,
            folds=folds,
            at_once=at_once,
            test=test,
            shots=shots,
            test_share=share,
            preprocessing=preprocessing_named(preprocessing),
            size=size,
            skip_unreadable=skip_unreadable,
            cache=cache if engine != RAY or cache is None or cache.is_needed else None,  # which all machines see
            engine=where,
            resume=resume,
            force=force,
            command=typed_as("finetune", without=_OWN),
            progress=progress,
        )
    show_warnings(found.warnings)
    if as_json:
        show_json(found.to_json())
        return
    columns, rows, numbers = found.table
    click.echo(f"{found.heading}{', which stood there already' if found.reused else ''}")
    show_table(columns, rows, numbers=numbers)
    click.echo("\n".join(found.closing))


def _open_engine(
    engine: str, out: Path, address: str | None, workers: int | None, threads: int | None
) -> AbstractContextManager[Engine]:
    """What does the trials: this process, or Ray Tune."""
    if engine != RAY:
        return open_engine(engine, address, workers, threads)
    from transfer.cli.quieting import entered_quietly
    from transfer.jobs.sweeps.sweep_folders import TUNE
    from transfer.scaling.tuning import TuneEngine

    return entered_quietly(TuneEngine(out / TUNE, address, workers=workers, threads=threads or 1))
