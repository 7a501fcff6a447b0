"""What a comparison over folds says."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from transfer.evidence.baseline_comparison import BaselineComparison, FoldedWay
from transfer.scores import Interval

MODEL = (0.80, 0.84, 0.82, 0.78, 0.83, 0.81, 0.79, 0.85)
CLOSE = (0.79, 0.85, 0.80, 0.80, 0.82, 0.82, 0.77, 0.85)
FAR = (0.40, 0.42, 0.41, 0.39, 0.43, 0.38, 0.40, 0.41)


def compared(**ways):
    found = tuple(FoldedWay(name, Interval(float(np.mean(each)), 0.0, 1.0), each) for name, each in ways.items())
    return BaselineComparison("photos", ("a", "b"), 200, None, 4, (100,) * 8, (100,) * 8, found, "model")


def test_differences_are_corrected_for_shared_folds_and_adjusted_for_the_number_of_all_pairs():
    told = compared(model=MODEL, close=CLOSE, far=FAR).differences
    assert set(told) == {"close", "far"}
    expected = {}
    for name, other in (("close", CLOSE), ("far", FAR)):
        apart = np.array(MODEL) - other
        mean = apart.mean()
        variance = max(apart.var(ddof=1), abs(mean) * (1 - abs(mean)) / 100)
        expected[name] = 2 * stats.t.sf(abs(mean) / np.sqrt((1 / 8 + 1) * variance), 7)  # half is tested on: 100 / 100
        assert told[name].mean == pytest.approx(mean)
    assert told["far"].p_value == pytest.approx(3 * expected["far"])  # the third pair is close and far
    assert told["close"].p_value == pytest.approx(min(1, expected["close"]))


def test_no_winner_is_named_inside_the_noise():
    told = compared(model=MODEL, close=CLOSE, far=FAR)
    assert told.verdict == "model is not told apart from close"
    assert told.order == "model ≈ close > far"


def test_a_clear_winner_and_a_clear_loser_are_named():
    assert compared(model=MODEL, far=FAR).verdict == "model is better than all others"
    assert compared(model=FAR, far=MODEL).verdict == "model is worse than far"


def test_it_prints_a_row_for_each_way_and_what_it_comes_to():
    lines = str(compared(model=MODEL, close=CLOSE, far=FAR)).splitlines()
    assert lines[0] == (
        "photos: 200 examples, 2 classes; 4 x 2 folds, learnt from all others; difference = model - way"
    )
    assert [line.split()[0] for line in lines[2:]] == ["model", "close", "far", "order", "verdict", "p"]


def test_plain_values_hold_all_of_it():
    found = compared(model=MODEL, far=FAR).to_json()
    assert found["schema"] == 1
    assert found["ways"][0]["folds"] == MODEL
    assert found["differences"]["far"]["mean"] == pytest.approx(0.41, abs=0.005)
    assert found["order"] == "model > far"


@pytest.mark.parametrize("seed", range(40))
def test_order_and_verdict_never_contradict_each_other(seed):
    """Of many ways, the best of which is barely told apart from the next."""
    random, ways = np.random.default_rng(seed), {}
    for name, share in (("model", 0.8), ("b", 0.55), ("c", 0.57), ("d", 0.6), ("e", 0.3), ("f", 0.3)):
        right = random.random(100) < share
        dealt = [random.permutation(100).reshape(5, 20) for _ in range(2)]
        ways[name] = tuple(float(right[rows].mean()) for folds in dealt for rows in folds)
    told = replace(compared(**ways), repeats=2, train_sizes=(80,) * 10, test_sizes=(20,) * 10)
    assert (told.verdict == "model is better than all others") == told.order.startswith("model > ")
    told_apart = {name for name, each in told.differences.items() if each.told_apart}
    pairs = told.ordering.p_values
    assert told_apart == {
        name for name in ways if min(pairs.get(("model", name), 1), pairs.get((name, "model"), 1)) < 0.05
    }
