"""The options that say what is taken from a network, and what is attached to it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transfer.cli.completing import complete_layers
from transfer.cli.head_texts import HeadType, made_heads
from transfer.cli.labelling_options import labelling_option
from transfer.cli.options import ChoiceType, SizeType, drop_n_option, drop_option, dropped, seed_option

if TYPE_CHECKING:
    from transfer.labellings import Labelling
    from transfer.specs import Head


_EXTRACTION = (
    drop_option,
    drop_n_option,
    click.option(
        "--at",
        multiple=True,
        metavar="LAYER",
        shell_complete=complete_layers,
        help="The last layer to keep, 'backbone/pool' for one inside a nested model, 'features' for where a "
        "classifier's features end. Given several times: features of several scales.",
    ),
    click.option("--flatten", is_flag=True, help="Open all nested models."),
    click.option(
        "--head",
        "heads",
        multiple=True,
        type=HeadType(),
        help="Attach a dense layer of logits; may be given several times: label:5, tags:7:sigmoid. Options follow: "
        "label:5,hidden=64,dropout=0.2,pool=concat. With --labelling NAME alone will do.",
    ),
    labelling_option,
    click.option(
        "--freeze",
        multiple=True,
        metavar="NAME",
        shell_complete=complete_layers,
        help="Layers to fix: 'backbone' for all that is kept, a name, a path, a pattern with *, or re:EXPRESSION.",
    ),
    click.option(
        "--freeze-up-to",
        metavar="LAYER",
        shell_complete=complete_layers,
        help="Fix a layer and everything that it depends on.",
    ),
    click.option("--unfreeze-last", type=click.IntRange(min=0), metavar="N", help="Train the last N blocks alone."),
    click.option(
        "--batch-norm",
        type=ChoiceType(["frozen", "adapt", "train"]),
        default="frozen",
        show_default=True,
        help="Where layers are frozen: fix all batch normalization, that in frozen parts, or none.",
    ),
    click.option("--channels", type=click.IntRange(min=1), metavar="N", help="Take images of N channels."),
    click.option("--input-size", "size", type=SizeType(), help="Take images of this size."),
    seed_option,
)


def _refuse_slips(
    at: tuple[str, ...],
    *,
    heads: tuple[Head, ...],
    freeze: tuple[str, ...],
    freeze_up_to: str | None,
    unfreeze_last: int | None,
) -> None:
    """Say in the words of the command line what an `Extraction` would refuse in those of Python.

    Raises:
        click.UsageError: if options do not go together, or a name comes twice.
    """
    if unfreeze_last is not None and (freeze or freeze_up_to):
        beside = "--freeze" if freeze else "--freeze-up-to"
        raise click.UsageError(f"--unfreeze-last fixes everything before the last blocks: give no {beside} beside it.")
    for option, names in (("--at", at), ("--head", [head.name for head in heads])):
        if len(set(names)) < len(names):
            raise click.UsageError(f"{option}: a name comes twice: {', '.join(names)}.")


def extraction_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """All options that say what is taken from a network, handed over as one `Extraction`."""

    @functools.wraps(function)
    def gathered(drop_last: bool, drop_last_n: int | None, at: tuple[str, ...], **options: Any) -> Any:
        from transfer.specs import Extraction

        count = dropped(drop_last=drop_last, drop_last_n=drop_last_n, at=at[0] if at else None)
        path = options.pop("labelling")
        options["heads"] = made_heads(options["heads"], _read(path) if path else None)
        _refuse_slips(at, **{name: options[name] for name in ("heads", "freeze", "freeze_up_to", "unfreeze_last")})
        names = (
            "flatten",
            "heads",
            "freeze",
            "freeze_up_to",
            "unfreeze_last",
            "batch_norm",
            "channels",
            "size",
            "seed",
        )
        try:
            how = Extraction(drop_last=count, at=at, **{name: options.pop(name) for name in names})
        except ValueError as error:
            raise click.UsageError(f"{error}.") from error
        return function(**options, extraction=how)

    decorated: Callable[..., Any] = gathered
    for option in reversed(_EXTRACTION):
        decorated = option(decorated)
    return decorated


def _read(path: Path) -> Labelling:
    from transfer.data.labelling_files import read_labelling

    return read_labelling(path)
