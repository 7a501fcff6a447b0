"""`transfer extract`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from transfer.cli.options import (
    HeadType,
    at_option,
    drop_n_option,
    drop_option,
    dropped,
    force_option,
    into_option,
    json_option,
    restoring_options,
    seed_option,
)

if TYPE_CHECKING:
    from transfer.specs import Head, Restoring


@click.command("extract")
@click.argument("file")
@into_option
@drop_option
@drop_n_option
@at_option
@click.option(
    "--head",
    "heads",
    multiple=True,
    type=HeadType(),
    help="Attach a dense layer of logits; may be given several times.",
)
@click.option(
    "--freeze",
    multiple=True,
    metavar="NAME",
    help="Layers to fix: 'backbone', a name, a pattern with *, or re:EXPRESSION.",
)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="A new .keras archive, or .h5 or .weights.h5 weights.",
)
@restoring_options
@seed_option
@force_option
@json_option
def command(
    file: str,
    into: str | None,
    drop_last: bool,
    drop_last_n: int | None,
    at: str | None,
    heads: tuple[Head, ...],
    freeze: tuple[str, ...],
    out: Path,
    seed: int,
    force: bool,
    as_json: bool,
    restoring: Restoring,
) -> None:
    """Restore FILE, keep the layers you need, attach heads, and write the new network.

    \b
    transfer extract digits_mlp --drop-last --head dense_3:5 --freeze backbone -o student.keras
    transfer extract pretrained_weights.h5 --into module:create_model --drop-last --head label:5 -o student.keras
    """
    drop = dropped(drop_last=drop_last, drop_last_n=drop_last_n, at=at)
    from transfer.cli.quieting import import_tensorflow
    from transfer.weights.opening import begin_opening

    with begin_opening(file) as opening:  # another process reads the structure while TensorFlow is imported
        import_tensorflow()
        checkpoint = opening.checkpoint()
    from transfer.jobs.extracting import extract_file

    extracted = extract_file(
        checkpoint,
        out,
        into=into,
        drop_last=drop,
        at=at,
        heads=heads,
        freeze=freeze,
        restoring=restoring,
        seed=seed,
        force=force,
    )
    if as_json:
        from transfer.cli.showing import show_json

        show_json(extracted.to_json())
    else:
        click.echo(extracted)
