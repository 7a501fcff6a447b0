"""The weighted tau against a published table, loops over its definition, and orders counted by hand.

The table is part of that in `examples/model_selection/README.md` of github.com/thuml/Transfer-Learning-Library (commit
56ccfd7, MIT licence): ten networks pretrained on ImageNet, their accuracy on a data set after fine-tuning, and scores
from before. Here are the data sets of which every printed weighted tau follows from the printed columns. Elsewhere some
differ (Caltech101: 0.697 printed for LogME, 0.721 from the columns), on Aircraft and OxfordIIITPets all.
"""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from transfer.evidence.rank_agreement import RankAgreement, compare_ranks, weighted_tau

# GoogleNet, Inception V3, ResNet50, 101 and 152, DenseNet121, 169 and 201, MobileNet V2, MNasNet
ACCURACY = {
    "CIFAR10": (96.2, 97.5, 96.8, 97.7, 97.9, 97.2, 97.4, 97.4, 95.7, 96.8),
    "StanfordCars": (91.0, 92.3, 91.7, 91.7, 92.0, 91.5, 91.5, 91.0, 91.0, 88.5),
    "SUN397": (62.0, 65.7, 64.7, 64.8, 66.0, 62.3, 63.0, 64.7, 60.5, 60.7),
}
SCORES = {
    ("CIFAR10", "HScore", 0.800): (5.911, 6.363, 6.567, 6.901, 6.945, 6.210, 6.547, 6.706, 5.928, 6.018),
    ("CIFAR10", "LEEP", 0.638): (-1.385, -1.259, -1.010, -0.829, -0.838, -1.035, -0.934, -0.888, -1.100, -1.066),
    ("CIFAR10", "LogME", 0.785): (0.293, 0.349, 0.388, 0.463, 0.469, 0.302, 0.343, 0.369, 0.291, 0.304),
    ("CIFAR10", "NCE", 0.714): (-1.139, -1.060, -1.007, -0.838, -0.851, -1.006, -0.946, -0.866, -1.089, -1.086),
    ("StanfordCars", "HScore", 0.638): (41.47, 73.68, 72.94, 73.98, 76.17, 45.82, 63.40, 70.50, 51.12, 51.91),
    ("StanfordCars", "LEEP", 0.703): (-4.612, -4.268, -4.366, -4.281, -4.215, -4.437, -4.286, -4.319, -4.463, -4.423),
    ("StanfordCars", "LogME", 0.654): (1.246, 1.259, 1.253, 1.255, 1.260, 1.249, 1.252, 1.251, 1.250, 1.254),
    ("StanfordCars", "NCE", 0.750): (-4.312, -4.110, -4.221, -4.218, -4.142, -4.271, -4.175, -4.151, -4.306, -4.338),
    ("SUN397", "HScore", 0.918): (71.35, 114.21, 110.39, 113.63, 116.51, 72.16, 95.80, 103.09, 75.90, 80.91),
    ("SUN397", "LEEP", 0.581): (-3.744, -3.372, -3.198, -3.103, -3.056, -3.311, -3.165, -3.205, -3.338, -3.234),
    ("SUN397", "LogME", 0.748): (1.621, 1.648, 1.638, 1.642, 1.646, 1.614, 1.623, 1.624, 1.617, 1.625),
    ("SUN397", "NCE", 0.873): (-3.055, -2.844, -2.894, -2.837, -2.822, -2.945, -2.903, -2.896, -2.968, -2.933),
}


@pytest.mark.parametrize(("data", "score", "tau"), SCORES, ids=str)
def test_it_gives_the_printed_tau_of_ten_pretrained_networks(data, score, tau):
    found = compare_ranks(SCORES[data, score, tau], ACCURACY[data])
    assert found.tau == pytest.approx(tau, abs=5.1e-4)
    assert found.candidates == 10


