"""Spaces of recipe fields, as they are written and as they are refused."""

import pytest

from transfer.errors import DataError
from transfer.recipes import Recipe
from transfer.training.recipe_spaces import Choices, Range, parse_space


def space_of(text):
    (found,) = parse_space(Recipe(), [text]).spaces.values()
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("stages.1.rate=1e-5..1e-3", Range(1e-5, 1e-3, is_log=True, is_whole=False)),
        ("stages.1.rate = 1e-5..1e-3:linear", Range(1e-5, 1e-3, is_log=False, is_whole=False)),
        ("stages.1.rate=1e-4..5e-4", Range(1e-4, 5e-4, is_log=False, is_whole=False)),
        ("stages.1.rate=1e-4..5e-4:log", Range(1e-4, 5e-4, is_log=True, is_whole=False)),
        ("stages.1.warmup=0..0.9", Range(0.0, 0.9, is_log=False, is_whole=False)),
        ("stages.1.unfreeze_last=1..40", Range(1, 40, is_log=False, is_whole=True)),
        ("stages.1.epochs=1..64:log", Range(1, 64, is_log=True, is_whole=True)),
        ("stages.1.optimizer=adam, sgd", Choices(("adam", "sgd"))),
        ("stages.1.rate=auto,1e-4", Choices(("auto", "1e-4"))),
        ("stages.1.augment=|flip|flip, shift", Choices(("", "flip", "flip,shift"))),
        ("stages.1.unfreeze_from=a..b,c", Choices(("a..b", "c"))),
        ("validation=0.1,0.2", Choices(("0.1", "0.2"))),
    ],
)
def test_a_space_is_what_its_text_says(text, found):
    assert space_of(text) == found


def test_python_gives_values_as_they_are():
    over = {"stages.1.ema": [0, 0.9], "stages.0.fresh": [False], "stages.1.augment": [(), ("flip", "zoom")]}
    found = parse_space(Recipe(), {**over, "stages.1.rate": "1e-5..1e-3"}).spaces
    assert found["stages.1.ema"] == Choices(("0", "0.9"))
    assert found["stages.0.fresh"] == Choices(("false",))
    assert found["stages.1.augment"] == Choices(("", "flip,zoom"))


def test_everything_that_is_wrong_is_told_at_once():
    wrong = [
        "stages.1.rat=1..2",
        "stages.7.rate=1e-5..1e-3",
        "stages.1.rate",
        "stages.1.rate=-1..1e-3",
        "stages.1.warmup=0..1",
        "stages.1.l2_sp=0..1:log",
        "stages.1.ema=0.9..0.5",
        "stages.1.weight_decay=0..inf",
        "stages.1.epochs=1..2.5",
        "stages.1.mixup=0..1:cubic",
        "stages.1.optimizer=adam,rmsprop",
        "stages.1.schedule=cosine,cosine",
        "stages.1.momentum=0.9,0.90",
        "stages.1.precision=",
        "seed=1..5",
        "name=a,b",
        "stages.1.rate=1e-4,1e-3",
        "stages.1.unfreeze_last=1..3",
        "stages.1.unfreeze=*|conv*",
    ]
    with pytest.raises(DataError) as caught:
        parse_space(Recipe(), wrong)
    told = [each.where for each in caught.value.problems]
    assert told == [each.partition("=")[0] for each in wrong if not each.startswith("stages.1.unfreeze_last")]
    assert caught.value.problems[-1].expected == "one of stages.1.unfreeze_last and stages.1.unfreeze"
    with pytest.raises(DataError, match="1 thing wrong"):
        parse_space(Recipe(), {})


def test_a_space_of_which_nothing_goes_together_is_refused_and_one_of_which_something_does_is_not():
    with pytest.raises(DataError, match="go together") as caught:
        parse_space(Recipe(), ["stages.1.momentum=0.5..0.8"])
    assert "optimizer 'sgd'" in caught.value.problems[0].expected
    found = parse_space(Recipe(), ["stages.1.optimizer=adam,sgd", "stages.1.momentum=0.5..0.8"])
    assert found.size is None
    assert found.at({"stages.1.optimizer": "sgd", "stages.1.momentum": "0.75"}).stages[1].momentum == 0.75


def test_a_grid_holds_every_point_once_and_numbers_stay_within_their_range():
    found = parse_space(Recipe(), ["stages.1.unfreeze_last=1..3", "stages.1.optimizer=adam,sgd"])
    points = [tuple(each.values()) for each in found.grid()]
    assert points == [(str(count), name) for count in (1, 2, 3) for name in ("adam", "sgd")]
    assert found.size == len(points)
    assert parse_space(Recipe(), ["stages.1.rate=1e-5..1e-3"]).size is None
    narrow = Range(0.123456, 0.1234567, is_log=False, is_whole=False)
    assert narrow.text(0.1234565) == "0.1234567"
    assert Range(1e-5, 1e-3, is_log=True, is_whole=False).text(3.14159e-4) == "0.0003142"
