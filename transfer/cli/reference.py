"""The reference of all commands as Markdown: `python -m transfer.cli.reference > COMMANDS.md`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from transfer.cli.group import COMMANDS, transfer

_EXAMPLES = "\x08\n"  # click's mark of lines that are not to be filled
_COMMON = {"--json", "--quiet", "--verbose", "--help"}
_INTRODUCTION = """# Commands

What `transfer COMMAND --help` says of each, made by `python -m transfer.cli.reference > COMMANDS.md`. `transfer help`
lists topics that go beyond one command: recipes, architectures, labellings, exit codes, completion, files, JSON.

Every command takes `--json` (the result, or the error, as JSON of a form that ships), `-q` (results and errors alone),
`-v` (on stderr also receipts in full, and where time and memory went) and `--help`.
"""


def write_reference() -> str:
    """Every command with its arguments, examples and options, in the order of the alphabet."""
    root = click.Context(transfer, info_name="transfer")
    found = [_INTRODUCTION]
    for name in COMMANDS:
        command = transfer.get_command(root, name)
        if command is not None:
            found += _describe(command, click.Context(command, parent=root, info_name=name))
    return "\n".join(found)


def examples_of(command: click.Command) -> list[str]:
    """The lines of its help that show how it is called."""
    blocks = re.findall(rf"{_EXAMPLES}((?:.+\n?)+)", _help_of(command))
    return [line for block in blocks for line in block.rstrip("\n").splitlines()]


def _help_of(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "")


def _describe(command: click.Command, ctx: click.Context) -> Iterator[str]:
    level = "##" if ctx.parent and ctx.parent.parent is None else "###"
    yield f"{level} {ctx.command_path}\n"
    pieces = " ".join(piece for piece in command.collect_usage_pieces(ctx) if piece != "[OPTIONS]")
    yield f"`{ctx.command_path}{f' {pieces}' if pieces else ''}`\n"
    for paragraph in re.sub(rf"{_EXAMPLES}(?:.+\n?)+", "", _help_of(command)).split("\n\n"):
        if paragraph.strip():
            yield " ".join(paragraph.split()) + "\n"
    examples = examples_of(command)
    if examples:
        yield "\n".join(["```sh", *examples, "```\n"])
    options = list(_options(command, ctx))
    if options:
        yield "\n".join(options) + "\n"
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _describe(inner, click.Context(inner, parent=ctx, info_name=name))


def _options(command: click.Command, ctx: click.Context) -> Iterator[str]:
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if isinstance(param, click.Option) and record and not _COMMON & set(param.opts):
            yield f"- `{record[0]}`: {' '.join(record[1].split())}"


if __name__ == "__main__":
    click.echo(write_reference(), nl=False)
