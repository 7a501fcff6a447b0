"""NT-Xent against a loop over its formula, and its ends."""

import numpy as np
import pytest
import tensorflow as tf

from transfer.training.pretraining.contrastive import chance, nt_xent


def by_loops(z, temperature):
    """Mean over all views of the paper's l(i, j), equation 1."""
    count = len(z)
    z = [row / np.sqrt(sum(each * each for each in row)) for row in z]
    lost = []
    for i in range(count):
        j = (i + count // 2) % count
        similar = [np.exp(float(z[i] @ z[k]) / temperature) for k in range(count)]
        lost.append(-np.log(similar[j] / (sum(similar) - similar[i])))
    return np.mean(lost)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_it_is_the_loop_over_the_paper(temperature):
    z = np.random.default_rng(0).normal(size=(14, 5)).astype(np.float32)
    assert float(nt_xent(z, temperature)[0]) == pytest.approx(by_loops(z.astype(np.float64), temperature), rel=1e-5)


def test_the_length_of_a_projection_does_not_matter():
    random = np.random.default_rng(1)
    z = random.normal(size=(8, 3)).astype(np.float32)
    longer = z * random.uniform(0.1, 9, (8, 1)).astype(np.float32)
    assert float(nt_xent(longer, 0.2)[0]) == pytest.approx(float(nt_xent(z, 0.2)[0]), rel=1e-5)


def test_views_that_are_all_the_same_cost_what_chance_does():
    assert float(nt_xent(np.ones((12, 4), np.float32), 0.3)[0]) == pytest.approx(chance(6), rel=1e-5)


def test_a_projection_of_no_length_moves_nothing_and_the_others_as_ever():
    """Black images through an encoder without biases; a length that is held above 0 gave gradients of 1e11."""
    z = np.random.default_rng(2).normal(size=(8, 3)).astype(np.float32)
    z[[1, 5]] = 0
    given = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(given)
        lost, _ = nt_xent(given, 0.2)
    moved = tape.gradient(lost, given).numpy()
    np.testing.assert_array_equal(moved[[1, 5]], 0)
    assert 0 < np.abs(moved).max() < 10
    assert np.isfinite(float(lost))


def test_pairs_that_agree_and_differ_from_all_others_cost_almost_nothing():
    z = np.tile(np.eye(6, dtype=np.float32), (2, 1))
    lost, right = nt_xent(z, 0.05)
    assert float(lost) < 1e-6
    assert float(right) == 1.0
