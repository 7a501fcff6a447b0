"""`transfer report`."""

from __future__ import annotations

from pathlib import Path

import click

from transfer.cli.labelling_options import labels_option, separator_option
from transfer.cli.options import classes_option, force_option, json_option


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN…", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="PAGE", help="The page.  [default: RUN/report.html]"
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="The examples, wherever they lie now: then saturation and drift are looked at, and pictures drawn anew.",
)
@labels_option
@separator_option
@classes_option
@force_option
@json_option
def command(
    runs: tuple[Path, ...],
    out: Path | None,
    data: Path | None,
    labels: Path | None,
    separator: str | None,
    into: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write what finished RUNs found out as one HTML page, for people without Python.

    The page stands alone: it loads nothing. Of one RUN it has scores beside the baselines, the network, learning
    curves, confusions, the pictures that were most surely answered wrongly and how it is repeated; several are held
    against each other first. finetune writes it by itself. A page of the same runs is replaced, nothing else.

    \b
    transfer report runs/photos
    transfer report runs/photos --data photos/
    transfer report runs/probe runs/tuned -o both.html
    """
    if len(runs) > 1 and out is None:
        raise click.UsageError("Say where a page of several runs goes: -o PAGE.")
    if len(runs) > 1 and data is not None:
        raise click.UsageError("Give --data with one RUN.")
    if data is None and (labels is not None or separator is not None or into is not None):
        raise click.UsageError("--labels, --separator and --into go with --data.")
    from transfer.cli.architectures import read_classes
    from transfer.cli.showing import progress_bar, show_json
    from transfer.data.reading import read_labelled
    from transfer.jobs.pages.reporting import write_report
    from transfer.jobs.runs.run_folders import read_outputs

    labelled = None
    if data is not None:
        labelling = read_outputs(runs[0])
        labelled = read_labelled(data, labels=labels, labelling=labelling, separator=separator, skip_unreadable=True)
        from transfer.cli.quieting import import_tensorflow

        import_tensorflow()
    with progress_bar() as progress:
        page = write_report(
            runs,
            out,
            data=labelled,
            force=force,
            custom_objects=read_classes(into) if into else None,
            progress=progress,
        )
    if as_json:
        show_json({"report": str(page), "size_bytes": page.stat().st_size, "runs": [str(each) for each in runs]})
        return
    click.echo(f"report    {page}, for a browser ({page.stat().st_size / 1e3:,.0f} kB)")
