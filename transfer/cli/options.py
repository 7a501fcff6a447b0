"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from transfer.specs import Head, Preprocessing

PREPROCESSING_NAMES = ("raw", "unit", "torch", "tf", "caffe")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
force_option: Decorator = click.option("--force", is_flag=True, help="Replace what is there.")
seed_option: Decorator = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of every random choice."
)
into_option: Decorator = click.option(
    "--into",
    metavar="ARCH",
    help="The original architecture: module:function, file.py:function, app:MobileNetV2, another file that holds it, a "
    "JSON config, or a shipped checkpoint. Not needed where the file holds it.",
)
classes_option: Decorator = click.option(
    "--into",
    metavar="BUILDER",
    help="module:function or file.py:function whose model has the layers of your own that the run holds.",
)
rule_option: Decorator = click.option(
    "--rule",
    "rules",
    multiple=True,
    metavar="OLD=NEW",
    help="A name in the file and in the model; regular expressions.",
)
skip_option: Decorator = click.option(
    "--skip",
    multiple=True,
    metavar="NAME",
    help="Leave these tensors of the model at their initial values; * for any text.",
)
era_option: Decorator = click.option(
    "--era",
    type=click.Choice(["refuse", "apply", "ignore"]),
    default="refuse",
    show_default=True,
    help="Where the writer's defaults change results: name them and stop, rebuild with them, or go on.",
)
backend_option: Decorator = click.option(
    "--backend",
    type=click.Choice(["tensorflow", "theano", "cntk", "jax", "torch"]),
    help="That the file was written on, where it does not say it: Theano stores convolutions turned round.",
)
coverage_option: Decorator = click.option(
    "--min-coverage",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Share of the model's parameters that must be filled.",
)
check_option: Decorator = click.option(
    "--check",
    type=click.Path(dir_okay=False),
    metavar="NPZ",
    help="Recorded inputs x0, … and outputs y0, … that the restored model must reproduce; settles what a file leaves "
    "open.",
)


def restoring_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """All options that say how a file is brought into an architecture, handed over as one `Restoring`."""

    @functools.wraps(function)
    def gathered(**options: Any) -> Any:
        from transfer.specs import Restoring

        found = {name: options.pop(name) for name in ("rules", "skip", "era", "backend", "min_coverage", "check")}
        return function(**options, restoring=Restoring(**found))

    decorated: Callable[..., Any] = gathered
    for option in (check_option, coverage_option, backend_option, era_option, skip_option, rule_option):
        decorated = option(decorated)
    return decorated


drop_option: Decorator = click.option("--drop-last", is_flag=True, help="Drop the last layer.")
drop_n_option: Decorator = click.option(
    "--drop-last-n", type=click.IntRange(min=1), metavar="N", help="Drop the last N layers."
)
at_option: Decorator = click.option(
    "--at", metavar="LAYER", help="The last layer to keep; 'features' for where a classifier's features end."
)
strict_option: Decorator = click.option("--strict", is_flag=True, help="Make anything left out an error.")
unreadable_option: Decorator = click.option(
    "--skip-unreadable", is_flag=True, help="Leave out damaged pictures instead of stopping."
)


def dropped(*, drop_last: bool, drop_last_n: int | None, at: str | None) -> int:
    """How many layers to drop.

    Raises:
        click.UsageError: if several of the options are given.
    """
    if sum((drop_last, drop_last_n is not None, at is not None)) > 1:
        raise click.UsageError("Give one of --drop-last, --drop-last-n and --at.")
    return drop_last_n or int(drop_last)


class HeadType(click.ParamType[Any]):
    """`label:5` as a `Head`, `tags:7,kind=sigmoid,hidden=256+64,dropout=0.3,pool=concat` as one with options."""

    name = "NAME:CLASSES"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Head:
        from transfer.specs import Head

        first, *options = str(value).split(",")
        name, _, classes = first.rpartition(":")
        try:
            if not name or not classes.isdecimal():
                raise ValueError("a name, ':' and the number of classes")
            given: dict[str, Any] = {}
            for key, text in (
                (key.strip(), text.strip()) for key, _, text in (each.partition("=") for each in options)
            ):
                if key in given:
                    raise ValueError(f"{key} is given twice")
                given[key] = _head_option(key, text)
            return Head(name, int(classes), **given)
        except ValueError as error:
            form = "NAME:CLASSES, such as label:5 or tags:7,kind=sigmoid,hidden=256+64,dropout=0.3,pool=concat"
            self.fail(f"{value!r} is not {form} ({error})", param, ctx)


def _head_option(key: str, text: str) -> Any:
    if key == "hidden":
        if not all(units.isdecimal() for units in text.split("+")):
            raise ValueError(f"hidden is units joined by '+', 256+64, not {text!r}")
        return tuple(int(units) for units in text.split("+"))
    if key == "dropout":
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"dropout is a share in [0, 1), not {text!r}") from None
    if key in ("kind", "pool"):
        return text
    raise ValueError(f"a head has kind, hidden, dropout and pool, not {key!r}")


class SecondsType(click.ParamType[Any]):
    """`90`, `90s`, `10m` or `1.5h` as seconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value))
        seconds = float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]] if found else 0.0
        if seconds <= 0:
            units = "a number above 0, of seconds, or with s, m or h behind it"
            self.fail(f"{value!r} is not a time such as 90, 90s, 10m or 1.5h: {units}", param, ctx)
        return seconds


class SizeType(click.ParamType[Any]):
    """`160` or `160x224` (height x width)."""

    name = "PIXELS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        sides = str(value).split("x")
        if len(sides) > 2 or not all(side.isdecimal() and 1 <= int(side) <= 4096 for side in sides):
            self.fail(f"{value!r} is not a size such as 160 or 160x224 (height x width)", param, ctx)
        return int(sides[0]), int(sides[-1])


def preprocessing_named(name: str | None) -> Preprocessing | None:
    """A preprocessing by its name; None for none."""
    from transfer.specs import PREPROCESSINGS

    return PREPROCESSINGS[name] if name else None


_EXTRACTION = (
    drop_option,
    drop_n_option,
    click.option(
        "--at",
        multiple=True,
        metavar="LAYER",
        help="The last layer to keep, 'backbone/pool' for one inside a nested model, 'features' for where a "
        "classifier's features end. Given several times: features of several scales.",
    ),
    click.option("--flatten", is_flag=True, help="Open all nested models."),
    click.option(
        "--head",
        "heads",
        multiple=True,
        type=HeadType(),
        help="Attach a dense layer of logits; may be given several times. Options follow: label:5,hidden=64,"
        "dropout=0.2,pool=concat,kind=sigmoid.",
    ),
    click.option(
        "--freeze",
        multiple=True,
        metavar="NAME",
        help="Layers to fix: 'backbone' for all that is kept, a name, a path, a pattern with *, or re:EXPRESSION.",
    ),
    click.option("--freeze-up-to", metavar="LAYER", help="Fix a layer and everything that it depends on."),
    click.option("--unfreeze-last", type=click.IntRange(min=0), metavar="N", help="Train the last N blocks alone."),
    click.option(
        "--batch-norm",
        type=click.Choice(["frozen", "adapt", "train"]),
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
