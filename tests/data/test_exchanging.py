"""Units exchanged between parts: the best step by trying all, and groups shared out far more evenly than before."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.data.exchanging import exchange_units
from transfer.data.stratifying import deal_units


def distance(counts, parts, lacking) -> float:
    found = np.stack([counts[parts == part].sum(0) for part in range(len(lacking))])
    return float(((lacking - found) ** 2 / np.maximum(counts.sum(0), 1)).sum())


@given(st.integers(2, 9), st.integers(0, 2**31))
def test_it_ends_where_no_move_and_no_exchange_is_better(n, seed):
    random = np.random.default_rng(seed)
    counts, parts = random.integers(0, 4, (n, 3)), random.integers(0, 3, n)
    lacking = np.array([[0.5], [0.3], [0.2]]) * counts.sum(0)
    found = exchange_units(counts, parts, lacking, seed)
    least = distance(counts, found, lacking)
    assert least <= distance(counts, parts, lacking) + 1e-9
    for unit in range(n):
        for part in range(3):
            moved = found.copy()
            moved[unit] = part
            assert distance(counts, moved, lacking) >= least - 1e-6
    for one, other in permutations(range(n), 2):
        swapped = found.copy()
        swapped[one], swapped[other] = found[other], found[one]
        assert distance(counts, swapped, lacking) >= least - 1e-6


def test_the_first_step_is_the_one_that_helps_most():
    counts = np.array([[5], [1], [2], [2]])
    lacking = np.array([[5.0], [5.0]])
    assert exchange_units(counts, np.array([0, 0, 1, 1]), lacking, 0).tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_shared_out_far_more_evenly_than_dealt(seed):
    random = np.random.default_rng(seed)
    has, groups = random.random((800, 12)) < np.geomspace(0.4, 0.02, 12), random.integers(0, 100, 800)
    counts = np.stack([has[groups == group].sum(0) for group in range(100)])
    lacking = np.array([[0.75], [0.25]]) * counts.sum(0)
    sizes = np.bincount(groups, minlength=100)
    dealt = deal_units(counts, sizes, lacking, np.array([600.0, 200.0]), seed)
    assert distance(counts, exchange_units(counts, dealt, lacking, seed), lacking) < 0.2 * distance(
        counts, dealt, lacking
    )


def test_many_units_are_tried_in_part_and_the_same_seed_gives_the_same():
    counts = np.random.default_rng(0).integers(0, 3, (3000, 5))
    parts, lacking = np.arange(3000) % 2, 0.5 * np.tile(counts.sum(0), (2, 1))
    one, again = (exchange_units(counts, parts, lacking, 4) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert distance(counts, one, lacking) <= distance(counts, parts, lacking)
