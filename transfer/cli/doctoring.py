"""`transfer doctor`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from transfer.cli.options import json_option

if TYPE_CHECKING:
    from transfer.jobs.installation.installation_findings import Finding

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command("doctor")
@click.option("--no-test", is_flag=True, help="Leave out the self-test, which imports TensorFlow.")
@json_option
@click.pass_context
def command(ctx: click.Context, no_test: bool, as_json: bool) -> None:
    """Look at what is installed and at this machine, and restore and ask a network that ships: whether all will do.

    A line for each thing: ok, warn or fail, with what to do. Ends with 1 if something fails. It works where TensorFlow
    does not, and says so.

    \b
    transfer doctor
    transfer doctor --no-test
    transfer doctor --json > doctor.json
    """
    from transfer.cli.caching import default_folder
    from transfer.cli.showing import show_json, show_note
    from transfer.jobs.installation.examining_installation import examine_installation

    if not no_test and not as_json:
        show_note("a network is restored and asked, which takes some ten seconds")
    found = examine_installation(default_folder(), os.environ, with_test=not no_test)
    if as_json:
        show_json(found.to_json())
    else:
        width = max(len(each.what) for each in found.findings) + 2
        for each in found.findings:
            click.echo(_line(each, width))
    ctx.exit(1 if found.has_failed else 0)


def _line(finding: Finding, width: int) -> str:
    state = click.style(finding.state.ljust(6), fg=COLOURS[finding.state])
    advice = f"\n{' ' * (width + 6)}next: {finding.advice}" if finding.advice and finding.state != "ok" else ""
    aside = f" ({finding.advice})" if finding.advice and finding.state == "ok" else ""
    return f"{state}{finding.what.ljust(width)}{finding.found}{aside}{advice}"
