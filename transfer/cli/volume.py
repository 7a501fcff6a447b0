"""How much a command says beside its result: `-q` and `-v`, which every command takes, and colour."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

_QUIET, _VERBOSE, _SPENT = "transfer.quiet", "transfer.verbose", "transfer.spent"


def is_quiet() -> bool:
    """Whether results and errors are all that is wanted."""
    return _asked(_QUIET)


def is_verbose() -> bool:
    """Whether receipts are wanted in full, and where the time went."""
    return _asked(_VERBOSE)


def is_coloured(stream: IO[Any]) -> bool:
    """Whether to draw in colour: on a terminal that can, unless `NO_COLOR` is set (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def is_animated(stream: IO[Any]) -> bool:
    """Whether lines can be drawn over: on a terminal that can."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _asked(key: str) -> bool:
    ctx = click.get_current_context(silent=True)
    return bool(ctx and ctx.meta.get(key))


def _heed(key: str, other: str) -> Any:
    def heed(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if not value:
            return
        if ctx.meta.get(other):
            raise click.UsageError("Give --quiet or --verbose, not both.")
        ctx.meta[key] = True

    return heed


def volume_options() -> list[click.Option]:
    """`-q` and `-v`; they are heeded wherever they stand, before the command's name or behind it."""
    return [
        click.Option(
            ("-q", "--quiet"),
            is_flag=True,
            expose_value=False,
            callback=_heed(_QUIET, _VERBOSE),
            help="Print results and errors alone: no notes, warnings or progress.",
        ),
        click.Option(
            ("-v", "--verbose"),
            is_flag=True,
            expose_value=False,
            callback=_heed(_VERBOSE, _QUIET),
            help="On stderr also receipts in full, and where time and memory went.",
        ),
    ]


def with_volume(command: click.Command) -> click.Command:
    """Give a command, and the commands of a group, `-q` and `-v`. Done once, it is done."""
    if not any("--quiet" in param.opts for param in command.params):
        command.params.extend(volume_options())
    if isinstance(command, click.Group):
        for each in command.commands.values():
            with_volume(each)
    return command


@contextmanager
def spending(what: str) -> Iterator[None]:
    """Count what is done in here as time that went there."""
    began = time.monotonic()
    try:
        yield
    finally:
        spend(what, time.monotonic() - began)


def spend(what: str, seconds: float) -> None:
    """Count seconds as time that went there."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None:
        spent = ctx.meta.setdefault(_SPENT, {})
        spent[what] = spent.get(what, 0.0) + seconds


@contextmanager
def telling_time() -> Iterator[None]:
    """With `-v`: at the end, however it ends, say on stderr where time and memory went."""
    began, processor = time.monotonic(), time.process_time()
    ctx = click.get_current_context()
    try:
        yield
    finally:
        if ctx.meta.get(_VERBOSE):
            seconds = time.monotonic() - began
            for line in describe_time(ctx.meta.get(_SPENT, {}), seconds, time.process_time() - processor):
                click.echo(line, err=True)


def describe_time(spent: dict[str, float], seconds: float, processor_seconds: float) -> list[str]:
    """Where time went, the largest part first, what is not named as the rest; and memory.

    Args:
        spent: seconds by what they went for.
        seconds: in all.
        processor_seconds: of all threads of this process.
    """
    parts = sorted(spent.items(), key=lambda each: -each[1])
    rest = max(0.0, seconds - sum(spent.values()))
    lines = [f"time      {seconds:.2f} s, {processor_seconds:.2f} s of processors"]
    lines += [f"          {each:8.2f} s  {what}" for what, each in [*parts, ("the rest", rest)]] if parts else []
    peak = _peak_bytes()
    return lines if peak is None else [*lines, f"memory    {peak / 2**20:,.0f} MB at the most"]


def _peak_bytes() -> int | None:
    """Of this process; None where the platform does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
