"""Repeated folds: what each holds, and against the folds of one repeat."""

import numpy as np
import pytest

from transfer.errors import DataError
from transfer.evidence.repeated_folds import deal_repeatedly
from transfer.labellings import Labelling, Output
from transfer.training.labelled_folds import folds_labelled

ABC = Labelling.of_classes(tuple("abc"))
LABELS = np.random.default_rng(0).integers(0, 3, 47)


def test_each_repeat_tests_every_example_once_and_learns_from_all_others():
    found = deal_repeatedly(ABC, [LABELS], seed=3, folds=4, repeats=6)
    parts = list(found)
    assert len(parts) == len(found) == 24
    for start in range(0, 24, 4):
        assert sorted(np.concatenate([test for _, test in parts[start : start + 4]])) == list(range(47))
    for (train, test), train_size, test_size in zip(parts, found.train_sizes, found.test_sizes, strict=True):
        assert sorted([*train, *test]) == list(range(47))
        assert (len(train), len(test)) == (train_size, test_size)


def test_every_fold_of_every_repeat_has_its_share_of_each_class():
    for _, test in deal_repeatedly(ABC, [LABELS], seed=3):
        np.testing.assert_allclose(np.bincount(LABELS[test], minlength=3), np.bincount(LABELS) / 5, atol=1)


def test_repeats_differ_and_seeds_differ_and_the_same_seed_gives_the_same():
    found = deal_repeatedly(ABC, [LABELS], seed=3, repeats=8).dealt
    assert len({tuple(row) for row in found.tolist()}) == 8
    np.testing.assert_array_equal(deal_repeatedly(ABC, [LABELS], seed=3, repeats=8).dealt, found)
    other = deal_repeatedly(ABC, [LABELS], seed=4, repeats=8).dealt
    assert not {tuple(row) for row in found.tolist()} & {tuple(row) for row in other.tolist()}


def test_more_repeats_leave_the_first_ones_as_they_are():
    few, many = (deal_repeatedly(ABC, [LABELS], seed=0, repeats=count).dealt for count in (2, 9))
    np.testing.assert_array_equal(many[:2], few)


def test_a_repeat_is_what_the_folds_of_training_are():
    seed = int(np.random.SeedSequence([5, 1]).generate_state(1)[0])
    found = deal_repeatedly(ABC, [LABELS], seed=5, repeats=2)
    np.testing.assert_array_equal(found.dealt[1], folds_labelled(ABC, [LABELS], 5, seed))


def test_groups_stay_whole_in_every_repeat():
    groups = np.random.default_rng(1).integers(0, 15, 47)
    for train, test in deal_repeatedly(ABC, [LABELS], seed=2, groups=groups):
        assert not set(groups[train]) & set(groups[test])
        assert test.size


def test_sizes_count_the_examples_of_a_group_as_one():
    groups = np.random.default_rng(1).integers(100, 115, 47)
    found = deal_repeatedly(ABC, [LABELS], seed=2, groups=groups)
    for (train, test), train_size, test_size in zip(found, found.train_sizes, found.test_sizes, strict=True):
        assert (len(set(groups[train])), len(set(groups[test]))) == (train_size, test_size)


def test_there_are_no_more_folds_than_examples_or_groups():
    one = Labelling.of_classes(("a",))
    assert len(deal_repeatedly(one, [np.zeros(3, int)], seed=0, folds=9, repeats=2)) == 6
    groups = np.repeat(np.arange(3), 4)
    assert len(deal_repeatedly(one, [np.zeros(12, int)], seed=0, folds=9, repeats=1, groups=groups)) == 3


def test_several_outputs_are_dealt_too():
    random = np.random.default_rng(4)
    tags = (random.random((60, 3)) < 0.3).astype(np.int64)
    labelling = Labelling((Output("what", classes=tuple("abc")), Output("tags", "sigmoid", tuple("xyz"))))
    for _, test in deal_repeatedly(labelling, [random.integers(0, 3, 60), tags], seed=0, repeats=2):
        np.testing.assert_allclose(tags[test].sum(0), tags.sum(0) / 5, atol=2)


def test_a_class_that_one_fold_would_have_alone_is_named():
    labels = np.array([0, 0, 0, 0, 1, 2, 2, 2])
    with pytest.raises(DataError) as caught:
        deal_repeatedly(ABC, [labels], seed=0)
    assert [(each.where, each.found) for each in caught.value.problems] == [("class 'b'", "1 in one")]
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 3])  # class 1 in groups 2, class 2 in groups 2 and 3
    with pytest.raises(DataError, match="class 'b'"):
        deal_repeatedly(ABC, [labels], seed=0, groups=groups)


def test_a_class_of_two_is_in_two_folds():
    labels = np.array([0] * 10 + [1] * 2)
    for train, _ in deal_repeatedly(Labelling.of_classes(("a", "b")), [labels], seed=0, repeats=20):
        assert set(labels[train]) == {0, 1}


def test_what_cannot_be_dealt_is_refused():
    with pytest.raises(DataError, match="at least two examples, and there are 1"):
        deal_repeatedly(ABC, [np.array([0])], seed=0)
    with pytest.raises(DataError, match="at least two groups \\(copies count as one\\), and there are 1"):
        deal_repeatedly(ABC, [LABELS], seed=0, groups=np.zeros(47, int))
    with pytest.raises(ValueError, match="at least 2 folds and 1 repeat"):
        deal_repeatedly(ABC, [LABELS], seed=0, folds=1)
    with pytest.raises(ValueError, match="at least 2 folds and 1 repeat"):
        deal_repeatedly(ABC, [LABELS], seed=0, repeats=0)
