"""The corrected t test against its formula with SciPy's distribution, and the usual one where no fold overlaps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_rel
from scipy.stats import t as student

from transfer.evidence.corrected_comparison import FoldDifference, compare_over_folds


def sizes(folds, train=80, test=20):
    return np.full(folds, train), np.full(folds, test)


def drawn(seed, folds=25, apart=0.0):
    random = np.random.default_rng(seed)
    return random.normal(apart, 0.1, folds), random.normal(0, 0.1, folds)


@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 50), st.integers(1, 200))
def test_it_is_the_formula_of_the_paper(seed, folds, test, train):
    first, second = drawn(seed, folds, 0.05)
    differences = [one - other for one, other in zip(first, second, strict=True)]
    mean = sum(differences) / folds
    variance = sum((each - mean) ** 2 for each in differences) / (folds - 1)
    error = ((1 / folds + test / train) * variance) ** 0.5
    found = compare_over_folds(first, second, *sizes(folds, train, test), shares=False)
    assert found.mean == pytest.approx(mean)
    assert found.p_value == pytest.approx(2 * student.sf(abs(mean) / error, folds - 1), rel=1e-9)
    low, high = student.interval(0.95, folds - 1, mean, error)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_without_overlap_it_is_the_paired_t_test():
    first, second = drawn(1, 12, 0.08)
    found = compare_over_folds(first, second, *sizes(12, 10**15, 1), shares=False)
    expected = ttest_rel(first, second)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))


@given(st.integers(0, 10**6), st.booleans())
def test_exchanging_the_two_turns_the_signs_and_the_interval_leaves_0_out_where_they_are_told_apart(seed, shares):
    first, second = drawn(seed, 10, 0.1)
    one = compare_over_folds(first, second, *sizes(10), shares=shares)
    other = compare_over_folds(second, first, *sizes(10), shares=shares)
    assert (other.mean, other.low, other.high) == pytest.approx((-one.mean, -one.high, -one.low))
    assert other.p_value == pytest.approx(one.p_value)
    assert one.told_apart == (one.low > 0 or one.high < 0)


@pytest.mark.parametrize("shares", [True, False])
@pytest.mark.parametrize("folds", [1, 2, 25])
def test_the_same_scores_never_differ(shares, folds):
    scores = np.random.default_rng(0).random(folds)
    found = compare_over_folds(scores, scores, *sizes(folds), shares=shares)
    assert (found.mean, found.p_value, found.told_apart) == (0.0, 1.0, False)
    assert compare_over_folds(scores, scores + 1e-16, *sizes(folds), shares=shares) == found
    assert compare_over_folds(np.zeros(folds), np.zeros(folds), *sizes(folds), shares=shares) == found


def test_scores_that_never_differ_leave_as_much_open_as_so_many_examples_do():
    same = np.full(25, 0.9)
    found = compare_over_folds(same, same, *sizes(25))
    # Of 100 examples none differs; 5 x 5 folds drawn at random would test 99.6 of them. Clopper-Pearson, one-sided.
    exact = binomtest(0, 100, alternative="less").proportion_ci(0.95).high
    assert found.high == pytest.approx(exact, rel=0.005)
    assert found.low == -found.high
    assert compare_over_folds(same, same, *sizes(25), shares=False) == FoldDifference(0.0, None, None, 1.0, 25)
    assert compare_over_folds(same[:1], same[:1], *sizes(1)) == FoldDifference(0.0, None, None, 1.0, 1)
    assert compare_over_folds(same, same, *sizes(25, 4, 1)) == FoldDifference(0.0, None, None, 1.0, 25)


@pytest.mark.parametrize(("examples", "gap"), [(20, 0.05), (40, 0.05), (40, 0.02), (100, 0.02)])
def test_where_none_differs_by_chance_the_true_difference_lies_within(examples, gap):
    """Two fixed candidates of which one is right on a share `gap` more of all examples there are."""
    random, missed, repeats = np.random.default_rng(0), 0, 400
    for _ in range(repeats):
        more = random.random(examples) < gap
        dealt = [random.permutation(examples).reshape(5, -1) for _ in range(5)]
        first = np.array([more[rows].mean() for folds in dealt for rows in folds])
        found = compare_over_folds(first, np.zeros(25), *sizes(25, examples * 4 // 5, examples // 5))
        if found.mean == 0:
            missed += not found.low <= gap <= found.high
    assert missed / repeats <= 0.05


def test_one_example_more_in_every_fold_is_judged_about_as_the_binomial_test_does():
    # 5 of 100 examples are right by the first alone, none by the second, and folds share them out evenly.
    second = np.random.default_rng(2).integers(10, 18, 25) / 20
    found = compare_over_folds(second + 0.05, second, *sizes(25))
    assert found.mean == pytest.approx(0.05)
    assert found.p_value == pytest.approx(binomtest(0, 5).pvalue, abs=0.02)  # 0.0625
    assert not found.told_apart
    assert compare_over_folds(second + 0.15, second, *sizes(25)).told_apart


def test_measures_that_are_no_shares_and_always_differ_alike_tell_nothing():
    second = np.random.default_rng(3).normal(size=8)
    assert compare_over_folds(second + 3, second, *sizes(8), shares=False) == FoldDifference(
        pytest.approx(3), None, None, 1.0, 8
    )


def test_all_right_against_all_wrong_proves_no_more_than_so_many_coins():
    found = compare_over_folds(np.ones(2), np.zeros(2), *sizes(2, 2, 2))
    assert found == FoldDifference(1.0, None, None, pytest.approx(binomtest(0, 4).pvalue), 2)  # 1/8
    assert compare_over_folds(np.ones(10), np.zeros(10), *sizes(10)).told_apart


def test_of_five_examples_nothing_is_told():
    first, second = np.array([1.0, 1, 1, 1, 0] * 5), np.zeros(25)
    found = compare_over_folds(first, second, *sizes(25, 4, 1))
    assert (found.low, found.high, found.told_apart) == (None, None, False)


def test_one_fold_tells_nothing():
    assert compare_over_folds(np.array([0.9]), np.array([0.5]), *sizes(1)) == FoldDifference(0.4, None, None, 1.0, 1)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="scores of shapes"):
        compare_over_folds(np.ones(3), np.ones(2), *sizes(3))
    with pytest.raises(ValueError, match="scores of shapes"):
        compare_over_folds(np.ones(3), np.ones(3), *sizes(2))
    with pytest.raises(ValueError, match="scores of shapes"):
        compare_over_folds(np.ones(0), np.ones(0), *sizes(0))
    with pytest.raises(ValueError, match="not finite"):
        compare_over_folds(np.array([1, np.nan]), np.ones(2), *sizes(2))


def test_it_says_whether_the_two_are_told_apart():
    assert FoldDifference(0.02, -0.01, 0.05, 0.2, 25).describe("probe", "tuned") == (
        "probe - tuned = +0.020 [-0.010, +0.050] over the same 25 folds (corrected for their overlap, p 0.2); "
        "that does not tell the two apart"
    )
    assert FoldDifference(0.04, 0.01, 0.07, 0.01, 25).describe("a", "b").endswith("overlap, p 0.01)")
    assert FoldDifference(0.4, None, None, 1.0, 1).describe("a", "b").startswith("a - b = +0.400 over the same 1 folds")
