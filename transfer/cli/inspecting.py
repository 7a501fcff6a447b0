"""`transfer inspect`."""

from __future__ import annotations

import click

from transfer.cli.options import json_option


@click.command("inspect")
@click.argument("file")
@json_option
def command(file: str, as_json: bool) -> None:
    """List the tensors stored in FILE: a file, or the name of a shipped checkpoint.

    \b
    transfer inspect digits_mlp
    transfer inspect pretrained_weights.h5 --json
    """
    from transfer.cli.describing import describe_checkpoint, show_checkpoint
    from transfer.cli.showing import show_json
    from transfer.weights.opening import open_checkpoint

    checkpoint = open_checkpoint(file)
    if as_json:
        show_json(describe_checkpoint(checkpoint))
    else:
        show_checkpoint(checkpoint)
