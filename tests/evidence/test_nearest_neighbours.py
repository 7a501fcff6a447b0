"""The nearest neighbours on raw input, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from transfer.data.spooled_rows import SpooledRows
from transfer.evidence import nearest_neighbours as module
from transfer.evidence.nearest_neighbours import NEIGHBOURS, nearest_neighbours


@pytest.mark.parametrize("spread", [0.2, 1.5, 4.0])
def test_it_answers_as_scikit_learn_does_with_the_number_that_leaving_one_out_prefers(spread):
    inputs, labels, train, test = problem(spread)
    flat = inputs.reshape(len(inputs), -1)
    shares = [
        cross_val_score(KNeighborsClassifier(k), flat[train], labels[train], cv=LeaveOneOut()).mean()
        for k in NEIGHBOURS
    ]
    ours = nearest_neighbours(inputs, train, labels[train], test, classes=2, seed=0)
    candidates = [KNeighborsClassifier(k).fit(flat[train], labels[train]).predict(flat[test]) for k in (1, 3, 5)]
    best = int(np.argmax(shares[:3]))
    if max(shares[3:]) < shares[best]:  # even numbers part equal votes otherwise than scikit-learn
        assert np.array_equal(ours, candidates[best])
    assert (ours == labels[test]).mean() >= (candidates[best] == labels[test]).mean() - 0.05


def test_equal_votes_go_to_the_nearer_neighbour():
    inputs = np.array([[0.0], [1.0], [10.0], [11.0], [0.1]])
    found = nearest_neighbours(inputs, np.arange(4), np.array([1, 0, 0, 1]), np.array([4]), classes=2, seed=0)
    assert found.tolist() == [1]


def test_a_single_training_example_answers_everything():
    found = nearest_neighbours(np.eye(3), np.array([0]), np.array([2]), np.array([1, 2]), classes=3, seed=0)
    assert found.tolist() == [2, 2]


def test_rows_on_the_disk_and_small_blocks_change_nothing(monkeypatch):
    inputs, labels, train, test = problem(1.5)
    held = nearest_neighbours(inputs, train, labels[train], test, classes=2, seed=0)
    spooled = SpooledRows(len(inputs))
    spooled.write(np.arange(len(inputs)), inputs)
    monkeypatch.setattr(module, "_BLOCK", 130)
    assert np.array_equal(nearest_neighbours(spooled, train, labels[train], test, classes=2, seed=0), held)


@pytest.mark.parametrize("offset", [0.0, 1e5, 1.7e9])
def test_values_far_from_zero_are_as_near_to_each_other_as_elsewhere(offset):
    random = np.random.default_rng(2)
    labels = np.arange(200) % 2
    inputs = random.normal(size=(200, 6)) + 4 * labels[:, None] + offset
    train, test = np.arange(0, 150), np.arange(150, 200)
    found = nearest_neighbours(inputs, train, labels[train], test, classes=2, seed=0)
    assert (found == labels[test]).mean() > 0.95


def test_copies_of_an_example_do_not_choose_for_it():
    """Each example five times, almost: leaving one out alone would always choose its copy, though labels are noise."""
    random = np.random.default_rng(4)
    centres = random.normal(size=(60, 3))
    labels = np.repeat((centres[:, 0] + random.normal(size=60) > 0).astype(int), 5)
    inputs = np.repeat(centres, 5, axis=0) + random.normal(size=(300, 3)) * 1e-3
    groups = np.repeat(np.arange(60), 5)
    new = random.normal(size=(400, 3))
    everything, train, test = np.concatenate([inputs, new]), np.arange(300), np.arange(300, 700)
    how = {"classes": 2, "seed": 0}
    alone = nearest_neighbours(everything, train, labels, test, **how)
    grouped = nearest_neighbours(everything, train, labels, test, groups=groups, **how)
    truth = new[:, 0] > 0
    assert (grouped == truth).mean() > (alone == truth).mean()


def problem(spread):
    random = np.random.default_rng(1)
    labels = np.arange(90) % 2
    inputs = (random.normal(size=(90, 3, 4)) * spread + labels[:, None, None]).astype(np.float32)
    return inputs, labels, np.arange(0, 60), np.arange(60, 90)
