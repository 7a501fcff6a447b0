"""Recipes check themselves: each field by itself, fields beside each other, stages in their order."""

import dataclasses
import json
import math

import numpy as np
import pytest

import transfer
from transfer.recipe_rules import AUGMENTATIONS, RECIPE_RULES, STAGE_RULES
from transfer.recipes import Recipe, Stage, recipe_problems, stage_problems


def tuned(**values) -> Stage:
    return Stage("tune", **{"unfreeze_last": 1, **values})


def test_the_defaults_are_those_that_are_documented():
    assert dataclasses.asdict(Recipe()) == {
        "stages": (
            dataclasses.asdict(Stage("probe")),
            dataclasses.asdict(Stage(unfreeze_last=2, epochs=10, rate=1e-4, schedule="cosine", warmup=0.1)),
        ),
        "seed": 0,
        "validation": 0.2,
        "name": "lp-ft",
    }
    assert Recipe(Stage("probe")).name == "custom"
    stage = transfer.Stage(unfreeze_last=0)
    assert (stage.kind, stage.epochs, stage.batch_size, stage.rate, stage.optimizer) == ("tune", 10, 32, 1e-5, "adam")
    assert (stage.momentum, stage.views, stage.batch_norm, stage.layer_decay) == (0.9, 4, "frozen", 1.0)


def test_each_field_is_defined_in_the_docstring_and_has_a_rule():
    for value, rules in ((Stage, STAGE_RULES), (Recipe, {"stages": None, **RECIPE_RULES})):
        names = [each.name for each in dataclasses.fields(value)]
        assert list(rules) == names
        assert [name for name in names if f"        {name}: " not in value.__doc__] == []


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("kind", "train"),
        ("kind", None),
        ("unfreeze_from", 3),
        ("unfreeze_last", -1),
        ("unfreeze_last", True),
        ("unfreeze", ("a", "a")),
        ("unfreeze", ("",)),
        ("unfreeze", {"a": 1}),
        ("batch_norm", "fixed"),
        ("fresh", 1),
        ("lora_rank", -1),
        ("epochs", 0),
        ("epochs", 2.0),
        ("epochs", "3"),
        ("steps", -1),
        ("batch_size", 0),
        ("optimizer", "Adam"),
        ("momentum", 1.0),
        ("rate", 0),
        ("rate", "fast"),
        ("rate", math.nan),
        ("rate", math.inf),
        ("rate", False),
        ("layer_decay", 0.0),
        ("layer_decay", 1.5),
        ("schedule", "step"),
        ("warmup", 1.0),
        ("weight_decay", -1e-9),
        ("l2_sp", -1),
        ("label_smoothing", 1),
        ("class_weights", "equal"),
        ("mixup", -0.1),
        ("augment", ("flip", "flip")),
        ("augment", ("turn",)),
        ("augment", ("flip", 3)),
        ("views", 0),
        ("patience", -1),
        ("ema", 1.0),
        ("precision", "float16"),
    ],
)
def test_a_value_that_its_field_does_not_take_is_refused_with_what_was_expected_and_found(name, wrong):
    place = {} if name.startswith("unfreeze") else {"unfreeze_last": 1}
    (problem,) = stage_problems({**place, name: wrong})
    assert (problem.where, problem.found) == (name, repr(wrong))
    assert problem.expected == STAGE_RULES[name].expected
    with pytest.raises(ValueError) as caught:
        Stage(**{**place, name: wrong})
    assert str(caught.value) == f"{name}: expected {problem.expected}, found {wrong!r}"


def test_everything_that_is_wrong_is_told_at_once():
    with pytest.raises(ValueError, match=r"^epochs: .*; rate: .*; ema: expected a number in \[0, 1\), found 2$"):
        tuned(epochs=0, rate=-1, ema=2)


@pytest.mark.parametrize(
    "given", [{}, {"unfreeze_last": 0, "unfreeze": ("*",)}, {"unfreeze_from": "a", "unfreeze": "b"}]
)
def test_a_tune_stage_says_in_one_way_what_is_trained(given):
    (problem,) = stage_problems(given)
    assert problem.expected == "one of unfreeze_from, unfreeze_last and unfreeze in a 'tune' stage"
    assert problem.found == (" and ".join(given) or "none")


@pytest.mark.parametrize("given", [{"epochs": 3}, {"unfreeze_last": 0}, {"rate": "auto"}, {"augment": ("flip",)}])
def test_a_probe_takes_no_field_that_would_not_be_followed(given):
    (name,) = given
    assert [(each.where, each.expected) for each in stage_problems({"kind": "probe", **given})] == [
        (name, "no such field in a 'probe' stage")
    ]


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"weight_decay": 0.1}, "weight_decay"),
        ({"momentum": 0.5}, "momentum"),
        ({"momentum": 0.5, "optimizer": "adamw"}, "momentum"),
    ],
)
def test_what_an_optimizer_does_not_have_is_refused(given, where):
    assert [each.where for each in stage_problems({"unfreeze_last": 1, **given})] == [where]
    assert stage_problems({"unfreeze_last": 1, **given, "optimizer": "sgd"}) == ()


def test_numbers_and_lists_are_kept_in_one_form_so_that_equal_recipes_have_equal_texts():
    stage = tuned(rate=1, layer_decay=np.float32(0.5), epochs=np.int64(3), augment=["flip", "shift"])
    assert stage == tuned(rate=1.0, layer_decay=0.5, epochs=3, augment=("flip", "shift"))
    written = json.loads(json.dumps(dataclasses.asdict(stage)))
    assert json.dumps([written[name] for name in ("rate", "layer_decay", "epochs")]) == "[1.0, 0.5, 3]"
    assert Stage(unfreeze="conv_*").unfreeze == ("conv_*",)
    assert Recipe([Stage("probe")]) == Recipe(Stage("probe"))
    assert all(tuned(augment=way).augment == (way,) for way in AUGMENTATIONS)


@pytest.mark.parametrize(
    ("stages", "wheres"),
    [
        ((), ["stages"]),
        ((Stage("probe"), Stage("probe")), ["stages.1.kind"]),
        ((tuned(), Stage("probe")), ["stages.1.kind"]),
        ((Stage("probe"), tuned(fresh=True), tuned(fresh=True)), ["stages.1.fresh", "stages.2.fresh"]),
    ],
)
def test_stages_stand_in_an_order_that_makes_sense(stages, wheres):
    assert [each.where for each in recipe_problems({}, stages)] == wheres
    with pytest.raises(ValueError):
        Recipe(stages)


def test_stages_that_do_not_begin_with_a_probe_are_a_recipe():
    assert Recipe((tuned(fresh=True), tuned())).stages[0].fresh


def test_stopping_early_needs_validation():
    with pytest.raises(ValueError, match=r"^stages\.0\.patience: expected 0 where validation is 0, found 2$"):
        Recipe((tuned(patience=2),), validation=0)
    assert Recipe((tuned(patience=2),), validation=0.1).validation == 0.1


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("seed", -1),
        ("seed", 2**32),
        ("seed", 1.0),
        ("validation", 1.0),
        ("validation", -0.1),
        ("name", "a\nb"),
    ],
)
def test_a_recipes_own_fields_are_checked(name, wrong):
    with pytest.raises(ValueError, match=f"^{name}: expected .*, found "):
        Recipe(**{name: wrong})


def test_what_is_no_stage_is_refused():
    with pytest.raises(ValueError, match=r"^stages: expected Stage values, found \['probe'\]$"):
        Recipe(["probe"])
