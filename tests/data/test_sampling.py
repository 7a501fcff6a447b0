"""Drawing some examples of a set."""

from pathlib import Path

import numpy as np
import pytest

import transfer
from transfer.data.inputs import Inputs
from transfer.data.sampling import draw, draw_stratified

ROWS = np.arange(40, dtype=np.float32).reshape(20, 2)
NAMES = tuple(f"x[{place}]" for place in range(20))


@pytest.mark.parametrize(
    "examples",
    [
        Inputs("rows", NAMES, ROWS),
        Inputs("pictures", NAMES, tuple(Path(name) for name in NAMES)),
        transfer.from_arrays(ROWS, np.arange(20) % 2),
    ],
    ids=["rows", "pictures", "labelled"],
)
def test_examples_are_drawn_by_the_seed_and_keep_their_order(examples):
    first, again, other = (draw(examples, 5, seed) for seed in (1, 1, 2))
    assert first.names == again.names != other.names
    places = [NAMES.index(name) for name in first.names]
    assert places == sorted(set(places))
    assert len(first) == len(first.inputs) == 5
    for place, row in zip(places, first.inputs, strict=True):
        assert np.array_equal(row, examples.inputs[place])
    assert type(first) is type(examples)
    assert draw(examples, 20, 0) is examples


def test_each_example_is_drawn_as_often_as_any_other():
    examples = Inputs("rows", NAMES, ROWS)
    counts = np.zeros(20)
    for seed in range(400):
        counts[[NAMES.index(name) for name in draw(examples, 5, seed).names]] += 1
    assert np.abs(counts - 100).max() < 5 * np.sqrt(400 * 0.25 * 0.75)  # standard deviations of a binomial


@pytest.mark.parametrize("seed", [0, 3])
def test_the_same_share_of_each_class_is_drawn_and_one_of_the_smallest(seed):
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2, 3], [600, 300, 99, 1]))
    places = draw_stratified(labels, 100, seed)
    assert np.bincount(labels[places]).tolist() == [60, 30, 10, 1]
    assert np.all(np.diff(places) > 0)
    assert np.array_equal(places, draw_stratified(labels, 100, seed))
    assert not np.array_equal(places, draw_stratified(labels, 100, seed + 1))


def test_no_more_than_there_are_come_back_as_they_are():
    assert draw_stratified(np.array([2, 0, 0, 1]), 4, 0).tolist() == [0, 1, 2, 3]
