"""What TAB offers: names that ship, recipes, topics, and the layers of the file on the line.

A completion is typed into a shell unquoted: names that a shell would read otherwise are not offered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

_SAFE = re.compile(r"[A-Za-z0-9_.+:@%][A-Za-z0-9_.+:@%/-]*")
_MOST = 2000  # names
_FILE, _FOLDER = "file", "dir"


def complete_checkpoints(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Checkpoints that ship, and files."""
    from transfer.weights.shipped import shipped_checkpoints

    return _names_or_files(shipped_checkpoints(), incomplete)


def complete_architectures(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What `--into` takes: checkpoints that ship, `app:` and its networks, files."""
    from transfer.weights.shipped import shipped_checkpoints

    if incomplete.startswith("app:"):
        from transfer.weights.identifying import application_names

        return _items((f"app:{name}" for name in application_names()), incomplete)
    return _names_or_files([*shipped_checkpoints(), "app:"], incomplete)


def complete_recipes(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Recipes that go by a name, and files."""
    from transfer.training.named_recipes import summarize_named

    return _names_or_files(summarize_named(), incomplete)


def complete_topics(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Topics and commands; behind a group's name its commands."""
    words = ctx.params.get(param.name or "") or ()
    root = ctx.find_root()
    group: click.Command | None = root.command
    for word in words:
        group = group.get_command(root, word) if isinstance(group, click.Group) else None
    known = group.list_commands(root) if isinstance(group, click.Group) else []
    if not words:
        from transfer.cli.topics import list_topics

        known = [*list_topics(), *known]
    return _items(known, incomplete)


def complete_layers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Layers of the file that stands before on the line, or of the architecture that `--into` names for it."""
    first = next(each for each in ctx.command.params if isinstance(each, click.Argument))
    # Where an option lacks its value, which is what is asked for, click leaves the arguments as they stand.
    named = [ctx.params.get("into"), ctx.params.get(first.name or ""), *ctx.args[:1]]
    words = {"at": ("features",), "freeze": ("backbone",)}.get(param.name or "", ())
    found = next((layers for name in named if isinstance(name, str) and (layers := _layers_of(name))), [])
    return _items([*words, *found], incomplete)


def _layers_of(name: str) -> list[str]:
    """Of a checkpoint, in order, those inside nested models by their paths; none where it cannot be read."""
    from transfer.weights.shipped import shipped_checkpoints

    path = Path(name)
    try:
        if not (path.is_file() or path.is_dir() or name in shipped_checkpoints()):
            return []
        return _read_layers(name)
    except Exception:  # noqa: BLE001 -- there is nobody to tell: a shell is waiting for names
        return []


def _read_layers(name: str) -> list[str]:
    from transfer.errors import TransferError
    from transfer.graphs.flattening import flatten
    from transfer.surgery.planning import read_architecture
    from transfer.weights.opening import open_checkpoint

    try:
        graph = read_architecture(name)
    except TransferError:  # weights alone
        return [spec.layer for spec in open_checkpoint(name).specs.values()]
    return [] if graph is None else [*graph.names, *flatten(graph).names]


def _names_or_files(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Names that fit, with files that fit beside them; where no name fits the shell lists files itself."""
    found = _items(names, incomplete)
    if not found:
        return [CompletionItem(incomplete, type=_FILE)]
    if "/" in incomplete:
        return found
    return found + _items(sorted(each.name for each in Path().iterdir() if each.is_file()), incomplete or "")


def _items(names: Iterable[Any], incomplete: str) -> list[CompletionItem]:
    fitting = (name for name in dict.fromkeys(names) if name.startswith(incomplete) and _SAFE.fullmatch(name))
    return [CompletionItem(name) for name, _ in zip(fitting, range(_MOST), strict=False)]
