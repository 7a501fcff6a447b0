"""`transfer checkpoints`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from transfer.cli.options import json_option

if TYPE_CHECKING:
    from transfer.weights.checkpoint import Checkpoint


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

    opened = {name: open_checkpoint(path) for name, path in shipped_checkpoints().items()}
    found = {name: describe_checkpoint(each) for name, each in opened.items()}
    if as_json:
        listed = [
            {"checkpoint": name, **{key: each[key] for key in ("path", "dialect", "parameters", "card")}}
            for name, each in found.items()
        ]
        show_json({"checkpoints": listed})
        return
    rows = [
        (
            name,
            _input(opened[name]),
            f"{each['parameters']:,}",
            (each["card"] or {}).get("origin", ""),
            (each["card"] or {}).get("licence", ""),
        )
        for name, each in found.items()
    ]
    show_table(("name", "input", "parameters", "origin", "licence"), rows, numbers=("parameters",))


def _input(checkpoint: Checkpoint) -> str:
    """What the network takes, as far as the file says."""
    from transfer.graphs.input_shapes import input_shapes
    from transfer.graphs.parsing import parse_config

    look = checkpoint.card and checkpoint.card.preprocessing
    if look:
        return f"{look.color} pictures, {' x '.join(map(str, look.size))}" if look.size else f"{look.color} pictures"
    if checkpoint.architecture is None:
        return "-"
    shapes = input_shapes(parse_config(checkpoint.architecture, checkpoint.writer))
    return ", ".join(f"{name} (n, {', '.join(map(str, shape))})" for name, shape in shapes.items())
