"""What is said when somebody presses Ctrl-C: what is left of the work, and the command that goes on with it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

CODE = 130


def show_interruption(words: Sequence[str], *, as_json: bool) -> None:
    """Say it on stderr, in one line.

    Args:
        words: of the command line, without the program's name.
        as_json: as an error in JSON.
    """
    said, step = describe_interruption(words)
    if not as_json:
        click.echo(f"{said} {step}", err=True)
        return
    from transfer.cli.showing import show_json_error

    show_json_error("Interrupted", CODE, said, next_step=step)


def describe_interruption(words: Sequence[str]) -> tuple[str, str]:
    """What is left, and what to do.

    A run, or a pretraining, that was cut off has left a hidden folder beside its output if there is anything to go on
    from, and none else; a computation of features has left its shards in its output.
    """
    out = _output_in(words)
    if out is not None and (out.with_name(f".{out.name}.unfinished").is_dir() or (out / "unfinished").is_dir()):
        return "Interrupted.", f"To go on from where it was: {shlex.join(['transfer', *words])}"
    return "Interrupted; no result was written.", "The same command begins anew."


def _output_in(words: Sequence[str]) -> Path | None:
    """What `-o` names, as far as the words tell."""
    for place, word in enumerate(words):
        if word in {"-o", "--out"}:
            return Path(words[place + 1]) if place + 1 < len(words) else None
        start = "--out=" if word.startswith("--") else "-o"
        if word.startswith(start) and word != start:
            return Path(word.removeprefix(start))
    return None
