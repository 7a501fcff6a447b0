"""`transfer evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

from transfer.cli.labelling_options import labels_option, separator_option
from transfer.cli.options import classes_option, json_option, strict_option, unreadable_option


@click.command("evaluate")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@labels_option
@separator_option
@classes_option
@strict_option
@unreadable_option
@json_option
def command(
    run: Path,
    data: Path,
    labels: Path | None,
    separator: str | None,
    into: str | None,
    strict: bool,
    skip_unreadable: bool,
    as_json: bool,
) -> None:
    """Score a finished RUN on the labelled set DATA; examples that it learnt from are recognised and left out.

    \b
    transfer evaluate runs/photos more_photos/
    """
    from transfer.cli.architectures import read_classes
    from transfer.cli.quieting import import_tensorflow
    from transfer.cli.scores import show_evaluation
    from transfer.cli.showing import progress_bar, show_json, show_problems
    from transfer.data.reading import read_labelled
    from transfer.jobs.runs.run_folders import read_outputs

    labelled = read_labelled(
        data,
        labels=labels,
        labelling=read_outputs(run),
        separator=separator,
        strict=strict,
        skip_unreadable=skip_unreadable,
    )
    import_tensorflow()
    from transfer.jobs.runs.evaluating import evaluate

    with progress_bar() as progress:
        evaluation = evaluate(
            run, labelled, custom_objects=read_classes(into), skip_unreadable=skip_unreadable, progress=progress
        )
    if as_json:
        show_json(evaluation.to_json())
        return
    show_problems("left out", evaluation.left_out)
    show_evaluation(evaluation)
