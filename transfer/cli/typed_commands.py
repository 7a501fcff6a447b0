"""What was typed, so that it can be typed again for the same result."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from typing import Any

import click

_TYPED = "transfer.typed"
_NO_PART = (
    "out",
    "force",
    "as_json",
    "cache",
    "no_cache",
    "memory",
    "tensorboard",
    "mlflow",
    "address",
    "report",
    "quiet",
    "verbose",
)


class Remembering(click.Command):
    """A command that keeps the words that it was called with."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        words = list(args)
        context = super().make_context(info_name, args, parent, **extra)
        context.meta[_TYPED] = words
        return context


def typed_again() -> str:
    """The current command as one would type it for the same result elsewhere, with `RUN` for where it goes.

    What has no part in the result is left out: some of it, such as the address of a server, may hold secrets.
    """
    context = click.get_current_context()
    words, goes_somewhere = _words(context, _NO_PART)
    return shlex.join(["transfer", str(context.info_name), *words, *(["-o", "RUN"] if goes_somewhere else [])])


def typed_as(name: str, *, without: Collection[str]) -> tuple[str, ...]:
    """The words of another command with what the current one was given, all but where it goes.

    Args:
        name: of the command, which has the same arguments.
        without: names of the options that it has not.
    """
    return "transfer", name, *_words(click.get_current_context(), (*_NO_PART, *without))[0]


def _words(context: click.Context, without: Collection[str]) -> tuple[list[str], bool]:
    """What was typed behind the command, arguments first, and whether it was said where the result goes."""
    typed = list(context.meta.get(_TYPED, ()))
    values, _, order = context.command.make_parser(context).parse_args(typed)
    arguments: list[str] = []
    options: list[str] = []
    for param in dict.fromkeys(order):
        value = values.get(str(param.name))
        if value is None or param.name in without or param.is_eager:
            continue
        if isinstance(param, click.Option):
            options += _option(param, value)
        else:
            arguments += [str(each) for each in (value if isinstance(value, list | tuple) else [value])]
    return [*arguments, *options], values.get("out") is not None


def _option(option: click.Option, value: Any) -> list[str]:
    """An option with its value, as often as it was given."""
    name = max(option.opts, key=len)
    if option.is_flag:
        off = max(option.secondary_opts, key=len, default="")
        return [name] if value else [off] * bool(off)
    several = value if isinstance(value, list | tuple) else [value]
    return [word for each in several for word in (name, str(each))]
