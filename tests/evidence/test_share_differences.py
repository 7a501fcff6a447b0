"""Differences of shares: against published intervals, an enumeration of all coins, and drawn examples."""

from itertools import product
from math import erfc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.evidence.intervals import wilson
from transfer.evidence.share_differences import differ_by_bounds, differ_on_others, differ_on_same
from transfer.scores import Interval


def answers(both, first, second, neither):
    """Answers (n,) and (n,) with these counts."""
    rows = [(1, 1)] * both + [(1, 0)] * first + [(0, 1)] * second + [(0, 0)] * neither
    found = np.array(rows, bool)
    return found[:, 0], found[:, 1]


def test_the_paired_interval_is_the_published_one():
    # Complete response before and after consolidation: Fagerland, Lydersen & Laake (2017), "Statistical Analysis of
    # Contingency Tables", chapter 8, as the authors' programs print it.
    found = differ_on_same(*answers(59, 6, 16, 80))
    assert found.value == pytest.approx(-0.0621, abs=5e-5)
    assert (found.low, found.high) == (pytest.approx(-0.1186, abs=5e-5), pytest.approx(-0.0046, abs=5e-5))
    assert (found.examples, found.first_alone, found.second_alone) == (161, 6, 16)


def test_the_interval_of_other_examples_is_the_published_one():
    # High against standard dose of epinephrine: the same, chapter 4; and the exact test of another table of it.
    found = differ_on_others((7, 34), (1, 34))
    assert (found.value, found.low, found.high) == tuple(
        pytest.approx(each, abs=5e-5) for each in (0.1765, 0.0189, 0.3404)
    )
    assert differ_on_others((0, 16), (15, 72)).p_value == pytest.approx(0.06287, abs=5e-6)


def test_bounds_alone_give_the_published_interval_where_they_are_those_of_counts():
    found = differ_by_bounds(wilson(7, 34), wilson(1, 34))
    assert (found.low, found.high) == (pytest.approx(0.0189, abs=5e-5), pytest.approx(0.3404, abs=5e-5))


def test_of_many_examples_the_test_by_bounds_is_that_of_two_normal_shares():
    error = (0.5 * 0.5 / 40_000 + 0.51 * 0.49 / 40_000) ** 0.5
    expected = erfc(0.01 / error / 2**0.5)
    assert differ_by_bounds(wilson(20_400, 40_000), wilson(20_000, 40_000)).p_value == pytest.approx(expected, rel=0.02)


def test_the_test_by_bounds_tells_apart_where_the_interval_leaves_zero_out():
    exact = Interval(0.5, 0.5, 0.5)
    for value, low in ((0.8, 0.49), (0.8, 0.51), (0.2, 0.1)):
        high = 0.9 if value > 0.5 else 1 - low
        for first, second in ((Interval(value, low, high), exact), (exact, Interval(value, low, high))):
            found = differ_by_bounds(first, second)
            assert (found.p_value < 0.05) is not (found.low <= 0 <= found.high)
    assert differ_by_bounds(exact, exact).p_value == 1.0
    assert differ_by_bounds(exact, Interval(0.6, 0.6, 0.6)).p_value == 0.0


@pytest.mark.parametrize("count", [1, 7, 200])
@pytest.mark.parametrize("share", [0, 0.4, 1])
def test_the_same_answers_never_differ(count, share):
    same = np.arange(count) < share * count
    for groups in (None, np.arange(count) // 2):
        found = differ_on_same(same, same, groups)
        assert (found.value, found.p_value) == (0.0, 1.0)
        assert found.low <= 0 <= found.high


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_two_that_change_places_give_the_difference_with_the_other_sign(rows):
    first, second = np.array(rows, bool).T
    there, back = differ_on_same(first, second), differ_on_same(second, first)
    assert (there.value, there.p_value) == (-back.value, back.p_value)
    assert there.low == pytest.approx(-back.high)
    assert there.low <= there.value <= there.high


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 4)), min_size=1, max_size=12))
def test_the_test_over_groups_counts_all_ways_in_which_coins_may_fall(rows):
    first, second, groups = (np.array(each) for each in zip(*rows, strict=True))
    sums = [(first[groups == each].astype(int) - second[groups == each]).sum() for each in set(groups.tolist())]
    falls = [
        abs(sum(sign * each for sign, each in zip(signs, sums, strict=True)))
        for signs in product((1, -1), repeat=len(sums))
    ]
    expected = np.mean([fall >= abs(sum(sums)) for fall in falls])
    assert differ_on_same(first, second, groups).p_value == pytest.approx(expected)


def test_groups_of_one_are_mcnemars_test():
    first, second = answers(10, 9, 2, 3)
    alone = differ_on_same(first, second, np.arange(24))
    assert alone.p_value == pytest.approx(differ_on_same(first, second).p_value)


def test_examples_of_one_group_prove_less():
    first, second = answers(0, 12, 0, 8)
    groups = np.array([0] * 12 + [1] * 8)
    assert differ_on_same(first, second).p_value < 0.001
    found = differ_on_same(first, second, groups)
    assert found.p_value == 1.0
    assert found.low < 0


def test_the_interval_holds_what_is_true_about_as_often_as_it_says():
    random = np.random.default_rng(3)
    shares = np.array([0.55, 0.2, 0.1, 0.15])  # right by both, by one alone, by the other, by none
    drawn = random.multinomial(60, shares, size=2000)
    found = [differ_on_same(*answers(*row)) for row in drawn.tolist()]
    assert np.mean([each.low <= 0.1 <= each.high for each in found]) == pytest.approx(0.95, abs=0.015)


def test_it_says_in_a_sentence_whether_the_two_are_told_apart():
    few, many = (np.r_[np.ones(one, bool), np.zeros(200 - one, bool)] for one in (12, 30))
    none = np.zeros(200, bool)
    few[:10] = False
    assert differ_on_same(few, none).describe("tuned", "probe") == (
        "tuned - probe = +0.010 on the same 200 examples: 2 are right by tuned alone, 0 by probe alone (exact p 0.5); "
        "that does not tell the two apart"
    )
    assert differ_on_same(many, none).describe("tuned", "probe").endswith("(exact p 1.9e-09)")
    groups = np.arange(200) // 30
    told = differ_on_same(many, none, groups).describe("tuned", "probe", groups)
    assert "on the same 200 examples of 7 groups: 30 are right by tuned alone" in told
    assert told.endswith("(exact p 1); that does not tell the two apart")  # all 30 are of one group
