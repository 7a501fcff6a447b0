"""Scores of outputs: tables as a reader sees them, and their way through JSON."""

import json

import pytest

from transfer.output_scores import ClassScore, Measure, OutputScore

SCORE = OutputScore(
    "tags",
    "sigmoid",
    120,
    (Measure("macro F1", 0.71251, 0.6004, 0.8, 120), Measure("exact match", 0.5, None, None, 7)),
    (
        ClassScore("loud", 30, 120, (Measure("accuracy", 0.9, 0.8, 0.95, 120), Measure("F1", 0.8, None, None, 120))),
        ClassScore("old", 0, 4, (Measure("accuracy", 1.0, 0.5, 1.0, 4),)),
    ),
    ("1 of 2 labels have no example here: old",),
)


def test_it_prints_its_measures_and_those_of_each_class():
    assert str(SCORE).splitlines() == [
        "output  measure      value  95 % interval   examples",
        "tags    macro F1     0.713  0.600 to 0.800       120",
        "tags    exact match  0.500  -                      7",
        "label of tags  accuracy     F1  examples",
        "loud              0.900  0.800        30",
        "old               1.000      -         0",
        "note: tags: 1 of 2 labels have no example here: old",
    ]


def test_it_comes_back_from_json_as_it_was():
    assert OutputScore.from_json(json.loads(json.dumps(SCORE.to_json()))) == SCORE


def test_measures_are_found_by_name():
    assert SCORE["exact match"].examples == 7


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0.000"), (-3.25, "-3.250"), (0.00012, "0.00012"), (15321.7, "1.532e+04"), (999, "999.000")],
)
def test_numbers_keep_digits_that_say_something(value, shown):
    assert str(Measure("error", value, None, None, 3)) == f"error {shown}"


def test_bounds_stand_behind_the_value():
    assert str(Measure("accuracy", 0.5, 0.25, 0.75, 20)) == "accuracy 0.500 [0.250, 0.750]"
