"""`transfer recipe`, and the options with which other commands take a recipe."""

import click
import pytest
from click.testing import CliRunner

from transfer.cli.recipe_options import recipe_option, recipe_options
from transfer.errors import DataError
from transfer.recipes import Recipe, Stage
from transfer.training.named_recipes import NAMED, named_recipe
from transfer.training.recipe_texts import format_recipe, parse_recipe


def test_without_a_name_all_are_listed(call):
    shown = call("recipe", "show")
    assert [line.split()[0] for line in shown.stdout.splitlines()[1:]] == list(NAMED)
    assert list(call("recipe", "show", "--json").json["recipes"]) == list(NAMED)


def test_a_recipe_is_shown_as_a_file_that_can_be_used(call, tmp_path):
    shown = call("recipe", "show", "lp-ft", "--examples", "64", "--seed", "3", "--set", "stages.1.augment=flip")
    recipe = parse_recipe(shown.stdout)
    assert (recipe.seed, recipe.stages[1].augment, recipe.stages[1].epochs) == (3, ("flip",), 10)
    path = tmp_path / "mine.toml"
    path.write_text(shown.stdout)
    assert call("recipe", "check", path).stdout == f"{path}: ok, 'lp-ft, changed': probe, then tune\n"
    again = call("recipe", "show", path).stdout
    assert parse_recipe(again) == recipe  # with the seed of the file
    assert shown.stdout.endswith(again)


def test_a_named_recipe_is_shown_with_what_it_does_and_its_source(call):
    lines = call("recipe", "show", "bit").stdout.splitlines()
    assert lines[0].startswith("# Solve the head, then train the whole network by the BiT hyper-rule")
    assert any("scaled linearly to 0.003 * 32 / 512" in line for line in lines)
    assert any(
        line.startswith('# Source: Kolesnikov et al. (2020), "Big transfer (BiT)", section 3.3') for line in lines
    )


def test_a_recipe_is_shown_as_json_with_a_line_for_each_stage(call):
    shown = call("recipe", "show", "bit", "--examples", "30000", "--json").json
    stages = tuple(Stage(**each) for each in shown["recipe"]["stages"])
    assert Recipe(**{**shown["recipe"], "stages": stages}) == named_recipe("bit", examples=30_000)
    assert shown["does"][0] == "solves the head on frozen features"
    assert "10000 steps" in shown["does"][1]


def test_everything_wrong_in_a_file_is_told_with_the_exit_code_of_data(call, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('sed = 1\n[[stages]]\nkind = "probe"\n[[stages]]\nunfreeze_last = -1\n')
    plain = call("recipe", "check", path)
    assert plain.code == 6
    assert "2 things wrong" in plain.stderr
    ended = call("recipe", "check", path, "--json")
    assert ended.code == 6
    assert [each["where"] for each in ended.error["problems"]] == ["sed", "stages.1.unfreeze_last"]


def test_slips(call):
    assert call("recipe", "show", "lpft").code == 6
    assert call("recipe", "show", "lp-ft", "--set", "stages.1.rte=1").code == 6
    assert call("recipe", "show", "--set", "seed=1").code == 2
    assert call("recipe", "show", "lp-ft", "--seed", "1", "--set", "seed=1").code == 2
    assert call("recipe", "check", "missing.toml").code == 6


@pytest.fixture
def resolved():
    """A function that gives what a command with these options resolves to."""

    @click.command()
    @recipe_options
    def command(choice):
        click.echo(format_recipe(choice.resolve(64)))

    def run(*arguments):
        done = CliRunner().invoke(command, [*map(str, arguments)], catch_exceptions=False)
        return parse_recipe(done.stdout)

    return run


def test_the_options_of_a_command_resolve_to_a_recipe_for_its_examples(resolved, tmp_path):
    mine = Recipe((Stage(unfreeze_last=0),), seed=4, name="mine")
    path = tmp_path / "mine.toml"
    path.write_text(format_recipe(mine))
    assert resolved("--recipe", "lp-ft") == named_recipe("lp-ft", examples=64)
    assert resolved("--recipe", "gradual", "--seed", 2) == named_recipe("gradual", examples=64, seed=2)
    assert resolved("--recipe", path) == mine
    assert resolved("--recipe", path, "--seed", 0).seed == 0
    assert resolved("--recipe", path, "--set", "seed=7").seed == 7
    changed = resolved("--recipe", path, "--set", "stages.0.epochs=3", "--set", "stages.0.rate=auto").stages[0]
    assert (changed.epochs, changed.rate) == (3, "auto")
    with pytest.raises(DataError, match=r"^1 thing wrong in the settings"):
        resolved("--recipe", "lp-ft", "--set", "stages.9.rate=1")


def test_epochs_and_a_rate_are_those_of_every_stage_that_trains_by_steps(resolved):
    assert resolved() == Recipe()
    assert [stage.rate for stage in resolved("--rate", "auto").stages[1:]] == ["auto"]
    stages = resolved("--recipe", "gradual", "--epochs", 3, "--rate", "2e-3").stages[1:]
    assert {(stage.epochs, stage.rate) for stage in stages} == {(3, 2e-3)}
    (bit,) = resolved("--recipe", "bit", "--epochs", 3).stages[1:]
    assert (bit.epochs, bit.steps) == (3, 0)
    named = resolved("--unfreeze-from", "conv5", "--epochs", 3, "--seed", 4)
    assert named.stages == (Stage("probe"), Stage(unfreeze_from="conv5", epochs=3))
    assert named.seed == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--recipe", "probe", "--epochs", "3"), "has no such stage"),
        (("--recipe", "full", "--unfreeze-from", "conv5"), "give it or --recipe"),
        (("--rate", "fast"), "nor 'auto'"),
        (("--rate", "0"), "not a number above 0"),
        (("--rate", "nan"), "not a number above 0"),
    ],
)
def test_what_does_not_go_together_is_told_with_code_2(arguments, message):
    done = CliRunner().invoke(click.command()(recipe_options(lambda choice: choice.resolve(64))), [*arguments])
    assert done.exit_code == 2
    assert message in done.output


def test_the_help_of_the_option_names_every_recipe():
    for name in NAMED:
        assert f"{name}, " in recipe_option(click.command()(lambda: None)).params[-1].help
