"""`transfer checkpoints`."""

from __future__ import annotations

import click

from transfer.cli.options import json_option


@click.command("checkpoints")
@json_option
def command(as_json: bool) -> None:
    """List the pretrained checkpoints that come with the project; they go by name wherever a FILE is asked for.

    \b
    transfer checkpoints
    """
    from transfer.cli.describing import describe_checkpoint
    from transfer.cli.showing import show_json, show_table
    from transfer.weights.opening import open_checkpoint
    from transfer.weights.shipped import shipped_checkpoints

    found = {name: describe_checkpoint(open_checkpoint(path)) for name, path in shipped_checkpoints().items()}
    if as_json:
        show_json(
            [
                {"checkpoint": name, **{key: each[key] for key in ("path", "dialect", "parameters", "card")}}
                for name, each in found.items()
            ]
        )
        return
    rows = [
        (
            name,
            f"{each['parameters']:,}",
            (each["card"] or {}).get("origin", ""),
            (each["card"] or {}).get("licence", ""),
        )
        for name, each in found.items()
    ]
    show_table(("name", "parameters", "origin", "licence"), rows, numbers=("parameters",))
