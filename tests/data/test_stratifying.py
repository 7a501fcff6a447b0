"""Units dealt to parts: the paper's measure beats chance, nothing is forgotten, sides are mended as by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.data.stratifying import deal_units, draw_shots, mend_sides


def label_deviation(has: np.ndarray, parts: np.ndarray, count: int) -> float:
    """Sechidis et al. (2011), section 4.1: mean distance of the odds of each label in a part from those in all."""
    distances = []
    for label in has.T.astype(int):
        odds = label.sum() / (len(label) - label.sum())
        inside = [label[parts == part] for part in range(count)]
        distances.append(np.mean([abs(each.sum() / (len(each) - each.sum()) - odds) for each in inside]))
    return float(np.mean(distances))


def deal(counts, shares, seed, sizes=None):
    sizes = np.ones(len(counts), np.int64) if sizes is None else sizes
    shares = np.array(shares)
    return deal_units(counts, sizes, shares[:, None] * counts.sum(0), shares * sizes.sum(), seed)


def labels(seed: int, n: int = 400) -> np.ndarray:
    return (np.random.default_rng(seed).random((n, 12)) < np.geomspace(0.4, 0.02, 12)).astype(np.int64)


@pytest.mark.parametrize("shares", [(0.75, 0.25), (0.2,) * 5], ids=["split", "folds"])
@pytest.mark.parametrize("seed", range(5))
def test_labels_are_shared_out_far_more_evenly_than_by_chance(shares, seed):
    has = labels(seed)
    parts = deal(has, shares, seed)
    chance = [label_deviation(has, np.random.default_rng(k).permutation(parts), len(shares)) for k in range(40)]
    assert label_deviation(has, parts, len(shares)) < 0.5 * min(chance)
    assert np.abs(np.bincount(parts) - np.array(shares) * len(has)).max() <= 0.02 * len(has)


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**31))
def test_every_unit_goes_to_a_part_and_the_same_seed_to_the_same(n, m, seed):
    counts = np.random.default_rng(seed).integers(0, 3, (n, m))
    parts = deal(counts, (0.5, 0.3, 0.2), seed)
    assert ((parts >= 0) & (parts < 3)).all()
    np.testing.assert_array_equal(parts, deal(counts, (0.5, 0.3, 0.2), seed))


def test_another_seed_deals_otherwise():
    has = labels(0)
    assert len({tuple(deal(has, (0.75, 0.25), seed).tolist()) for seed in range(10)}) == 10


def test_a_thing_that_stands_on_one_side_is_mended_by_the_unit_that_has_least_else():
    counts = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 1, 0], [1, 1, 1]])
    assert mend_sides(counts, np.array([0, 0, 0, 1, 0])).tolist() == [0, 1, 1, 1, 0]


def test_nothing_is_mended_at_the_cost_of_something_else():
    counts = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 0], [0, 0, 1]])
    parts = np.array([0, 0, 1, 1])
    assert mend_sides(counts, parts).tolist() == parts.tolist()


@given(st.integers(2, 30), st.integers(0, 2**31))
def test_mending_never_takes_the_last_of_anything_from_a_side(n, seed):
    random = np.random.default_rng(seed)
    counts, parts = (random.random((n, 6)) < 0.25).astype(np.int64), random.integers(0, 2, n)
    mended = mend_sides(counts, parts)
    before, after = ([(counts[each == side].sum(0) > 0) for side in (0, 1)] for each in (parts, mended))
    assert all((old <= new).all() for old, new in zip(before, after, strict=True))


@given(st.integers(1, 4), st.integers(0, 2**31))
def test_everything_is_drawn_as_often_as_asked_or_as_there_is(shots, seed):
    counts = (np.random.default_rng(seed).random((60, 8)) < np.geomspace(0.5, 0.03, 8)).astype(np.int64)
    taken = draw_shots(counts, shots, seed)
    assert (counts[taken].sum(0) >= np.minimum(shots, counts.sum(0))).all()


def test_of_classes_that_exclude_each_other_just_as_many_are_drawn_as_asked():
    classes = np.random.default_rng(0).integers(0, 4, 90)
    taken = draw_shots(np.eye(4, dtype=np.int64)[classes], 3, seed=1)
    assert np.bincount(classes[taken]).tolist() == [3, 3, 3, 3]


def test_drawing_leaves_one_of_each_where_that_can_be():
    counts = np.array([[1, 0, 1]] + [[1, 0, 0]] * 3 + [[0, 1, 1]] * 3 + [[0, 1, 0]] * 2)
    for seed in range(20):
        taken = draw_shots(counts, 2, seed)
        assert (counts[~taken].sum(0) > 0).all()
