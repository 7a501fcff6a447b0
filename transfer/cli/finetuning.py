"""`transfer finetune`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from transfer.cli.caching import cache_options
from transfer.cli.device_options import check_sharing, devices_option, open_fitter
from transfer.cli.engine_options import engine_options
from transfer.cli.labelling_options import labelling_options
from transfer.cli.options import (
    PREPROCESSING_NAMES,
    ChoiceType,
    FiniteRange,
    SecondsType,
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
    strict_option,
    unreadable_option,
)
from transfer.cli.recipe_options import recipe_options
from transfer.cli.typed_commands import Remembering, typed_again

if TYPE_CHECKING:
    from transfer.cli.labelling_options import LabelChoice
    from transfer.cli.recipe_options import RecipeChoice
    from transfer.jobs.examples.cached_features import Cache
    from transfer.specs import Restoring


@click.command("finetune", cls=Remembering)
@file_argument
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
    type=ChoiceType(PREPROCESSING_NAMES),
    help="How images were prepared in training, where FILE has no card.",
)
@click.option("--shots", type=click.IntRange(min=1), help="Learn from this many examples a class, test on the rest.")
@click.option(
    "--test-share",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    help="Share to test on otherwise.  [default: 0.25]",
)
@click.option("--test", "test_data", type=click.Path(path_type=Path), help="Test on these instead.")
@click.option(
    "--baselines",
    type=ChoiceType(("cheap", "all")),
    default="cheap",
    show_default=True,
    help="What the result is held against: all adds a probe on random weights and (slow) training from scratch.",
)
@click.option(
    "--benchmark",
    metavar="RUN|CHECKPOINT",
    help="A strong result to stand beside, on the same test examples: another finished run of the same task, or a "
    "checkpoint on which a probe is solved.",
)
@labelling_options
@recipe_options
@click.option(
    "--time-limit",
    type=SecondsType(),
    help="Write the run by then (90, 10m, 1h), with the best that was found; it does not repeat to the bit.",
)
@devices_option
@engine_options
@cache_options
@click.option(
    "--memory",
    type=click.IntRange(min=1),
    default=1024,
    show_default=True,
    metavar="MB",
    help="For features in memory; past it they lie on the disk.",
)
@click.option(
    "--features",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Learn from what 'transfer features' left there, in bounded memory, and open no example; the recipe is probe.",
)
@click.option(
    "--head-solver",
    type=ChoiceType(("logistic", "ridge")),
    default="logistic",
    show_default=True,
    help="The head on --features: ridge takes one pass over them to solve.",
)
@click.option(
    "--tensorboard",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write the numbers of each epoch there, for TensorBoard, as it ends.",
)
@click.option(
    "--mlflow",
    metavar="[URI]",
    is_flag=False,
    flag_value="",
    help="Tell an MLflow server or store of the run; without URI the one MLflow is set to.  [extra: mlflow]",
)
@click.option("--report/--no-report", default=True, help="Whether RUN/report.html tells of the run.  [default: report]")
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
    baselines: Literal["cheap", "all"],
    benchmark: str | None,
    labelled_by: LabelChoice,
    choice: RecipeChoice,
    time_limit: float | None,
    devices: int | Literal["all"] | None,
    engine: str,
    address: str | None,
    workers: int | None,
    cache: Cache | None,
    memory: int,
    features: Path | None,
    head_solver: Literal["logistic", "ridge"],
    tensorboard: Path | None,
    mlflow: str | None,
    report: bool,
    strict: bool,
    skip_unreadable: bool,
    force: bool,
    as_json: bool,
    restoring: Restoring,
) -> None:
    """Restore FILE, put a new head on it, learn the labelled set DATA, and say what the result is worth.

    DATA is a folder with one subfolder of pictures a class or with a labels.csv, a table (CSV, TSV) of pictures and
    classes, an .npz with arrays x and y, or IDX images with their labels beside them. Several columns of labels are
    several outputs, each with a head; what they were taken for is shown, and --labelling says it otherwise. The old
    classifier (all after the last global pooling or flatten, or the last Dense) is dropped unless told otherwise.

    \b
    transfer finetune mobilenet_v2_imagenet photos/ -o runs/photos
    transfer finetune mobilenet_v2_imagenet photos/ --epochs 20 --rate auto --time-limit 5m -o runs/tuned
    transfer finetune mobilenet_v2_imagenet photos/ --recipe full --set stages.1.augment=flip,shift -o runs/full
    transfer finetune mobilenet_v2_imagenet photos/ --unfreeze-from block_15_expand --dry-run
    transfer finetune mobilenet_v2_imagenet photos/ --labels labels.csv --head food --head tags:sigmoid -o runs/food
    transfer finetune mobilenet_v2_imagenet photos/ --labels labels.csv --labelling food.toml -o runs/coarse_to_fine
    transfer finetune mobilenet_v2_imagenet photos/ --engine ray --address head:6379 --workers 4 -o runs/photos
    transfer finetune own.h5 photos/ --benchmark mobilenet_v2_imagenet -o runs/own
    transfer finetune mobilenet_v2_imagenet photos/ --features features/ -o runs/streamed
    transfer finetune pretrained.h5 photos/ --into module:create_model --preprocessing torch --shots 20 -o runs/photos
    """
    started = time.monotonic()
    if out is None and not dry_run:
        raise click.UsageError("Say where the run goes with -o RUN, or ask for a --dry-run.")
    drop = dropped(drop_last=drop_last, drop_last_n=drop_last_n, at=at)
    if shots is not None and test_data is not None:
        raise click.UsageError("Give --shots or --test: with a test set of its own all of DATA is learnt from.")
    if test_share is not None and (shots is not None or test_data is not None):
        raise click.UsageError("Give --test-share alone: --shots and --test say what is tested on, each by itself.")
    if baselines == "all" and time_limit:
        raise click.UsageError("Give --baselines all without --time-limit: training from scratch takes its time.")
    if features is None and head_solver != "logistic":
        raise click.UsageError("--head-solver is for --features.")
    if features is not None:
        others = {"--time-limit": time_limit, "--tensorboard": tensorboard, "--mlflow": mlflow}
        others |= {"--devices": devices, "--engine ray": engine == "ray"}
        if beside := [name for name, value in others.items() if value not in (None, False)]:
            raise click.UsageError(f"Give --features without {', '.join(beside)}.")
        choice = choice.or_probe()
    check_sharing(engine, address, workers, devices)
    from transfer.cli.quieting import import_tensorflow
    from transfer.cli.scores import show_run
    from transfer.cli.showing import progress_bar, show_json, show_note, show_problems, show_receipt, show_warnings
    from transfer.data.doubts import refuse_unreadable
    from transfer.jobs.runs.run_folders import refuse_foreign
    from transfer.jobs.students.clock import TimeLimit
    from transfer.weights.opening import begin_opening

    if out is not None:
        refuse_foreign(out)
    dry_run = dry_run or out is None
    limit = TimeLimit(time_limit, started) if time_limit else None
    if limit is not None and not dry_run:
        limit.refuse_hopeless()
    how_to_read = {
        "strict": strict,
        "skip_unreadable": skip_unreadable,
        "leniently": dry_run and features is None,
        "opened": features is None,
    }
    labelled, damaged = labelled_by.read(data, **how_to_read)
    test, more_damaged = labelled_by.alike(labelled)(test_data, **how_to_read) if test_data else (None, ())
    if not labelled.labelling.is_single and not as_json:
        show_note(f"labels    {labelled.source}")
        for line in str(labelled.labelling).splitlines():
            show_note(f"          {line}")
    share = test_share or 0.25
    count = (
        len(labelled)
        if test
        else shots * sum(len(each.classes) for each in labelled.labelling)
        if shots
        else round(len(labelled) * (1 - share))
    )
    recipe = choice.resolve(max(1, count))
    with begin_opening(file) as opening:  # another process reads the structure while TensorFlow is imported
        import_tensorflow()
        checkpoint = opening.checkpoint()
    from transfer.jobs.finetuning.forecasting import forecast_file
    from transfer.jobs.finetuning.forecasting_heads import forecast_head
    from transfer.jobs.finetuning.learning import Learning, learn_file
    from transfer.jobs.finetuning.learning_features import learn_features
    from transfer.results import Receipt
    from transfer.training.devices import make_repeatable

    make_repeatable()

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
        baselines=baselines,
        benchmark=benchmark,
        recipe=recipe,
        devices=devices if engine == "local" else None,
    )
    on_features: dict[str, Any] = {"solver": head_solver, "skip_unreadable": skip_unreadable and not strict}
    if dry_run and features is not None:
        with progress_bar() as progress:
            on_features |= {"memory_bytes": memory * 2**20, "progress": progress}
            expected = forecast_head(checkpoint, labelled, features, how, out=out, **on_features)
        show_warnings(expected.warnings)
        show_json(expected.to_json(), of="finetune-features-dry-run") if as_json else click.echo(expected)
        return
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
                time_limit=limit,
                progress=progress,
            )
        show_warnings(forecast.warnings)
        show_json(forecast.to_json(), of="finetune-dry-run") if as_json else click.echo(forecast)
        if not skip_unreadable:
            refuse_unreadable(forecast.doubts.unreadable, forecast.doubts.examples, labelled.source)
        return
    with progress_bar() as progress:
        alike: dict[str, Any] = {
            "skip_unreadable": skip_unreadable,
            "force": force,
            "memory_bytes": memory * 2**20,
            "progress": progress,
            "report": report,
            "command": typed_again(),
        }
        if features is not None:
            run = learn_features(checkpoint, labelled, features, out, how, **{**alike, **on_features})
        else:
            given: dict[str, Any] = {"cache": cache, "time_limit": limit, "tensorboard": tensorboard, "mlflow": mlflow}
            with open_fitter(engine, address, workers, devices) as fitter:
                run = learn_file(checkpoint, labelled, out, how, fitter=fitter, **given, **alike)
    show_warnings((*run.result.warnings, *run.troubles))
    if run.receipt:
        show_receipt(Receipt.from_json(run.receipt))
    if as_json:
        page = str(run.report) if run.report else None
        told = {"run": str(run.folder), "report": page, "reused": run.reused, "resumed": run.resumed or None}
        show_json({**told, **run.result.to_json(), "receipt": run.receipt})
        return
    show_problems("left out", run.result.left_out)
    show_run(run)
