"""What examples have, in columns, by hand."""

import numpy as np

from transfer.data.label_columns import label_columns
from transfer.labellings import Labelling, Output

LABELLING = Labelling(
    (
        Output("what", classes=("person", "thing")),
        Output("tags", "sigmoid", ("old", "loud")),
        Output("age", "regression"),
    )
)
TARGETS = (
    np.array([0, 1, -1, 0]),
    np.array([[1, 1], [0, 0], [-1, 1], [0, 1]]),
    np.array([[10.0], [20.0], [np.nan], [30.0]]),
)


def test_classes_and_labels_come_first_and_what_is_not_known_nobody_has():
    columns = label_columns(LABELLING, TARGETS)
    assert columns.names[: columns.classes] == ("what: person", "what: thing", "tags: old", "tags: loud")
    expected = [[1, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 1, 1]]
    assert columns.has.T[: columns.classes].astype(int).tolist() == expected


def test_a_label_that_is_not_known_of_all_has_its_noes_too():
    columns = label_columns(LABELLING, TARGETS)
    assert [name for name in columns.names if "not" in name] == ["tags: not old"]
    assert columns.has[:, columns.names.index("tags: not old")].tolist() == [False, True, False, True]


def test_known_numbers_fall_into_four_parts_of_about_one_size():
    ages = np.random.default_rng(0).normal(40, 9, (402, 1))
    ages[:2] = np.nan
    columns = label_columns(Labelling((Output("age", "regression"),)), (ages,))
    assert columns.classes == 0
    assert columns.names == tuple(f"age: age, part {part}" for part in (1, 2, 3, 4))
    assert columns.has.sum(0).tolist() == [100, 100, 100, 100]
    assert columns.has.sum(1).tolist() == [0, 0] + [1] * 400
    highest = [ages[has].max() for has in columns.has.T]
    assert highest == sorted(highest)


def test_numbers_that_are_all_equal_are_one_part_and_unknown_ones_none():
    sizes = np.column_stack([np.ones(9), np.full(9, np.nan)])
    columns = label_columns(Labelling((Output("sizes", "regression", ("height", "width")),)), (sizes,))
    assert columns.has.T.tolist() == [[True] * 9]
