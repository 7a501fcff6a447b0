"""Orders of many candidates: Holm's adjustment step by step, tiers against their definition, and their text."""

from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.evidence.corrected_comparison import compare_over_folds
from transfer.evidence.tiers import Ordering, holm, order_by_pairs, order_over_folds

CERTAIN, NEVER = 1e-9, 0.9


def ordered(text, apart):
    """Candidates in the order of `text`, of which the pairs in `apart` are told apart."""
    means = {name: float(-place) for place, name in enumerate(text)}
    return order_by_pairs(means, {pair: CERTAIN if "".join(pair) in apart else NEVER for pair in combinations(text, 2)})


def rejected_step_by_step(p_values, level):
    """Holm's procedure: the smallest against level / q, the next against level / (q - 1), until one fails."""
    rejected = set()
    for step, place in enumerate(sorted(range(len(p_values)), key=lambda each: p_values[each])):
        if p_values[place] >= level / (len(p_values) - step):
            break
        rejected.add(place)
    return rejected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.sampled_from([0.01, 0.05, 0.3]))
def test_holm_rejects_what_his_steps_reject(p_values, level):
    adjusted = holm(np.array(p_values))
    found = {place for place, each in enumerate(adjusted) if each < level}
    close = any(each == pytest.approx(level, rel=1e-12) for each in adjusted)
    assert close or found == rejected_step_by_step(p_values, level)


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03, 0.005])), [0.06, 0.03, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.9, 0.8])), [1, 1])
    assert holm(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize(
    ("apart", "text", "winner"),
    [
        ("AB AC BC", "A > B > C", "A"),
        ("", "A ≈ B ≈ C", None),
        ("AB AC", "A > B ≈ C", "A"),
        ("AC BC", "A ≈ B > C", None),
        ("AC", "A ≈ B ≈ C (of these A > C)", None),
        ("AB", "A ≈ B ≈ C (of these A > B)", None),
        ("BC", "A ≈ B ≈ C (of these B > C)", None),
        ("AB BC", "A ≈ B ≈ C (of these A > B, B > C)", None),
    ],
)
def test_three_candidates_in_every_way(apart, text, winner):
    found = ordered("ABC", apart.split())
    assert str(found) == text
    assert found.winner == winner


@given(st.integers(2, 6), st.data())
def test_whatever_stands_between_two_signs_is_told_apart_and_no_sign_is_missing(count, data):
    names = "ABCDEF"[:count]
    pairs = ["".join(pair) for pair in combinations(names, 2)]
    apart = data.draw(st.sets(st.sampled_from(pairs)))
    found = ordered(names, apart)
    assert "".join("".join(tier) for tier in found.tiers) == names
    for one, other in combinations(found.tiers, 2):
        assert all(better + worse in apart for better, worse in product(one, other))
    for tier in found.tiers:
        for cut in range(1, len(tier)):
            inside = list(product(tier[:cut], tier[cut:]))
            assert any(better + worse not in apart for better, worse in inside)
    assert {"".join(pair) for pair in found.apart} == {
        pair for pair in apart if any(set(pair) <= set(tier) for tier in found.tiers)
    }
    first = all("A" + name in apart for name in names[1:])
    assert found.winner == ("A" if first else None)


def test_the_order_in_which_candidates_are_given_does_not_matter():
    random = np.random.default_rng(0)
    scores = {name: random.normal(mean, 0.02, 10) for name, mean in zip("abcd", (0.8, 0.8, 0.7, 0.6), strict=True)}
    scores["e"] = scores["b"].copy()  # a tie in the mean
    sizes = np.full(10, 80), np.full(10, 20)
    found = {
        repr(order_over_folds({name: scores[name] for name in names}, *sizes).tiers) for names in permutations(scores)
    }
    texts = {str(order_over_folds({name: scores[name] for name in names}, *sizes)) for names in permutations(scores)}
    assert len(found) == len(texts) == 1


def test_pairs_are_compared_over_the_folds_and_adjusted():
    random = np.random.default_rng(1)
    scores = {name: random.random(6) for name in "abc"}
    sizes = np.full(6, 50), np.full(6, 10)
    found = order_over_folds(scores, *sizes)
    pairs = list(found.p_values)
    expected = holm(np.array([compare_over_folds(scores[a], scores[b], *sizes).p_value for a, b in pairs]))
    assert list(found.p_values.values()) == pytest.approx(expected.tolist())
    assert found.means == pytest.approx({name: each.mean() for name, each in scores.items()})


def test_the_same_candidate_twice_ties_with_itself_by_name():
    scores = np.random.default_rng(2).random(5)
    found = order_over_folds({"b": scores, "a": scores}, np.full(5, 40), np.full(5, 10))
    assert str(found) == "a ≈ b"
    assert found.winner is None


def test_one_candidate_alone_is_no_winner():
    found = order_over_folds({"a": np.ones(5)}, np.full(5, 40), np.full(5, 10))
    assert found == Ordering((("a",),), (), {"a": 1.0}, {})
    assert found.winner is None


def test_pairs_may_be_given_either_way_round_and_none_may_be_missing():
    means = {"a": 0.5, "b": 0.9}
    assert str(order_by_pairs(means, {("a", "b"): 0.001})) == str(order_by_pairs(means, {("b", "a"): 0.001})) == "b > a"
    with pytest.raises(ValueError, match="without a comparison"):
        order_by_pairs(means, {})
    with pytest.raises(ValueError, match="without a comparison"):
        order_by_pairs({}, {})
