"""Options that say on how much training runs."""

from __future__ import annotations

from typing import Any, Literal

import click

from transfer.cli.options import Decorator


class DevicesType(click.ParamType[Any]):
    """A number of devices from 1, or `all`."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | Literal["all"]:
        """See click."""
        if value == "all":
            return "all"
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = 0
        if number < 1:
            self.fail(f"{value!r} is neither a number from 1 nor 'all'", param, ctx)
        return number


devices_option: Decorator = click.option(
    "--devices",
    type=DevicesType(),
    metavar="N|all",
    help="Share each batch of what is trained among so many GPUs of this machine.  [default: all]",
)
