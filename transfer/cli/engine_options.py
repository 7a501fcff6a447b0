"""Where the work of a command is done: the options, and the engine that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from transfer.cli.options import ChoiceType

if TYPE_CHECKING:
    from transfer.training.engines import Engine


threads_option = click.option(
    "--threads", type=click.IntRange(min=1), help="Of this process, or of each worker: all processors, or one."
)


def threads_here(engine: str, threads: int | None) -> int | None:
    """Of this process, so that it computes the bits of the workers and its features serve them; None for all."""
    return threads or (1 if engine == "ray" else None)


def _see_ray(_: click.Context, __: click.Parameter, engine: str) -> str:
    """Whether Ray is there, before anything slow is imported.

    Raises:
        TrainingError: if it is asked for and not installed.
    """
    if engine == "ray":
        from transfer.scaling.clusters import load_ray

        load_ray()
    return engine


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--engine`, `--address` and `--workers`, which `open_engine` takes."""
    for option in (
        click.option(
            "--workers", type=click.IntRange(min=1), help="Processes of the cluster; by default all it can take."
        ),
        click.option(
            "--address",
            metavar="HOST:PORT",
            help="Of the cluster; by default what RAY_ADDRESS says, else processes of this machine alone.",
        ),
        click.option(
            "--engine",
            type=ChoiceType(["local", "ray"]),
            default="local",
            show_default=True,
            callback=_see_ray,
            help="What does the work: this process, or a Ray cluster whose machines see the same folders.",
        ),
    ):
        command = option(command)
    return command


@contextmanager
def open_engine(engine: str, address: str | None, workers: int | None, threads: int | None = None) -> Iterator[Engine]:
    """The engine that was asked for, for a while.

    Args:
        engine: `local` or `ray`.
        address: of the cluster.
        workers: how many processes.
        threads: of this process, or of each of those; by default all processors, or one.

    Raises:
        click.UsageError: if options of a cluster are given without one.
        TrainingError: if Ray is not installed, or no cluster answers.
    """
    if engine == "local":
        named = [name for name, value in (("--address", address), ("--workers", workers)) if value is not None]
        if named:
            raise click.UsageError(f"{' and '.join(named)} belong to a cluster: add --engine ray.")
        from transfer.cli.quieting import import_tensorflow

        import_tensorflow(threads)
        from transfer.training.devices import make_repeatable
        from transfer.training.engines import LocalEngine

        make_repeatable()
        yield LocalEngine()
        return
    from transfer.cli.quieting import entered_quietly
    from transfer.scaling.ray_engine import RayEngine

    with entered_quietly(RayEngine(address, workers=workers, threads=threads or 1)) as cluster:
        yield cluster
