"""Classes and finer ones answered together, by sets written out by hand."""

import numpy as np
import pytest

from transfer.evidence.hierarchy_scoring import score_hierarchy
from transfer.labellings import Labelling, Output

FOOD = Output("food", classes=("fruit", "dessert", "drink"))
KIND = Output("kind", classes=("apple", "pear", "cake"), parent="food", under=("fruit", "fruit", "dessert"))
SORT = Output("sort", classes=("gala", "fuji"), parent="kind", under=("apple", "apple"))
RIPE = Output("ripe", "sigmoid", ("ripe",), parent="food", under=("fruit",))
LABELLING = Labelling((FOOD, KIND, SORT, RIPE, Output("place", classes=("shop", "home"))))

# food, kind and sort: what is wanted, what is answered, and the sizes of W, A and of both
CASES = [
    ("fruit apple gala", "fruit apple gala", (3, 3, 3)),
    ("fruit apple gala", "fruit apple fuji", (3, 3, 2)),
    ("fruit apple gala", "fruit pear -", (3, 2, 1)),
    ("fruit apple gala", "dessert cake -", (3, 2, 0)),
    ("drink - -", "drink - -", (1, 1, 1)),
    ("drink - -", "fruit apple fuji", (1, 3, 0)),  # all three are wrong
    ("fruit - -", "fruit apple gala", (1, 1, 1)),  # which fruit is not known
    ("fruit - -", "dessert cake -", (1, 2, 0)),  # surely no cake
    ("fruit apple -", "fruit apple gala", (2, 2, 2)),
    ("fruit apple -", "fruit pear -", (2, 2, 1)),
    ("- - -", "fruit apple gala", (0, 0, 0)),
]


def places(column: int, which: int) -> np.ndarray:
    classes = (FOOD, KIND, SORT)[column].classes
    words = [case[which].split()[column] for case in CASES]
    return np.array([classes.index(word) if word != "-" else -1 for word in words])


def score(repeats: int = 1):
    targets, answers = ([np.tile(places(column, which), repeats) for column in range(3)] for which in (0, 1))
    others = [np.full((len(CASES) * repeats, 1), -1), np.zeros(len(CASES) * repeats, np.int64)]
    (found,) = score_hierarchy(LABELLING, (*targets, *others), (*answers, *others), seed=0)
    return found


def test_sets_with_all_coarser_classes_are_counted_over_all_examples():
    wanted, said, both = (sum(sizes[place] for *_, sizes in CASES) for place in range(3))
    found = score()
    assert (found.name, found.kind, found.examples) == ("food, kind, sort", "hierarchy", 10)
    assert found["hierarchical precision"].value == pytest.approx(both / said)
    assert found["hierarchical recall"].value == pytest.approx(both / wanted)
    precision, recall = both / said, both / wanted
    assert found["hierarchical F1"].value == pytest.approx(2 * precision * recall / (precision + recall))


@pytest.mark.parametrize("place", range(len(CASES)), ids=[f"{wanted} / {said}" for wanted, said, _ in CASES])
def test_each_case_alone(place):
    targets, answers = ([places(column, which)[[place]] for column in range(3)] for which in (0, 1))
    rest = [np.full((1, 1), -1), np.zeros(1, np.int64)]
    (found,) = score_hierarchy(LABELLING, (*targets, *rest), (*answers, *rest), seed=0)
    wanted, said, both = CASES[place][2]
    if wanted:
        assert found["hierarchical precision"].value == both / said
        assert found["hierarchical recall"].value == both / wanted
    else:
        assert (found.measures, found.notes) == ((), ("known of no example here",))


def test_more_examples_have_narrower_bounds_around_the_same_value():
    few, many = (score(repeats)["hierarchical F1"] for repeats in (3, 60))
    assert few.value == pytest.approx(many.value)
    assert few.low < many.low < many.value < many.high < few.high


def test_groups_of_examples_that_are_alike_have_wider_bounds():
    targets, answers = ([np.tile(places(column, which), 60) for column in range(3)] for which in (0, 1))
    rest = [np.full((len(CASES) * 60, 1), -1), np.zeros(len(CASES) * 60, np.int64)]
    groups = np.tile(np.arange(len(CASES)), 60)
    (found,) = score_hierarchy(LABELLING, (*targets, *rest), (*answers, *rest), seed=0, groups=groups)
    whole, single = found["hierarchical F1"], score(60)["hierarchical F1"]
    assert whole.value == single.value
    assert whole.high - whole.low > 3 * (single.high - single.low)
    assert found.notes == ("bounds by 10 groups",)


def test_outputs_without_finer_ones_have_no_score():
    flat = Labelling((FOOD, Output("place", classes=("shop", "home"))))
    assert score_hierarchy(flat, (np.zeros(3, np.int64),) * 2, (np.zeros(3, np.int64),) * 2, seed=0) == ()


def test_attributes_alone_make_no_hierarchy():
    values = (np.zeros(3, np.int64), np.ones((3, 1), np.int64))
    assert score_hierarchy(Labelling((FOOD, RIPE)), values, values, seed=0) == ()