def by_loops(first, second):
    """Vigna's additive hyperbolic tau, averaged over the ranks by (first, second) and by (second, first)."""
    taus = []
    for keys in ((first, second), (second, first)):
        order = sorted(range(len(first)), key=lambda i: (-keys[0][i], -keys[1][i]))
        rank = {place: number for number, place in enumerate(order, 1)}
        inner = norm_first = norm_second = 0.0
        for i, j in combinations(range(len(first)), 2):
            weight = 1 / rank[i] + 1 / rank[j]
            one, other = np.sign(first[i] - first[j]), np.sign(second[i] - second[j])
            inner += one * other * weight
            norm_first += one * one * weight
            norm_second += other * other * weight
        taus.append(inner / np.sqrt(norm_first * norm_second))
    return sum(taus) / 2


few = st.integers(2, 8).flatmap(lambda count: arrays(np.float64, (2, count), elements=st.integers(0, 4).map(float)))


@given(few)
def test_it_is_what_loops_over_the_definition_give_with_ties(values):
    first, second = values
    if np.ptp(first) and np.ptp(second):
        assert weighted_tau(first, second) == pytest.approx(by_loops(first, second), abs=1e-12)


@given(st.permutations(range(7)), st.permutations(range(7)))
def test_it_does_not_depend_on_the_order_in_which_candidates_are_given(order, second):
    first, second, order = np.arange(7.0) // 2, np.array(second, float), list(order)
    assert weighted_tau(first[order], second[order]) == pytest.approx(weighted_tau(first, second))


@pytest.mark.parametrize(("count", "most"), [(3, 6), (4, 24), (5, 120), (6, 720)])
def test_of_few_candidates_each_order_counts_once(count, most):
    values = np.arange(float(count))
    same, reversed_ = compare_ranks(values, values**3), compare_ranks(values, -values)
    assert (same.tau, same.p_value) == (pytest.approx(1), 1 / most)
    assert (reversed_.tau, reversed_.p_value) == (pytest.approx(-1), 1)


def test_the_share_of_orders_that_agree_as_well_is_counted():
    first, second = np.array([4.0, 3, 2, 1, 0]), np.array([3.0, 4, 1, 2, 0])
    tau = by_loops(first, second)
    as_well = sum(by_loops(first, order) >= tau - 1e-9 for order in permutations(second))
    assert compare_ranks(first, second).p_value == as_well / 120


def test_three_candidates_are_never_trusted_and_four_in_the_same_order_are():
    assert not compare_ranks([1, 2, 3], [4, 5, 6]).trusted
    assert compare_ranks([1, 2, 3, 4], [4, 5, 6, 7]).trusted


@pytest.mark.slow
def test_orders_drawn_at_random_are_trusted_in_about_one_of_20_cases():
    random = np.random.default_rng(0)
    found = [compare_ranks(*random.normal(size=(2, 8)), seed=trial) for trial in range(150)]
    assert sum(each.trusted for each in found) <= 14  # 0.997 of a binomial of 150 and 1/20
    assert 0.35 < np.mean([each.p_value for each in found]) < 0.65
    assert min(each.p_value for each in found) >= 1 / 1001


@pytest.mark.parametrize(
    ("first", "second"), [([], []), ([1], [2]), ([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [0, 0, 0])]
)
def test_of_fewer_than_three_or_of_equals_nothing_is_said(first, second):
    assert compare_ranks(first, second) is None


@pytest.mark.parametrize(
    ("first", "second"), [([1, 2, 3], [1, 2]), ([1, 2, np.nan], [1, 2, 3]), ([1, 2, 3], [1, np.inf, 3])]
)
def test_what_has_no_order_is_refused(first, second):
    with pytest.raises(ValueError, match="should be finite"):
        compare_ranks(first, second)


def test_it_says_whether_to_trust_the_score():
    assert RankAgreement(0.748, 0.004, 10).describe("LogME", "accuracy") == (
        "the orders by LogME and by accuracy agree with a weighted tau of +0.75 over 10 candidates (p 0.004)"
    )
    assert (
        RankAgreement(0.2, 0.31, 5).describe("LogME", "accuracy").endswith("(p 0.31); LogME should not be trusted here")
    )
