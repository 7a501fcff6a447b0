"""Losses and targets against NumPy and scikit-learn."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.utils.class_weight import compute_class_weight

from transfer.labellings import Labelling
from transfer.training.losses import balanced_weights, distance_penalty, draw_mixing, soft_targets
from transfer.training.output_losses import OutputLosses

LOGITS = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32) * 3
LABELS = np.array([0, 2, 1, 2])

THREE = OutputLosses(Labelling.of_classes(("a", "b", "c")))


def cross_entropy(logits, targets, count):
    return THREE.total(THREE.means(logits, targets, np.array([count], np.float32)))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def test_hard_targets_give_the_mean_of_the_negative_log_probabilities():
    found = cross_entropy(LOGITS, soft_targets(LABELS, 3), 4)
    assert float(found) == pytest.approx(-log_softmax(LOGITS)[np.arange(4), LABELS].mean(), rel=1e-6)


def test_rows_of_zeros_count_for_nothing():
    targets = soft_targets(LABELS, 3)
    targets[3] = 0
    found = cross_entropy(LOGITS, targets, 3)
    assert float(found) == pytest.approx(-log_softmax(LOGITS)[np.arange(3), LABELS[:3]].mean(), rel=1e-6)


def test_the_gradient_is_that_of_weighted_rows():
    targets = soft_targets(LABELS, 3, smoothing=0.3, weights=np.array([0.5, 1.0, 2.0]))
    logits = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = cross_entropy(logits, targets, 4)
    expected = (np.exp(log_softmax(LOGITS)) * targets.sum(axis=1, keepdims=True) - targets) / 4
    np.testing.assert_allclose(tape.gradient(loss, logits), expected, atol=1e-6)


def test_smoothing_spreads_its_share_over_all_classes():
    np.testing.assert_allclose(soft_targets(np.array([1]), 4, smoothing=0.2), [[0.05, 0.85, 0.05, 0.05]], rtol=1e-6)


def test_balanced_weights_are_those_of_scikit_learn_and_1_on_average():
    labels = np.array([0, 0, 0, 0, 0, 1, 2, 2])
    found = balanced_weights(labels, 3)
    np.testing.assert_allclose(found, compute_class_weight("balanced", classes=np.arange(3), y=labels))
    assert found[labels].mean() == pytest.approx(1.0)


def test_a_class_without_an_example_weighs_nothing_and_the_others_still_1_on_average():
    labels = np.array([0, 0, 0, 2])
    found = balanced_weights(labels, 4)
    assert found.tolist() == [4 / 6, 0, 2, 0]
    assert found[labels].mean() == pytest.approx(1.0)


def test_a_weight_holds_for_an_example_s_whole_row():
    found = soft_targets(np.array([0, 1]), 2, smoothing=0.2, weights=np.array([2.0, 0.5]))
    np.testing.assert_allclose(found, [[1.8, 0.2], [0.05, 0.45]], rtol=1e-6)


def test_mixed_rows_are_shares_of_two_examples():
    mixing = draw_mixing(0.4, 4, 4, seed=1, epoch=1, step=0)
    features = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    share = mixing.shares[0]
    assert 0 < share < 1
    for place, partner in enumerate(mixing.partners):
        expected = share * features[place] + (1 - share) * features[partner]
        np.testing.assert_allclose(mixing.apply(features)[place], expected, rtol=1e-6)
    assert sorted(mixing.partners) == [0, 1, 2, 3]


def test_the_loss_of_mixed_targets_is_the_mixed_loss():
    mixing = draw_mixing(0.4, 4, 4, seed=1, epoch=1, step=0)
    mixed = mixing.apply(soft_targets(LABELS, 3))
    losses, share = -log_softmax(LOGITS), float(mixing.shares[0])
    expected = np.mean(
        [
            share * losses[i, LABELS[i]] + (1 - share) * losses[i, LABELS[partner]]
            for i, partner in enumerate(mixing.partners)
        ]
    )
    assert float(cross_entropy(LOGITS, mixed, 4)) == pytest.approx(expected, rel=1e-6)


def test_examples_that_only_fill_up_are_mixed_with_nothing():
    mixing = draw_mixing(1.0, 3, 5, seed=1, epoch=1, step=0)
    values = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    assert mixing.apply(values)[3:].tobytes() == values[3:].tobytes()
    assert set(mixing.partners[:3]) == {0, 1, 2}


def test_every_seed_epoch_and_step_draws_its_own_and_the_same_again():
    places = [(seed, epoch, step) for seed in (0, 1) for epoch in (1, 2) for step in (0, 1)]
    shares = [draw_mixing(1.0, 8, 8, seed=s, epoch=e, step=t).shares[0] for s, e, t in places]
    again = [draw_mixing(1.0, 8, 8, seed=s, epoch=e, step=t).shares[0] for s, e, t in places]
    assert shares == again
    assert len(set(shares)) == len(shares)


def test_shares_follow_the_beta_distribution():
    shares = [draw_mixing(0.2, 2, 2, seed=0, epoch=1, step=step).shares[0] for step in range(4000)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.02)
    assert np.var(shares) == pytest.approx(1 / (4 * 1.4), abs=0.01)  # 1 / (4 (2 alpha + 1))


def test_mixing_leaves_the_global_generator_alone():
    before = np.random.get_state()[1].tobytes()
    draw_mixing(0.4, 4, 4, seed=1, epoch=1, step=0)
    assert np.random.get_state()[1].tobytes() == before


def test_the_penalty_is_half_the_squared_distance():
    random = np.random.default_rng(0)
    values, starts = ([random.normal(size=s).astype(np.float32) for s in ((2, 3), (4,))] for _ in range(2))
    expected = 0.05 * sum(((a.astype(np.float64) - b) ** 2).sum() for a, b in zip(values, starts, strict=True))
    assert float(distance_penalty([tf.constant(v) for v in values], starts, 0.1)) == pytest.approx(expected, rel=1e-5)


def test_without_variables_there_is_no_penalty():
    assert float(distance_penalty([], [], 0.1)) == 0.0
