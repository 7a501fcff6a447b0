"""What test examples say of several outputs, against counts by hand."""

import numpy as np

from transfer.evidence.calibration_error import expected_calibration_error
from transfer.jobs.pages.gathering_outputs import gather_outputs
from transfer.jobs.runs.finding_wrong_answers import surest_wrong
from transfer.jobs.runs.kept_predictions import sorted_predictions
from transfer.labellings import Labelling, Output
from transfer.reports.class_tables import tabulate_counts
from transfer.reports.confusions import map_confusion
from transfer.results import Result

FOOD = Output("food", classes=("fruit", "cake"))
KIND = Output("kind", classes=("apple", "pear"), parent="food", under=("fruit", "fruit"))
TAGS = Output("tags", "sigmoid", ("red", "old"))
PRICE = Output("price", "regression")
LABELLING = Labelling((FOOD, KIND, TAGS, PRICE))
DECISIONS = {"thresholds": {"tags": {"labels": [{"label": "red", "value": 0.2}, {"label": "old", "value": 0.5}]}}}
FOOD_SHARES = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.5, 0.5]])
KIND_SHARES = np.array([[0.8, 0.1], [0.1, 0.2], [0.2, 0.4], [0.3, 0.2]])
TAG_SHARES = np.array([[0.25, 0.9], [0.1, 0.4], [0.6, 0.1], [0.3, 0.3]])


def result() -> Result:
    return Result((), 8, 4, None, (), (), None, labelling=LABELLING, decisions=DECISIONS)


def predictions():
    wanted = (
        np.array([0, 0, 1, -1]),
        np.array([0, 1, -1, -1]),
        np.array([[1, 0], [0, 1], [-1, 0], [0, -1]]),
        np.array([[1.0], [np.nan], [2.0], [3.0]]),
    )
    shares = (FOOD_SHARES, KIND_SHARES, TAG_SHARES, np.ones((4, 1)))
    return sorted_predictions(LABELLING, ("a", "b", "c", "d"), shares, wanted)


def test_outputs_are_told_each_by_its_kind():
    food, kind, tags, price = gather_outputs(
        result(), LABELLING, predictions(), learnt=((5, 3), (4, 1), (2, 2), ()), groups=np.array([0, 0, 1, 2])
    )
    assert food.confusion == ((1, 1), (1, 0))  # wanted by answered
    assert kind.confusion == ((1, 0), (0, 0))  # of the second the answer is cake, which has no kind
    assert (tags.confusion, price.confusion, price.calibration, price.per_class) == ((), (), (), ())
    assert (tags.thresholds, food.thresholds) == ((0.2, 0.5), ())
    assert [each.learnt for each in (food, kind, tags, price)] == [(5, 3), (4, 1), (2, 2), ()]
    assert [each.name for each in (food, kind, tags, price)] == list(LABELLING.names)
    assert {each.name: each.measures[0].value for each in food.per_class} == {"fruit": 0.5, "cake": 0.0}


def test_examples_that_the_answer_above_denies_are_counted_and_told():
    _, kind, *_ = gather_outputs(result(), LABELLING, predictions(), learnt=((5, 3), (4, 1), (2, 2), ()))
    assert [each.wanted for each in kind.per_class] == [1, 1]
    counts = tabulate_counts(kind)
    assert [[cell.text for cell in row][1:] for row in counts.rows] == [["4", "1"], ["1", "1"]]
    drawn = map_confusion(kind)
    assert (drawn.denied, drawn.parent) == (1, "food")
    assert map_confusion(gather_outputs(result(), LABELLING, predictions())[0]).denied == 0


def test_calibration_of_what_stands_under_a_class_is_within_that_class():
    _, kind, tags, _ = gather_outputs(result(), LABELLING, predictions())
    sure, right = np.array([0.8 / 0.9, 0.2 / 0.3]), np.array([True, True])
    np.testing.assert_allclose(kind.calibration_error, expected_calibration_error(sure, right))
    assert sum(each.examples for each in kind.calibration) == 2
    assert sum(each.examples for each in tags.calibration) == 6


def test_without_predictions_names_thresholds_and_counts_are_left():
    food, *_ = gather_outputs(result(), LABELLING, None)
    assert (food.classes, food.learnt, food.confusion, food.calibration_error) == (("fruit", "cake"), (), (), None)


def test_the_surest_wrong_answers_are_found_over_all_outputs():
    found = [
        (
            predictions().names[each.row],
            LABELLING.names[each.output],
            each.wanted,
            each.answered,
            round(each.confidence, 6),
        )
        for each in surest_wrong(predictions(), DECISIONS)
    ]
    assert found == [
        ("a", "tags", "not old", "old", 0.9),
        ("b", "food", "fruit", "cake", 0.7),
        ("b", "tags", "old", "not old", 0.6),
        ("c", "food", "cake", "fruit", 0.6),
        ("d", "tags", "not red", "red", 0.3),
    ]
    assert len(surest_wrong(predictions(), DECISIONS, most=2)) == 2
