"""`transfer extract`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from transfer.cli.extraction_options import extraction_options
from transfer.cli.options import file_argument, force_option, into_option, json_option, restoring_options

if TYPE_CHECKING:
    from transfer.jobs.extraction.extracted import Extracted
    from transfer.specs import Extraction, Restoring
    from transfer.weights.opening import Opening


@click.command("extract")
@file_argument
@into_option
@extraction_options
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="A new .keras archive or whole .h5, or .weights.h5 or .safetensors weights.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@restoring_options
@force_option
@json_option
def command(
    file: str,
    into: str | None,
    out: Path | None,
    dry_run: bool,
    force: bool,
    as_json: bool,
    extraction: Extraction,
    restoring: Restoring,
) -> None:
    """Restore FILE, keep the layers you need, attach heads, and write the new network. Tensors keep their bits.

    \b
    transfer extract digits_mlp --drop-last --head dense_3:5 --freeze backbone -o student.keras
    transfer extract vgg16.h5 --at features --head food:5 --head tags:8:sigmoid -o student.keras
    transfer extract vgg16.h5 --at features --head label:5,hidden=256,dropout=0.3 --dry-run
    transfer extract pretrained_weights.h5 --into module:create_model --drop-last --head label:5 -o student.keras
    """
    if out is None and not dry_run:
        raise click.UsageError("Say where to write with -o OUT, or ask for a --dry-run.")
    from transfer.weights.opening import begin_opening

    with begin_opening(file) as opening:
        extracted = _extract(opening, into, None if dry_run else out, extraction, restoring, force=force)
    from transfer.cli.showing import show_json, show_receipt

    show_receipt(extracted.receipt)
    if as_json:
        show_json(extracted.to_json())
    else:
        click.echo(extracted)


def _extract(
    opening: Opening, into: str | None, out: Path | None, how: Extraction, restoring: Restoring, *, force: bool
) -> Extracted:
    """From files alone where that is possible; else through a model that Keras builds."""
    from transfer.errors import KerasNeededError
    from transfer.jobs.extraction.extracting import extract_file
    from transfer.surgery.planning import read_architecture

    graph = None if into is None else read_architecture(into)
    why = f"{into} is a builder"
    if into is None or graph is not None:
        try:
            return extract_file(opening.checkpoint(), out, how, into=graph, restoring=restoring, force=force)
        except KerasNeededError as error:
            why = error.summary
    from transfer.cli.quieting import import_tensorflow

    import_tensorflow()  # meanwhile the file's structure is read
    from transfer.jobs.extraction.extracting_models import extract_through_keras

    source = into if graph is None else graph
    return extract_through_keras(opening.checkpoint(), out, how, into=source, restoring=restoring, force=force, why=why)
