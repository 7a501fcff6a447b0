"""Counts against plain loops over every value."""

import math

import numpy as np
import pytest

from transfer.analysis.activation_slopes import response_of
from transfer.analysis.saturation import Saturation, confident

RANDOM = np.random.default_rng(0)
X = (RANDOM.normal(size=(23, 4, 3, 5)) * 4).astype(np.float32)
X[..., 1] = -np.abs(X[..., 1])  # never active
X[..., 2] = np.abs(X[..., 2]) + 0.1  # never silent
X[7] = 50.0  # an example at the high end


def counted(x: np.ndarray, low: float, high: float) -> dict:
    units = x.shape[-1]
    lows, highs, flat = [0] * units, [0] * units, 0
    for example in x:
        here = 0
        for values in example.reshape(-1, units):
            for unit, value in enumerate(values):
                lows[unit] += value <= low
                highs[unit] += value >= high
                here += value <= low or value >= high
        flat += 2 * here > example.size
    return {"low": lows, "high": highs, "flat": flat, "seen": x.size // units}


@pytest.mark.parametrize("name", ["relu", "relu6", "tanh", "sigmoid", "gelu"])
def test_counts_are_those_of_a_loop(name: str) -> None:
    response = response_of(name)
    found = Saturation.empty(5).update(X[:9], response).update(X[9:], response)
    expected = counted(X, response.low, response.high)
    assert found.low.tolist() == expected["low"]
    assert found.high.tolist() == expected["high"]
    assert (found.seen, found.examples, found.flat_examples) == (expected["seen"], 23, expected["flat"])
    halves = [low + high > expected["seen"] / 2 for low, high in zip(expected["low"], expected["high"], strict=True)]
    assert found.flat_units == sum(halves)
    assert found.low_share == sum(expected["low"]) / X.size
    assert found.high_share == sum(expected["high"]) / X.size
    assert found.slope == pytest.approx(math.sqrt(np.mean(response.slope(X.astype(np.float64)) ** 2)), rel=1e-5)


def test_units_that_never_or_always_work() -> None:
    quiet = np.delete(X, 7, axis=0)
    found = Saturation.empty(5).update(quiet, response_of("relu"))
    assert found.dead == (1,)
    assert found.never_silent == (2,)
    stuck = Saturation.empty(2).update(np.array([[-9.0, 0.1], [9.0, 9.0]]), response_of("tanh"))
    assert (stuck.stuck, stuck.dead) == ((0,), ())


def test_one_position_is_enough_to_be_alive() -> None:
    x = np.full((4, 3, 3, 1), -1.0)
    assert Saturation.empty(1).update(x, response_of("relu")).dead == (0,)
    x[2, 1, 0] = 1e-3
    assert Saturation.empty(1).update(x, response_of("relu")).dead == ()


def test_nothing_seen_is_nothing_dead() -> None:
    empty = Saturation.empty(3)
    assert (empty.dead, empty.stuck, empty.never_silent, empty.low_share, empty.slope) == ((), (), (), 0.0, 0.0)


def test_another_number_of_units_is_refused() -> None:
    with pytest.raises(ValueError):
        Saturation.empty(4).update(X, response_of("relu"))
    with pytest.raises(ValueError):
        Saturation.empty(4).merge(Saturation.empty(5))


def test_answers_without_doubt_are_those_of_small_entropy() -> None:
    p = np.array([[1.0, 0.0, 0.0], [0.998, 0.001, 0.001], [0.9, 0.05, 0.05], [1 / 3, 1 / 3, 1 / 3]])
    entropies = [sum(-each * math.log(each) for each in row if each > 0) for row in p.tolist()]
    expected = sum(entropy < 0.05 * math.log(3) for entropy in entropies)
    found = confident(p)
    assert expected == 2
    assert (found.high.tolist(), found.seen, found.examples, found.flat_examples) == ([2], 4, 4, 2)
