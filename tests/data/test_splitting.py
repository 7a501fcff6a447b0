"""A split takes the same share of each class, depends on the seed alone, and leaves nothing over."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.data.splitting import split_stratified
from transfer.errors import DataError

counts = st.lists(st.integers(2, 30), min_size=1, max_size=6)
seeds = st.integers(0, 2**32)


def shuffled(sizes: list[int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))


@given(counts, seeds, st.floats(0.01, 0.99))
def test_every_example_stands_on_one_side_and_every_class_on_both(sizes, seed, share):
    labels = shuffled(sizes, seed)
    train, test = split_stratified(labels, seed=seed, test_share=share)
    assert sorted([*train, *test]) == list(range(len(labels)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()
    for label, size in enumerate(sizes):
        tested = int((labels[test] == label).sum())
        assert 1 <= tested <= size - 1
        assert abs(tested - share * size) <= 1 or tested in (1, size - 1)


@given(counts, seeds, st.integers(1, 10))
def test_shots_are_the_training_examples_of_each_class(sizes, seed, shots):
    labels = shuffled([size + shots for size in sizes], seed)
    train, test = split_stratified(labels, seed=seed, shots=shots)
    assert np.bincount(labels[train]).tolist() == [shots] * len(sizes)
    assert len(train) + len(test) == len(labels)


@given(counts, seeds)
def test_same_seed_gives_the_same_split(sizes, seed):
    labels = shuffled(sizes, 0)
    for first, second in zip(split_stratified(labels, seed=seed), split_stratified(labels, seed=seed), strict=True):
        np.testing.assert_array_equal(first, second)


@given(counts, seeds, seeds)
def test_a_class_is_split_alike_whatever_stands_between_its_examples(sizes, seed, order):
    one, other = np.repeat(np.arange(len(sizes)), sizes), shuffled(sizes, order)
    parts = [split_stratified(labels, seed=seed)[0] for labels in (one, other)]
    for label in range(len(sizes)):
        places = [
            np.flatnonzero(np.isin(np.flatnonzero(labels == label), part))
            for labels, part in zip((one, other), parts, strict=True)
        ]
        np.testing.assert_array_equal(*places)


def test_different_seeds_give_different_splits():
    labels = np.repeat([0, 1, 2], 20)
    splits = {tuple(split_stratified(labels, seed=seed)[1].tolist()) for seed in range(20)}
    assert len(splits) == 20


def test_classes_of_one_size_are_shuffled_each_in_its_own_way():
    labels = np.repeat([0, 1], 40)
    test = split_stratified(labels, seed=0)[1]
    assert test[test < 40].tolist() != (test[test >= 40] - 40).tolist()


def test_quarter_of_eight_is_two():
    train, test = split_stratified(np.repeat([0, 1], 8), seed=1)
    assert (len(train), len(test)) == (12, 4)


def test_small_classes_are_named_with_their_counts_the_smallest_first():
    labels = np.array([0, 0, 0, 1, 3])
    with pytest.raises(DataError) as caught:
        split_stratified(labels, seed=0, classes=("cat", "dog", "bird", "cow"))
    assert str(caught.value).splitlines() == [
        "3 of 4 classes have fewer than 2 examples: 1 to learn from and 1 to test on.",
        "  class 'bird': 0",
        "  class 'dog': 1",
        "  class 'cow': 1",
        "  next: add examples, or leave such a class out",
    ]


def test_so_many_shots_that_classes_lack_examples_name_how_many_there_may_be():
    with pytest.raises(DataError) as caught:
        split_stratified(np.repeat([0, 1, 2], [5, 4, 9]), seed=0, shots=5)
    assert caught.value.summary == "2 of 3 classes have fewer than 6 examples: 5 to learn from and 1 to test on."
    assert [(problem.where, problem.found) for problem in caught.value.problems] == [("class 1", "4"), ("class 0", "5")]
    assert "--shots 3, shots=3" in caught.value.next_step
    split_stratified(np.repeat([0, 1, 2], [5, 4, 9]), seed=0, shots=3)


def test_of_many_small_classes_eight_are_named_and_the_others_counted():
    with pytest.raises(DataError) as caught:
        split_stratified(np.repeat(np.arange(12), np.arange(2, 14)), seed=0, shots=100)
    named = [(problem.where, problem.found) for problem in caught.value.problems]
    assert named == [*((f"class {k}", str(k + 2)) for k in range(8)), ("4 more", "10 to 13")]


def test_nothing_to_split_is_an_error():
    with pytest.raises(DataError):
        split_stratified(np.empty(0, np.int64), seed=0)


@pytest.mark.parametrize("options", [{"test_share": 0.0}, {"test_share": 1.0}, {"shots": 0}])
def test_numbers_outside_their_range_are_a_slip(options):
    with pytest.raises(ValueError, match="test_share lies between 0 and 1"):
        split_stratified(np.repeat([0, 1], 8), seed=0, **options)


def test_labels_with_two_axes_are_a_slip():
    with pytest.raises(ValueError, match="labels are"):
        split_stratified(np.zeros((4, 2), np.int64), seed=0)


def test_a_class_that_is_too_small_comes_with_its_examples_and_the_name_that_it_looks_like():
    labels = np.array([0] * 6 + [1] * 6 + [2, 3])
    names = [f"{place}.png" for place in range(14)]
    classes = ("animals", "plants", "anmials", "shiny")
    with pytest.raises(DataError) as caught:
        split_stratified(labels, seed=0, classes=classes, names=names)
    assert [(each.where, each.found) for each in caught.value.problems] == [
        ("class 'anmials'", "1 (12.png); looks like class 'animals' (6)"),
        ("class 'shiny'", "1 (13.png)"),
    ]
