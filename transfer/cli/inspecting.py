"""`transfer inspect`."""

from __future__ import annotations

import click

from transfer.cli.options import file_argument, json_option


@click.command("inspect")
@file_argument
@click.option("--health", "with_health", is_flag=True, help="Read every tensor: NaN, infinities, one value, denormals.")
@click.option("--tensors", "every_tensor", is_flag=True, help="A row for each tensor, also of a large file.")
@json_option
def command(file: str, with_health: bool, every_tensor: bool, as_json: bool) -> None:
    """List the tensors stored in FILE: a file, or the name of a shipped checkpoint.

    \b
    transfer inspect digits_mlp
    transfer inspect pretrained_weights.h5 --health
    transfer inspect pretrained_weights.h5 --json
    """
    from transfer.cli.describing import describe_checkpoint, show_checkpoint
    from transfer.weights.identifying import identify
    from transfer.weights.opening import open_checkpoint

    checkpoint = open_checkpoint(file)
    known = identify(checkpoint.specs)
    health = None
    if with_health:
        from transfer.weights.health import examine_all

        health = {each.name: each for each in examine_all(checkpoint)}
    if as_json:
        from transfer.cli.showing import show_json

        show_json(describe_checkpoint(checkpoint, known, health))
    else:
        show_checkpoint(checkpoint, known, health, every_tensor=every_tensor)
