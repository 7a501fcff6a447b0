"""`transfer verify`."""

from __future__ import annotations

import click

from transfer.cli.options import file_argument, json_option


@click.command("verify")
@file_argument
@json_option
@click.pass_context
def command(context: click.Context, file: str, as_json: bool) -> None:
    """Read all of FILE and hold it against what its card recorded when it was written.

    Ends with 0 if every tensor is as recorded, with 3 if something differs or cannot be read, and with 1 if nothing is
    recorded to verify against.

    \b
    transfer verify digits_mlp
    transfer verify student.keras --json
    """
    from transfer.weights.verifying import verify

    found = verify(file)
    if as_json:
        from transfer.cli.showing import show_json

        show_json(found.to_json())
    else:
        click.echo(found)
    context.exit(0 if found.is_verified else 1)
