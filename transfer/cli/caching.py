"""`transfer cache`, and the options of commands that keep features."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transfer.cli.options import Decorator, FiniteRange, json_option

if TYPE_CHECKING:
    from transfer.data.feature_folders import KeptPiece
    from transfer.jobs.examples.cached_features import Cache

VARIABLE = "TRANSFER_CACHE"
GIGABYTES = 5.0

_NO_CACHE = "Keep no features for other runs."
_IN_USE = {True: "by a run at work", False: "", None: "unknown"}
_folder_option: Decorator = click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help=f"Keep features there for other runs.  [default: ${VARIABLE}, or the user's cache folder]",
)


def cache_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is kept for other runs, handed over as one `Cache`, or None to keep nothing."""

    @functools.wraps(function)
    def gathered(cache: Path | None, no_cache: bool, cache_size: float | None, **options: Any) -> Any:
        if no_cache and (cache is not None or cache_size is not None):
            raise click.UsageError("Give --no-cache alone: --cache and --cache-size say what is kept.")
        return function(**options, cache=None if no_cache else _chosen(cache, cache_size))

    decorated: Callable[..., Any] = gathered
    size_option = click.option(
        "--cache-size",
        type=FiniteRange(min=0),
        metavar="GB",
        help=f"That the cache may take after the run; what was used longest ago goes.  [default: {GIGABYTES:g}]",
    )
    for option in (size_option, click.option("--no-cache", is_flag=True, help=_NO_CACHE), _folder_option):
        decorated = option(decorated)
    return decorated


def _chosen(folder: Path | None, gigabytes: float | None) -> Cache:
    from transfer.jobs.examples.cached_features import Cache

    size = int((GIGABYTES if gigabytes is None else gigabytes) * 2**30)
    return Cache(folder or default_folder(), size, is_needed=folder is not None)


def default_folder() -> Path:
    """Where features are kept if no option says it."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("h5transfer", appauthor=False) / "features"


@click.group("cache", invoke_without_command=True)
@_folder_option
@json_option
@click.pass_context
def command(ctx: click.Context, cache: Path | None, as_json: bool) -> None:
    """Show what is kept of earlier runs: where, how much, and when it was last used.

    Kept are the outputs of frozen layers, a piece of a network each, so that another run on the same pictures begins
    where they end. Results do not depend on it. After each run it is trimmed to --cache-size.

    \b
    transfer cache
    transfer cache clear --yes
    transfer cache --cache features/ --json
    """
    folder = cache or default_folder()
    if ctx.invoked_subcommand is not None:
        ctx.obj = {**(ctx.obj or {}), "folder": folder}
        return
    from transfer.cli.showing import show_json, show_table
    from transfer.data.feature_folders import list_pieces

    pieces = list_pieces(folder)
    if as_json:
        show_json({**_counted(folder, pieces), "pieces": [_described(each) for each in pieces]})
        return
    click.echo(f"{folder}: {_amount(pieces)}")
    if pieces:
        rows = [
            (each.name[:12], f"{each.shards:,}", _megabytes(each.size_bytes), _local(each), _IN_USE[each.is_held])
            for each in pieces
        ]
        show_table(("piece", "files", "MB", "last used", "in use"), rows, numbers=("files", "MB"))


@command.command("clear")
@_folder_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def clear(obj: dict[str, Any], cache: Path | None, yes: bool, as_json: bool) -> None:
    """Take away all that is kept, save what a run at work uses. Nothing but kept features is touched.

    \b
    transfer cache clear
    transfer cache clear --cache features/ --yes
    """
    from transfer.cli.showing import show_json, show_note
    from transfer.data.feature_folders import list_pieces, trim_shards

    folder = cache or obj["folder"]
    before = list_pieces(folder)
    if before and not yes and not _is_wanted(f"Take away {_amount(before)} in {folder}?"):
        show_note("nothing was taken away")
        return
    trim_shards(folder, 0, idle_seconds=0)
    after = list_pieces(folder)
    if as_json:
        show_json({"before": _counted(folder, before), "after": _counted(folder, after)})
        return
    click.echo(f"{folder}: {_amount(before)}, now {_amount(after)}")
    if after:
        show_note("what is left is in use by a run, or cannot be taken away")


def _is_wanted(question: str) -> bool:
    """Ask.

    Raises:
        click.UsageError: if there is nobody to answer.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask at: pass --yes to take it away without asking.")
    return click.confirm(question, err=True)


def _counted(folder: Path, pieces: tuple[KeptPiece, ...]) -> dict[str, Any]:
    shards, size = (sum(getattr(each, name) for each in pieces) for name in ("shards", "size_bytes"))
    return {"folder": str(folder), "files": shards, "size_bytes": size}


def _described(piece: KeptPiece) -> dict[str, Any]:
    used = datetime.fromtimestamp(piece.used_at, UTC).isoformat(timespec="seconds")
    return {
        "piece": piece.name,
        "files": piece.shards,
        "size_bytes": piece.size_bytes,
        "last_used": used,
        "in_use": piece.is_held,
    }


def _amount(pieces: tuple[KeptPiece, ...]) -> str:
    files, size = sum(each.shards for each in pieces), sum(each.size_bytes for each in pieces)
    return f"{files:,} files, {_megabytes(size)} MB" if files else "nothing is kept"


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.1f}"


def _local(piece: KeptPiece) -> str:
    return datetime.fromtimestamp(piece.used_at).astimezone().strftime("%Y-%m-%d %H:%M")
