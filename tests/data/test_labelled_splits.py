"""Splits of examples with any labels: as ever with one class each; else both sides served, groups whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.data.labelled_splits import one_sided, split_labelled
from transfer.data.splitting import split_stratified
from transfer.errors import DataError
from transfer.labellings import Labelling, Output

FRUIT = Labelling.of_classes(("apple", "pear", "plum"))
TAGS = Labelling((Output("tags", "sigmoid", tuple("abcdefgh")),))
FOOD = Labelling(
    (
        Output("food", classes=("fruit", "dessert", "drink")),
        Output(
            "kind",
            classes=("apple", "pear", "cake", "ice"),
            parent="food",
            under=("fruit", "fruit", "dessert", "dessert"),
        ),
        Output("ripe", "sigmoid", ("ripe",), parent="food", under=("fruit",)),
        Output("weight", "regression"),
    )
)


def food(seed: int, n: int = 240):
    random = np.random.default_rng(seed)
    what = random.choice(3, n, p=[0.5, 0.4, 0.1])
    kind = np.where(what == 2, -1, 2 * what + random.integers(0, 2, n))
    kind[random.random(n) < 0.1] = -1
    ripe = np.where(what == 0, random.integers(-1, 2, n), -1)[:, None]
    return what, kind, ripe, random.normal(100, 20, (n, 1))


@given(st.lists(st.integers(4, 20), min_size=3, max_size=3), st.integers(0, 2**32), st.sampled_from([None, 1, 3]))
def test_one_class_each_is_split_as_it_always_was(sizes, seed, shots):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(3), sizes))
    found = split_labelled(FRUIT, (labels,), seed=seed, test_share=0.3, shots=shots)
    expected = split_stratified(labels, seed=seed, test_share=0.3, shots=shots, classes=("apple", "pear", "plum"))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@given(st.integers(0, 2**32), st.floats(0.1, 0.6))
def test_whatever_two_examples_have_stands_on_both_sides(seed, share):
    has = (np.random.default_rng(seed).random((150, 8)) < np.geomspace(0.3, 0.01, 8)).astype(np.int64)
    train, test = split_labelled(TAGS, (has,), seed=seed, test_share=share)
    assert sorted([*train, *test]) == list(range(150))
    counts = has.sum(0)
    assert ((has[test].sum(0) > 0) == (counts > 1)).all()
    assert ((has[train].sum(0) > 0) == (counts > 0)).all()
    assert [problem.where for problem in one_sided(TAGS, (has,), train, test)] == [
        f"class {name!r}" for name, count in zip("abcdefgh", counts, strict=True) if count < 2
    ]


@pytest.mark.parametrize("seed", range(5))
def test_classes_finer_ones_labels_and_numbers_have_their_share(seed):
    what, kind, ripe, weight = targets = food(seed)
    train, test = split_labelled(FOOD, targets, seed=seed)
    assert len(test) == pytest.approx(60, abs=4)
    for values, count in ((what, 3), (kind, 4), (ripe[:, 0], 2)):
        for each in range(count):
            assert (values[test] == each).sum() == pytest.approx((values == each).sum() / 4, abs=1.5)
    edges = np.quantile(weight, [0.25, 0.5, 0.75])
    quarters = np.bincount(np.searchsorted(edges, weight[test, 0]), minlength=4)
    assert np.abs(quarters - len(test) / 4).max() <= 4
    again = split_labelled(FOOD, targets, seed=seed)
    np.testing.assert_array_equal(train, again[0])
    np.testing.assert_array_equal(test, again[1])


def test_what_is_not_known_is_no_no():
    has = np.where(np.arange(200)[:, None] < 100, -1, (np.arange(200)[:, None] // np.arange(1, 9)) % 2)
    _, test = split_labelled(TAGS, (has,), seed=0)
    for place in range(8):
        for value in (0, 1):
            assert (has[test, place] == value).sum() == pytest.approx((has[:, place] == value).sum() / 4, abs=3)


@pytest.mark.parametrize("labelling", [FRUIT, FOOD], ids=["one class each", "several outputs"])
@pytest.mark.parametrize("shots", [None, 5])
def test_groups_stay_whole(labelling, shots):
    targets = food(3)
    groups = np.random.default_rng(0).integers(10, 70, 240)
    targets = targets if labelling is FOOD else (targets[0],)
    train, test = split_labelled(labelling, targets, seed=1, groups=groups, shots=shots)
    assert not set(groups[train]) & set(groups[test])
    assert sorted([*train, *test]) == list(range(240))
    if shots is None:
        assert len(test) == pytest.approx(60, abs=12)
        assert np.bincount(targets[0][test]) == pytest.approx(np.bincount(targets[0]) / 4, abs=7)
    else:
        assert (np.bincount(targets[0][train]) >= 5).all()


def test_a_class_of_one_group_is_learnt_from_and_told_of():
    labels, groups = np.repeat([0, 1, 2], [20, 20, 5]), np.array([*range(40), *[40] * 5])
    train, test = split_labelled(FRUIT, (labels,), seed=0, groups=groups)
    (problem,) = one_sided(FRUIT, (labels,), train, test)
    assert (problem.where, problem.found) == ("class 'plum'", "5 to learn from, 0 to test on")
    assert np.bincount(labels[test], minlength=3).tolist() == [5, 5, 0]


def test_shots_are_learnt_from_of_each_class_and_label():
    targets = food(1)
    train, test = split_labelled(FOOD, targets, seed=2, shots=8)
    what, kind, ripe, _ = targets
    assert np.bincount(what[train]).min() >= 8
    assert np.bincount(kind[train][kind[train] >= 0]).min() >= 8
    assert (ripe[train] == 1).sum() >= 8
    assert len(train) + len(test) == 240
    assert len(train) <= 48  # six classes that exclude each other or stand within one, at eight each


def test_too_many_shots_name_the_labels_that_have_too_few():
    has = np.zeros((40, 8), np.int64)
    has[:20], has[:3, 4] = 1, 1
    has[3:, 4] = 0
    with pytest.raises(DataError) as caught:
        split_labelled(Labelling((*TAGS, Output("age", "regression"))), (has, np.ones((40, 1))), seed=0, shots=3)
    assert caught.value.summary == "1 of 8 classes have fewer than 4 examples: 3 to learn from and 1 to test on."
    assert [(each.where, each.found) for each in caught.value.problems] == [("tags: e", "3")]


def test_shots_of_numbers_are_refused():
    with pytest.raises(DataError, match="these are numbers"):
        split_labelled(Labelling((Output("age", "regression"),)), (np.arange(9.0)[:, None],), seed=0, shots=2)


@pytest.mark.parametrize(("count", "group"), [(0, None), (1, None), (5, 7)])
def test_nothing_to_divide_is_an_error(count, group):
    groups = None if group is None else np.full(count, group)
    with pytest.raises(DataError, match="to split"):
        split_labelled(TAGS, (np.ones((count, 8), np.int64),), seed=0, groups=groups)


@pytest.mark.parametrize("options", [{"test_share": 0.0}, {"test_share": 1.0}, {"shots": 0}])
def test_numbers_outside_their_range_are_a_slip(options):
    with pytest.raises(ValueError, match="test_share lies between 0 and 1"):
        split_labelled(TAGS, (np.ones((9, 8), np.int64),), seed=0, **options)


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_of_few_examples_one_stands_on_each_side_at_least(share):
    train, test = split_labelled(
        Labelling((Output("age", "regression"),)), (np.arange(3.0)[:, None],), seed=0, test_share=share
    )
    assert min(len(train), len(test)) >= 1
