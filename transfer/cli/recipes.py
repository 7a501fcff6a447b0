"""`transfer recipe show` and `transfer recipe check`."""

from __future__ import annotations

from pathlib import Path

import click

from transfer.cli.completing import complete_recipes
from transfer.cli.options import json_option, seed_option
from transfer.cli.recipe_options import chosen_recipe, set_option


@click.group("recipe")
def command() -> None:
    """Look at recipes: what a run trains and how, stage by stage.

    \b
    transfer recipe show                             the names
    transfer recipe show lp-ft --examples 200
    transfer recipe show lp-ft --set stages.1.rate=3e-5 > mine.toml
    transfer recipe check mine.toml
    """


@command.command("show")
@click.argument("recipe", metavar="[NAME|FILE]", required=False, shell_complete=complete_recipes)
@set_option
@click.option(
    "--examples",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    help="Number of training examples, by which a named recipe chooses its steps.",
)
@seed_option
@json_option
def show(recipe: str | None, settings: tuple[str, ...], examples: int, seed: int, as_json: bool) -> None:
    """Print a recipe with its fields as TOML, each stage after a line that says what it does; without one, the names.

    \b
    transfer recipe show bit --examples 50000
    transfer recipe show mine.toml --set stages.1.augment=flip,shift
    """
    from dataclasses import asdict

    from transfer.cli.showing import show_json, show_table
    from transfer.training.describing_stages import describe_stage
    from transfer.training.named_recipes import NAMED, explain_named, summarize_named
    from transfer.training.recipe_texts import format_recipe

    if recipe is None:
        if settings:
            raise click.UsageError("--set changes a recipe: name one.")
        names = summarize_named()
        show_json({"recipes": names}, of="recipe-names") if as_json else show_table(
            ("recipe", "what it does"), [*names.items()]
        )
        return
    chosen = chosen_recipe(recipe, settings, examples=examples, seed=seed)
    if as_json:
        does = [describe_stage(stage) for stage in chosen.stages]
        show_json({"recipe": asdict(chosen), "does": does})
    else:
        lines = explain_named(recipe).splitlines() if recipe in NAMED else []
        click.echo("".join(f"{f'# {line}'.rstrip()}\n" for line in lines) + format_recipe(chosen), nl=False)


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def check(file: Path, as_json: bool) -> None:
    """Say whether FILE is a recipe, or everything that is wrong in it.

    Whether its layers are there shows `transfer finetune --dry-run`, which knows the network.

    \b
    transfer recipe check mine.toml
    """
    from transfer.cli.showing import show_json
    from transfer.training.recipe_texts import read_recipe

    recipe = read_recipe(file)
    stages = [stage.kind for stage in recipe.stages]
    if as_json:
        show_json({"ok": True, "name": recipe.name, "stages": stages})
    else:
        click.echo(f"{file}: ok, {recipe.name!r}: {', then '.join(stages)}")
