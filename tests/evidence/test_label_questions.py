"""Labels of every kind as questions with one answer."""

import numpy as np

from transfer.evidence.label_questions import find_questions
from transfer.labellings import Labelling, Output

FOOD = Output("food", classes=("fruit", "dessert"))
KIND = Output("kind", classes=("apple", "pear", "cake"), parent="food", under=("fruit", "fruit", "dessert"))


def shown(questions):
    return [(each.name, each.answers, each.rows.tolist(), each.labels.tolist(), each.rare) for each in questions]


def test_classes_of_one_output_are_one_question_without_a_name_and_a_class_with_one_example_is_left_out():
    labels = np.array([2, 0, 2, 0, 1])
    (found,) = find_questions(Labelling.of_classes(("a", "b", "c", "d")), [labels])
    assert shown([found]) == [("", ("a", "c"), [0, 1, 2, 3], [1, 0, 1, 0], ("b",))]
    assert found.output == "label"


def test_finer_classes_are_asked_for_within_their_parents_class():
    kinds = np.array([0, 1, 0, 1, 2, 2, -1])
    foods = np.array([0, 0, 0, 0, 1, 1, 1])
    assert shown(find_questions(Labelling((FOOD, KIND)), [foods, kinds])) == [
        ("food", ("fruit", "dessert"), [0, 1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 1, 1, 1], ()),
        ("kind under fruit", ("apple", "pear"), [0, 1, 2, 3], [0, 1, 0, 1], ()),
    ]


def test_each_label_is_a_question_of_its_own_and_what_is_not_known_is_left_out():
    labelling = Labelling((Output("tags", "sigmoid", ("loud", "old")), Output("size", "regression")))
    tags = np.array([[1, 0], [0, 0], [-1, 1], [1, 0], [0, -1]])
    assert shown(find_questions(labelling, [tags, np.zeros((5, 1))])) == [
        ("tags loud", ("no", "yes"), [0, 1, 3, 4], [1, 0, 1, 0], ())
    ]


def test_an_answer_of_one_group_is_rare_and_what_is_left_without_two_is_no_question():
    labelling = Labelling.of_classes(("a", "b", "c"))
    labels = np.array([0, 1, 0, 1, 2, 2, 2])
    (found,) = find_questions(labelling, [labels], np.array([5, 5, 7, 7, 9, 9, 9]))
    assert shown([found]) == [("", ("a", "b"), [0, 1, 2, 3], [0, 1, 0, 1], ("c",))]
    assert find_questions(labelling, [labels], np.array([5, 6, 5, 7, 9, 9, 9])) == ()
