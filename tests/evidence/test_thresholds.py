"""Thresholds of labels against all cuts tried one by one with scikit-learn's F1, and against the best one in theory."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from transfer.evidence.thresholds import Thresholds, find_thresholds
from transfer.labellings import Output

ONE = Output("tags", "sigmoid", ("loud",))


def find(wanted, probabilities, seed: int = 0):
    found = find_thresholds(ONE, np.asarray(wanted)[:, None], np.asarray(probabilities)[:, None], seed=seed)
    return found.labels[0]


@given(st.integers(0, 2**31), st.sampled_from([1, 2, 17]))
def test_no_other_cut_has_a_higher_f1(seed, digits):
    random = np.random.default_rng(seed)
    wanted = (random.random(60) < 0.3).astype(np.int64)
    wanted[:10] = [0, 1] * 5
    scores = np.round(np.clip(0.2 * wanted + 0.7 * random.random(60), 0, 1), digits)
    found = find(wanted, scores)
    tried = [f1_score(wanted, scores >= cut) for cut in np.unique(scores)]
    assert found.f1 == pytest.approx(max(tried))
    assert found.f1 == pytest.approx(f1_score(wanted, scores >= found.value))
    assert found.default_f1 == pytest.approx(f1_score(wanted, scores >= 0.5, zero_division=0))
    assert found.low <= found.high


def test_the_threshold_stands_halfway_and_of_equals_next_to_one_half():
    scores = [0.9, 0.8, 0.7, 0.6, 0.55, 0.2, 0.15, 0.1, 0.05, 0.0]
    assert find([1] * 5 + [0] * 5, scores).value == pytest.approx(0.375)
    wanted = [1, 0, 1, 1, 1, 0, 1, 0, 0, 0]  # F1 is 8/10 with 0.55 as the last yes, 10/12 with 0.15
    assert find(wanted, scores).value == pytest.approx(0.125)
    equal = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0]
    both = [0.99, 0.95, 0.9, 0.85, 0.8, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0]
    assert find(equal, both).value == pytest.approx(0.35)


def test_where_the_lowest_has_the_label_too_everything_is_answered_with_yes():
    found = find([0] * 5 + [1] * 5, np.linspace(0.9, 0.1, 10))
    assert found.value == pytest.approx(0.05)
    assert found.f1 == pytest.approx(2 / 3)


def test_probabilities_that_are_all_equal_are_one_cut():
    found = find([1] * 6 + [0] * 6, np.full(12, 0.3))
    assert (found.value, found.f1, found.default_f1) == (pytest.approx(0.15), pytest.approx(2 / 3), 0.0)


def test_between_neighbouring_numbers_the_higher_one_is_the_threshold():
    low = 0.3
    scores = [np.nextafter(low, 1)] * 5 + [low] * 5
    found = find([1] * 5 + [0] * 5, scores)
    assert (np.array(scores) >= found.value).tolist() == [True] * 5 + [False] * 5


@pytest.mark.parametrize(("positives", "negatives"), [(4, 50), (50, 4), (0, 9), (9, 0)])
def test_a_label_with_few_examples_keeps_one_half_and_is_told_of(positives, negatives):
    wanted = [1] * positives + [0] * negatives
    found = find_thresholds(ONE, np.array(wanted)[:, None], np.linspace(1, 0, len(wanted))[:, None], seed=0)
    (label,) = found.labels
    assert (label.value, label.low, label.high) == (0.5, None, None)
    assert (label.positives, label.negatives) == (positives, negatives)
    assert found.notes == ("1 of 1 labels keep the threshold 0.5: fewer than 5 examples have them, or lack them: loud",)


def test_what_is_not_known_counts_for_nothing():
    random = np.random.default_rng(0)
    wanted, scores = random.integers(0, 2, 40), random.random(40)
    more = find([*wanted, *[-1] * 30], [*scores, *random.random(30)], seed=5)
    assert more == find(wanted, scores, seed=5)


def test_bounds_narrow_towards_half_the_best_f1():
    """A label of probability p given the score p is best answered from half the best F1 on (Lipton et al., 2014)."""
    spreads = []
    for count in (200, 20_000):
        random = np.random.default_rng(1)
        scores = random.random(count)
        found = find((random.random(count) < scores).astype(np.int64), scores)
        assert found.low <= found.f1 / 2 <= found.high
        spreads.append(found.high - found.low)
    assert spreads[1] < spreads[0] / 2


def test_groups_of_examples_that_are_alike_have_wider_bounds():
    random = np.random.default_rng(2)
    scores = np.repeat(random.random(60), 20)
    wanted = np.repeat((random.random(60) < scores[::20]).astype(np.int64), 20)
    alone, together = (
        find_thresholds(ONE, wanted[:, None], scores[:, None], seed=0, groups=groups).labels[0]
        for groups in (None, np.arange(1200) // 20)
    )
    assert together.value == alone.value
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_where_nothing_is_known_all_keep_one_half():
    found = find_thresholds(ONE, np.full((4, 1), -1), np.zeros((4, 1)), seed=0)
    assert (found.labels[0].value, found.labels[0].f1) == (0.5, None)


def test_they_are_applied_printed_and_come_back_from_json():
    output = Output("tags", "sigmoid", ("loud", "rare"))
    wanted = np.array([[1, 0]] * 6 + [[0, 0]] * 6)
    scores = np.stack([np.linspace(0.4, 0.0, 12), np.linspace(0.0, 0.9, 12)], axis=1)
    found = find_thresholds(output, wanted, scores, seed=0)
    assert found.apply(scores).tolist() == [[int(k < 6), int(scores[k, 1] >= 0.5)] for k in range(12)]
    assert Thresholds.from_json(json.loads(json.dumps(found.to_json()))) == found
    lines = str(found).splitlines()
    assert lines[0].split() == ["label", "threshold", "95", "%", "interval", "F1", "at", "0.5", "examples"]
    assert lines[2].split() == ["rare", "0.500", "-", "0.000", "0.000", "0", "of", "12"]


def test_shapes_that_do_not_agree_are_a_slip():
    with pytest.raises(ValueError, match="labels and"):
        find_thresholds(ONE, np.zeros((3, 1), np.int64), np.zeros((3, 2)), seed=0)
