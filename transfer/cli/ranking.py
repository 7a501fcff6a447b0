"""`transfer rank`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from transfer.cli.caching import cache_options
from transfer.cli.completing import complete_checkpoints
from transfer.cli.engine_options import engine_options, open_engine, threads_here, threads_option
from transfer.cli.labelling_options import labelling_options
from transfer.cli.options import (
    PREPROCESSING_NAMES,
    ChoiceType,
    SizeType,
    json_option,
    preprocessing_named,
    restoring_options,
    seed_option,
    strict_option,
    unreadable_option,
)

if TYPE_CHECKING:
    from transfer.cli.labelling_options import LabelChoice
    from transfer.jobs.examples.cached_features import Cache
    from transfer.specs import Restoring


@click.command("rank")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, shell_complete=complete_checkpoints)
@click.option("--on", "data", type=click.Path(path_type=Path), required=True, metavar="DATA", help="Labelled examples.")
@click.option(
    "--into",
    "targets",
    multiple=True,
    metavar="[FILE=]ARCH",
    help="The architecture of files that hold none, or of one of them: module:function, app:MobileNetV2, a file.",
)
@click.option("--random", is_flag=True, help="Beside each FILE the same architecture with random weights.")
@click.option(
    "--cuts", type=click.IntRange(min=1), default=6, show_default=True, help="Look at so many layers of each at most."
)
@click.option(
    "--verify",
    type=click.IntRange(min=0),
    default=0,
    metavar="K",
    help="Fine-tune the best K, and say whether the probe and the scores were right: an order of fewer than 3 tells "
    "nothing of that, one of 3 little.",
)
@click.option(
    "--size", type=SizeType(), help="Fit images to this for networks that take any: 160 or 160x224 (height x width)."
)
@click.option(
    "--preprocessing", type=ChoiceType(PREPROCESSING_NAMES), help="How images are prepared, where a FILE has no card."
)
@labelling_options
@restoring_options
@engine_options
@threads_option
@cache_options
@seed_option
@strict_option
@unreadable_option
@json_option
def command(
    files: tuple[str, ...],
    data: Path,
    targets: tuple[str, ...],
    random: bool,
    cuts: int,
    verify: int,
    size: tuple[int, int] | None,
    preprocessing: str | None,
    labelled_by: LabelChoice,
    engine: str,
    address: str | None,
    workers: int | None,
    threads: int | None,
    cache: Cache | None,
    seed: int,
    strict: bool,
    skip_unreadable: bool,
    as_json: bool,
    restoring: Restoring,
) -> None:
    """Say which FILE to start from for the labelled set DATA, and where to cut it.

    Each FILE runs once over the examples, with what it gives at several layers at once; a linear head is solved on each
    over repeated folds. Scores that need no such heads stand beside, with how far they can be trusted. `random:FILE`
    stands for FILE with random weights. A FILE that cannot be ranked is told with its reason.

    \b
    transfer rank mobilenet_v2_imagenet digits_mlp --on photos/ --random
    transfer rank mobilenet_v2_imagenet random:mobilenet_v2_imagenet --on photos/ --cuts 4 --verify 3
    transfer rank *.h5 --on photos/ --engine ray --address head:6379
    transfer rank old.h5 new.h5 --into old.h5=app:ResNet50 --on photos.csv --head food --preprocessing caffe
    """
    into = _targets(targets, files)
    from transfer.cli.quieting import import_tensorflow
    from transfer.cli.showing import progress_bar, show_json, show_note, show_problems

    labelled, _ = labelled_by.read(data, strict=strict, skip_unreadable=skip_unreadable)
    import_tensorflow(threads_here(engine, threads))
    from transfer.jobs.rankings.ranking_checkpoints import rank
    from transfer.jobs.rankings.verifying_ranks import tell_of_few
    from transfer.training.devices import make_repeatable

    make_repeatable()
    if few := tell_of_few(verify):
        show_note(f"note      {few}")
    with open_engine(engine, address, workers, threads) as where, progress_bar() as progress:
        ranking = rank(
            files,
            labelled,
            into=into,
            restoring=restoring,
            random=random,
            cuts=cuts,
            verify=verify,
            preprocessing=preprocessing_named(preprocessing),
            size=size,
            skip_unreadable=skip_unreadable,
            cache=cache,
            engine=where,
            seed=seed,
            named=(
                str(data),
                *labelled_by.words,
                *(["--skip-unreadable"] if skip_unreadable else []),
                *(["--strict"] if strict else []),
            ),
            progress=progress,
        )
    if as_json:
        show_json(ranking.to_json())
        return
    show_problems("left out", labelled.problems)
    click.echo(ranking)


def _targets(texts: tuple[str, ...], files: tuple[str, ...]) -> str | dict[str, str] | None:
    """One architecture for all files, or those of some by name.

    Raises:
        click.UsageError: if it is not clear which goes with which.
    """
    known = {file.removeprefix("random:") for file in files}
    named: dict[str, str] = {}
    for text in texts:
        file, equals, target = text.partition("=")
        if not equals or file not in known:
            if len(texts) == 1 and not equals:
                return text
            raise click.UsageError(f"--into {text}: of several each needs the name of its file: FILE=ARCH.")
        named[file] = target
    return named or None
