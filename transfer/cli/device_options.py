"""Options that say on how much training runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import click

from transfer.cli.options import Decorator

if TYPE_CHECKING:
    from transfer.scaling.ray_fitting import RayFitter


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
    help="Share each batch of what is trained among so many GPUs of this machine, or of each worker.  [default: all "
    "here]",
)


def check_sharing(engine: str, address: str | None, workers: int | None, devices: int | Literal["all"] | None) -> None:
    """Refuse options that do not go together.

    Raises:
        click.UsageError: if options of a cluster are given without one, or one is asked for without its size.
    """
    named = [name for name, value in (("--address", address), ("--workers", workers)) if value is not None]
    if engine == "local" and named:
        raise click.UsageError(f"{' and '.join(named)} belong to a cluster: add --engine ray.")
    if engine == "ray" and workers is None:
        raise click.UsageError("Say how many share each batch with --workers N: their number changes rounding.")
    if engine == "ray" and devices == "all":
        raise click.UsageError("Say how many GPUs each worker has with --devices N.")


@contextmanager
def open_fitter(
    engine: str, address: str | None, workers: int | None, devices: int | Literal["all"] | None
) -> Iterator[RayFitter | None]:
    """The workers that were asked for, for a while; None for this process.

    Raises:
        TrainingError: if Ray is not installed, no cluster answers, or it has too little room.
    """
    if engine == "local" or workers is None:
        yield None
        return
    from transfer.cli.quieting import entered_quietly
    from transfer.scaling.ray_fitting import RayFitter

    gpus = devices if isinstance(devices, int) else 0
    with entered_quietly(RayFitter(workers, address, gpus=gpus)) as fitter:
        yield fitter
