"""`transfer help`."""

from __future__ import annotations

import os
import sys

import click

from transfer.cli.completing import complete_topics
from transfer.cli.options import json_option


@click.command("help")
@click.argument("words", nargs=-1, metavar="[TOPIC|COMMAND]", shell_complete=complete_topics)
@json_option
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], as_json: bool) -> None:
    """Explain a TOPIC, or a COMMAND as its --help does; alone, list the topics.

    \b
    transfer help
    transfer help recipes
    transfer help finetune
    """
    from transfer.cli.showing import show_json
    from transfer.cli.topics import list_topics, read_topic

    topics = list_topics()
    if not words:
        if as_json:
            show_json({"topics": topics})
            return
        width = max(map(len, topics)) + 2
        lines = [f"  {name.ljust(width)}{first.partition(': ')[2]}" for name, first in topics.items()]
        click.echo("\n".join(["transfer help TOPIC explains", "", *lines]))
        click.echo("\n'transfer --help' lists the commands, and 'transfer help COMMAND' explains one.")
        return
    name = " ".join(words)
    text = read_topic(name) if name in topics else _help_of(ctx, words, topics)
    if as_json:
        show_json({"topic": name, "text": text})
    else:
        show_page(text)


def _help_of(ctx: click.Context, words: tuple[str, ...], topics: dict[str, str]) -> str:
    """What `--help` of a command prints.

    Raises:
        UsageError: if there is no such command; the nearest ones and topics are offered.
    """
    from transfer.errors import nearest

    inner = root = ctx.find_root()
    for word in words:
        known = inner.command.list_commands(inner) if isinstance(inner.command, click.Group) else []
        found = inner.command.get_command(inner, word) if isinstance(inner.command, click.Group) else None
        if found is None:
            near = nearest(word, [*known, *(topics if inner is root else ())])
            ctx.fail(f"There is no command or topic {' '.join(words)!r}.{near and f' Nearest: {near}.'}")
        inner = click.Context(found, parent=inner, info_name=word)
    return f"{inner.get_help()}\n"


def show_page(text: str) -> None:
    """Print a text; on a terminal through a pager, which ends by itself where all fits on the screen."""
    if not sys.stdout.isatty() or os.environ.get("PAGER", "less") in {"", "cat"} or os.environ.get("TERM") == "dumb":
        click.echo(text, nl=False)
        return
    os.environ.setdefault("LESS", "FRX")
    click.echo_via_pager(text.rstrip("\n"))
