"""`transfer completion`."""

from __future__ import annotations

import click

from transfer.cli.options import json_option

VARIABLE = "_TRANSFER_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@json_option
@click.pass_context
def command(ctx: click.Context, shell: str, as_json: bool) -> None:
    """Print the script that lets SHELL complete commands, options, recipes, names that ship and layers of a file.

    'transfer help completion' says where to put it.

    \b
    transfer completion bash > ~/.local/share/bash-completion/completions/transfer
    eval "$(transfer completion bash)"
    """
    from click.shell_completion import get_completion_class

    from transfer.cli.showing import show_json

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    # Not `source()`: it starts a bash to look at its version; which one will read this is not known here.
    script = found.source_template % found(ctx.find_root().command, {}, "transfer", VARIABLE).source_vars()
    if as_json:
        show_json({"shell": shell, "script": script})
    else:
        click.echo(script)
