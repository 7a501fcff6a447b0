"""`transfer audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from transfer.cli.caching import cache_options
from transfer.cli.labelling_options import labelling_options
from transfer.cli.options import (
    PREPROCESSING_NAMES,
    ChoiceType,
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

if TYPE_CHECKING:
    from transfer.cli.labelling_options import LabelChoice
    from transfer.jobs.examples.cached_features import Cache
    from transfer.specs import Restoring


@click.command("audit")
@file_argument
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all examples, the most doubtful first, as a CSV to correct the labels in.",
)
@click.option(
    "--test",
    "test_data",
    type=click.Path(path_type=Path),
    help="Find examples of DATA that are almost the same as some to test on; labels there are not looked at.",
)
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="Rows of a table in print.")
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
@labelling_options
@cache_options
@seed_option
@strict_option
@unreadable_option
@force_option
@json_option
def command(
    file: str,
    data: Path,
    out: Path | None,
    test_data: Path | None,
    top: int,
    into: str | None,
    drop_last: bool,
    drop_last_n: int | None,
    at: str | None,
    size: tuple[int, int] | None,
    preprocessing: str | None,
    labelled_by: LabelChoice,
    cache: Cache | None,
    seed: int,
    strict: bool,
    skip_unreadable: bool,
    force: bool,
    as_json: bool,
    restoring: Restoring,
) -> None:
    """Name the labels of DATA that are likely wrong, estimate how many are, and find examples that are almost the same.

    Heads are solved on features of FILE and asked about examples that they have not learnt from. What they contradict
    for sure is shown with what they say instead, the most doubtful first. -o writes a table; correct its labels, and
    give it back with --labels.

    \b
    transfer audit mobilenet_v2_imagenet photos/ -o suspects.csv
    transfer audit mobilenet_v2_imagenet digits/ --at block_13_expand_relu --size 96 --test others/
    transfer finetune mobilenet_v2_imagenet photos/ --labels suspects.csv -o runs/corrected
    """
    drop = dropped(drop_last=drop_last, drop_last_n=drop_last_n, at=at)
    from transfer.cli.quieting import import_tensorflow
    from transfer.cli.showing import progress_bar, show_json, show_problems
    from transfer.placing import refuse_existing
    from transfer.weights.opening import begin_opening

    if out is not None:
        refuse_existing(out, force=force)
    how_to_read = {"strict": strict, "skip_unreadable": skip_unreadable}
    labelled, _ = labelled_by.read(data, **how_to_read)
    test = labelled_by.alike(labelled)(test_data, **how_to_read)[0] if test_data else None
    with begin_opening(file) as opening:  # another process reads the structure while TensorFlow is imported
        import_tensorflow()
        checkpoint = opening.checkpoint()
    from transfer.jobs.audits.auditing_labels import audit_labels
    from transfer.jobs.audits.correcting_labels import write_corrections

    with progress_bar() as progress:
        audit = audit_labels(
            checkpoint,
            labelled,
            test=test,
            into=into,
            restoring=restoring,
            at=at,
            drop_last=drop,
            preprocessing=preprocessing_named(preprocessing),
            size=size,
            skip_unreadable=skip_unreadable,
            cache=cache,
            seed=seed,
            progress=progress,
        )
    if out is not None:
        write_corrections(audit, out, force=force)
    if as_json:
        show_json(audit.to_json())
        return
    show_problems("left out", audit.left_out)
    click.echo(audit.describe(top))
