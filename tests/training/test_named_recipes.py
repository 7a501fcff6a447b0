"""Recipes by name: what the papers say, as far as a laptop allows."""

import pytest

import transfer
from transfer.errors import DataError
from transfer.recipes import Recipe, Stage
from transfer.training.named_recipes import NAMED, named_recipe, summarize_named


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("examples", [1, 31, 300, 20_000, 1_000_000])
def test_every_name_gives_a_recipe_of_that_name_for_sets_of_any_size(name, examples):
    recipe = named_recipe(name, examples=examples, seed=5)
    assert (recipe.name, recipe.seed) == (name, 5)
    assert [stage.kind for stage in recipe.stages[1:]] == ["tune"] * (len(recipe.stages) - 1)
    assert recipe.stages[0] == Stage("probe") or name == "scratch"


def test_examples_are_held_out_only_where_there_is_something_to_choose_between():
    shares = {name: named_recipe(name, examples=300).validation for name in NAMED}
    assert {name for name, share in shares.items() if share == 0} == {"probe", "scratch"}
    assert {share for share in shares.values() if share} == {0.2}


def test_lp_ft_is_the_default_and_goes_on_with_the_last_blocks_and_full_with_everything():
    last, everything = (named_recipe(name, examples=300).stages[1] for name in ("lp-ft", "full"))
    assert named_recipe("lp-ft", examples=300, seed=4) == Recipe(seed=4)
    assert (last.unfreeze_last, last.epochs, last.optimizer, last.schedule, last.warmup) == (
        2,
        10,
        "adam",
        "cosine",
        0.1,
    )
    assert everything.unfreeze == ("*",)
    assert everything.rate <= last.rate


@pytest.mark.parametrize(("examples", "epochs"), [(1, 500), (64, 500), (320, 100), (300, 100), (640, 50), (50_000, 50)])
def test_small_sets_are_gone_through_often_enough(examples, epochs):
    assert named_recipe("scratch", examples=examples).stages[0].epochs == epochs


def test_scratch_begins_anew_and_learns_the_statistics_of_batch_norms():
    (stage,) = named_recipe("scratch", examples=300).stages
    assert (stage.fresh, stage.unfreeze, stage.batch_norm, stage.epochs) == (True, ("*",), "train", 100)


def test_gradual_unfreezes_block_by_block_with_the_rates_of_its_paper():
    stages = named_recipe("gradual", examples=300).stages[1:]
    assert [stage.unfreeze_last for stage in stages] == [1, 2, 3]
    assert {round(1 / stage.layer_decay, 12) for stage in stages} == {2.6}
    assert {(stage.schedule, stage.warmup) for stage in stages} == {("linear", 0.1)}
    two = named_recipe("gradual", examples=300, blocks=2).stages
    assert [stage.unfreeze_last for stage in two] == [None, 1, 2]


@pytest.mark.parametrize(
    ("examples", "steps", "warming", "mixup"),
    [
        (20, 500, 100, 0.0),
        (19_999, 500, 100, 0.0),
        (20_000, 10_000, 500, 0.1),
        (499_999, 10_000, 500, 0.1),
        (500_000, 20_000, 500, 0.1),
    ],
)
def test_bit_goes_by_the_size_of_the_set(examples, steps, warming, mixup):
    stage = named_recipe("bit", examples=examples).stages[1]
    assert (stage.steps, round(stage.warmup * stage.steps, 9), stage.mixup) == (steps, warming, mixup)
    assert (stage.optimizer, stage.momentum, stage.schedule, stage.unfreeze) == ("sgd", 0.9, "steps", ("*",))
    assert stage.rate / stage.batch_size == pytest.approx(0.003 / 512, rel=1e-12)


def test_lora_trains_matrices_of_small_rank():
    assert named_recipe("lora", examples=300).stages[1].lora_rank == 4


def test_a_name_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(DataError) as caught:
        transfer.named_recipe("lpft", examples=3)
    assert caught.value.next_step.startswith("nearest: 'lp-ft'")
    assert all(name in caught.value.next_step for name in NAMED)


@pytest.mark.parametrize("given", [{"examples": 0}, {"examples": 1, "blocks": 0}])
def test_counts_below_one_are_refused(given):
    with pytest.raises(ValueError, match="at least 1"):
        named_recipe("probe", **given)


def test_each_has_a_sentence_and_a_source():
    assert list(summarize_named()) == list(NAMED)
    assert all(sentence and not sentence.endswith(".") for sentence in summarize_named().values())
    assert [name for name, stages_of in NAMED.items() if "Source: " not in stages_of.__doc__] == []
