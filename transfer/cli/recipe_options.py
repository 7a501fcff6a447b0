"""The options that say what is trained and how, and the recipe that they come to."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from transfer.cli.completing import complete_layers, complete_recipes
from transfer.cli.options import Decorator, seed_option

if TYPE_CHECKING:
    from transfer.recipes import Recipe


class RateType(click.ParamType[Any]):
    """A number above 0, or `auto`."""

    name = "RATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        try:
            good = text == "auto" or 0 < float(text) < float("inf")
        except ValueError:
            good = False
        if not good:
            self.fail(f"{value!r} is not a number above 0, nor 'auto'", param, ctx)
        return text


recipe_option: Decorator = click.option(
    "--recipe",
    metavar="NAME|FILE",
    shell_complete=complete_recipes,
    help="What is trained and how: probe, lp-ft, full, scratch, gradual, bit, lora, or a TOML file.  [default: lp-ft]",
)
set_option: Decorator = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Change a field of the recipe: stages.1.rate=1e-4, stages.1.augment=flip,shift. Stages count from 0.",
)
unfreeze_option: Decorator = click.option(
    "--unfreeze-from",
    metavar="LAYER",
    shell_complete=complete_layers,
    help="After the head is solved, train this layer and all after it.",
)
epochs_option: Decorator = click.option(
    "--epochs", type=click.IntRange(min=1), help="Of what is trained by steps, instead of the recipe's."
)
rate_option: Decorator = click.option(
    "--rate",
    type=RateType(),
    metavar="RATE|auto",
    help="The learning rate likewise; 'auto' finds one.  [default with --unfreeze-from: 1e-05]",
)


@dataclass(frozen=True, slots=True)
class RecipeChoice:
    """What was given on the command line about a recipe.

    Attributes:
        recipe: a name or a file; None for the default.
        settings: each `FIELD=VALUE`.
        unfreeze_from: the first layer to train, instead of a recipe.
        epochs: of every stage that trains by steps.
        rate: of every stage that trains by steps: a number or `auto`.
        seed: of `--seed`, given or not.
    """

    recipe: str | None
    settings: tuple[str, ...]
    unfreeze_from: str | None
    epochs: int | None
    rate: str | None
    seed: int

    def __post_init__(self) -> None:
        if self.unfreeze_from is not None and self.recipe is not None:
            raise click.UsageError("--unfreeze-from makes a recipe of its own: give it or --recipe.")

    def or_probe(self) -> RecipeChoice:
        """The same, with the recipe `probe` where none was chosen."""
        return self if self.recipe is not None or self.unfreeze_from is not None else replace(self, recipe="probe")

    def resolve(self, examples: int) -> Recipe:
        """The recipe for so many training examples.

        Raises:
            click.UsageError: if `--epochs` or `--rate` is given and nothing is trained by steps.
            DataError: if there is no such recipe, or something is wrong in it or in the settings.
        """
        from transfer.recipes import Recipe, Stage
        from transfer.training.named_recipes import DEFAULT
        from transfer.training.recipe_texts import change_recipe

        if self.unfreeze_from:
            tune = Stage("tune", unfreeze_from=self.unfreeze_from)
            found = change_recipe(Recipe((Stage("probe"), tune), seed=self.seed), self.settings)
        else:
            found = chosen_recipe(self.recipe or DEFAULT, self.settings, examples=examples, seed=self.seed)
        given = {name: each for name, each in (("epochs", self.epochs), ("rate", self.rate)) if each is not None}
        steps = [place for place, stage in enumerate(found.stages) if stage.kind == "tune"]
        if given and not steps:
            raise click.UsageError(f"--epochs and --rate are for training by steps; {found.name!r} has no such stage.")
        changes = [f"stages.{place}.{name}={each}" for place in steps for name, each in given.items()]
        if self.epochs is not None:
            found = replace(found, stages=tuple(replace(stage, steps=0) for stage in found.stages))
        return change_recipe(found, changes)


def recipe_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is trained and how, handed over as one `RecipeChoice` called `choice`."""

    @functools.wraps(function)
    def gathered(
        recipe: str | None,
        settings: tuple[str, ...],
        unfreeze_from: str | None,
        epochs: int | None,
        rate: str | None,
        seed: int,
        **options: Any,
    ) -> Any:
        return function(**options, choice=RecipeChoice(recipe, settings, unfreeze_from, epochs, rate, seed))

    decorated: Callable[..., Any] = gathered
    for option in (seed_option, rate_option, epochs_option, unfreeze_option, set_option, recipe_option):
        decorated = option(decorated)
    return decorated


def chosen_recipe(recipe: str, settings: tuple[str, ...], *, examples: int, seed: int) -> Recipe:
    """The recipe of `--recipe`, changed by `--set`; a `--seed` that was given is taken instead of its own.

    Args:
        recipe: a name or a file.
        settings: each `FIELD=VALUE`.
        examples: number of training examples.
        seed: the value of `--seed`, given or not.

    Raises:
        click.UsageError: if the seed is given twice.
        DataError: if there is no such recipe, or something is wrong in it or in the settings.
    """
    from transfer.training.recipe_texts import resolve_recipe

    is_given = click.get_current_context().get_parameter_source("seed") == ParameterSource.COMMANDLINE
    if is_given and any(setting.partition("=")[0].strip() == "seed" for setting in settings):
        raise click.UsageError("Give --seed or --set seed=…, not both.")
    return resolve_recipe(recipe, settings, examples=examples, seed=seed if is_given else None)
