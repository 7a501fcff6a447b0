"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from math import isfinite
from typing import TYPE_CHECKING, Any

import click

from transfer.cli.completing import complete_architectures, complete_checkpoints, complete_layers

if TYPE_CHECKING:
    from transfer.specs import Preprocessing

PREPROCESSING_NAMES = ("raw", "unit", "torch", "tf", "caffe")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class ChoiceType(click.Choice[str]):
    """One of several words; for a slip the nearest one is offered."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """What is wrong, and what may have been meant."""
        from transfer.errors import nearest

        return (
            f"{super().get_invalid_choice_message(value, ctx)} Nearest: {nearest(str(value), self.choices, count=1)}."
        )


class FiniteRange(click.FloatRange):
    """A number within bounds, and neither NaN nor infinite."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not isfinite(found):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return found


json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
file_argument: Decorator = click.argument("file", shell_complete=complete_checkpoints)
force_option: Decorator = click.option("--force", is_flag=True, help="Replace what is there.")
seed_option: Decorator = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of every random choice."
)
into_option: Decorator = click.option(
    "--into",
    metavar="ARCH",
    shell_complete=complete_architectures,
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
    type=ChoiceType(["refuse", "apply", "ignore"]),
    default="refuse",
    show_default=True,
    help="Where the writer's defaults change results: name them and stop, rebuild with them, or go on.",
)
backend_option: Decorator = click.option(
    "--backend",
    type=ChoiceType(["tensorflow", "theano", "cntk", "jax", "torch"]),
    help="That the file was written on, where it does not say it: Theano stores convolutions turned round.",
)
coverage_option: Decorator = click.option(
    "--min-coverage",
    type=FiniteRange(0, 1),
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
    "--at",
    metavar="LAYER",
    shell_complete=complete_layers,
    help="The last layer to keep; 'features' for where a classifier's features end.",
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


class ShotsType(click.ParamType):  # type: ignore[type-arg]
    """`1,5,10`."""

    name = "shots"

    def convert(
        self, value: str | tuple[int, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Labels a class."""
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(int(each) for each in value.split(","))
        except ValueError:
            found = (0,)
        if min(found) < 1:
            self.fail(f"expected whole numbers above 0 with commas between, as 1,5,10; found {value!r}", param, ctx)
        return found


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
