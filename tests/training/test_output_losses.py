"""Losses of several outputs: what is not known has no part, and all else is worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from transfer.labellings import Labelling, Output
from transfer.training.encoding_labels import Encoder
from transfer.training.labels import Labels, logit_places
from transfer.training.output_losses import OutputLosses

RANDOM = np.random.default_rng(0)
FOOD = Output("food", classes=("fruit", "dessert", "drink"))
KIND = Output("kind", classes=("apple", "pear", "cake"), parent="food", under=("fruit", "fruit", "dessert"))
TAGS = Output("tags", "sigmoid", ("loud", "old"))
PRICE = Output("price", "regression")
LABELLING = Labelling((FOOD, KIND, TAGS, PRICE))
N = 12
LOGITS = RANDOM.normal(size=(N, 9)).astype(np.float32) * 2


def draw_labels(labelling: Labelling = LABELLING) -> Labels:
    food = RANDOM.integers(0, 3, N)
    kind = np.where(food == 0, RANDOM.integers(0, 2, N), np.where(food == 1, 2, -1))
    tags = RANDOM.integers(0, 2, (N, 2))
    return Labels(labelling, (food, kind, tags, RANDOM.normal(size=(N, 1))))


def without(labels: Labels, rows: np.ndarray) -> Labels:
    """The same, nothing being known of some examples."""
    targets = [values.copy() for values in labels.targets]
    for values in targets:
        values[rows] = np.nan if values.dtype.kind == "f" else -1
    return Labels(labels.labelling, tuple(targets))


def losses_and_slopes(labels: Labels, logits: np.ndarray, **options: float) -> tuple[np.ndarray, np.ndarray]:
    """Of each output, and of their sum along the logits."""
    encoder, losses, places = Encoder(labels, **options), OutputLosses(labels.labelling), np.arange(len(labels))
    moving = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(moving)
        means = losses.means(moving, encoder.rows(places), encoder.shares(places).sum(0))
        whole = losses.total(means)
    return means.numpy(), tape.gradient(whole, moving).numpy()


def by_hand(labels: Labels, logits: np.ndarray) -> list[float]:
    """Example by example, in loops."""
    food, kind, tags, price = labels.targets
    found: list[list[float]] = [[], [], [], []]
    for row in range(len(labels)):
        one = logits[row].astype(np.float64)
        if food[row] >= 0:
            found[0].append(np.log(np.exp(one[:3]).sum()) - one[food[row]])
        if kind[row] >= 0:
            group = slice(3, 5) if kind[row] < 2 else slice(5, 6)
            found[1].append(np.log(np.exp(one[group]).sum()) - one[3 + kind[row]])
        for label in range(2):
            if tags[row, label] >= 0:
                share = 1 / (1 + np.exp(-one[6 + label]))
                found[2].append(-np.log(share if tags[row, label] else 1 - share))
        if not np.isnan(price[row, 0]):
            found[3].append((one[8] - price[row, 0]) ** 2 / 2)
    return [np.mean(found[0]), np.mean(found[1]), 2 * np.mean(found[2]), np.mean(found[3])]


def test_losses_are_those_of_a_loop_over_what_is_known():
    labels = draw_labels()
    labels.targets[2][3, 0] = labels.targets[2][5, 1] = -1
    labels.targets[3][4] = np.nan
    np.testing.assert_allclose(losses_and_slopes(labels, LOGITS)[0], by_hand(labels, LOGITS), rtol=1e-5)


def test_loss_and_gradient_are_those_of_the_examples_that_are_known():
    labels, rows = draw_labels(), np.array([1, 4, 5, 9])
    kept = np.delete(np.arange(N), rows)
    whole, slopes = losses_and_slopes(without(labels, rows), LOGITS)
    some, own = losses_and_slopes(labels[kept], LOGITS[kept])
    np.testing.assert_allclose(whole, some, rtol=1e-6)
    np.testing.assert_allclose(slopes[kept], own, rtol=1e-5, atol=1e-8)
    assert not slopes[rows].any()


def test_an_unknown_label_has_no_slope_and_the_others_of_its_example_keep_theirs():
    labels = draw_labels()
    labels.targets[2][3, 0] = -1
    slopes = losses_and_slopes(labels, LOGITS)[1]
    assert slopes[3, 6] == 0
    assert slopes[3, 7] != 0


def test_a_class_under_another_parent_has_no_slope():
    labels = draw_labels()
    slopes = losses_and_slopes(labels, LOGITS)[1][:, 3:6]
    fruit, dessert = labels.targets[0] == 0, labels.targets[0] == 1
    assert not slopes[dessert, :2].any()
    assert not slopes[fruit, 2].any()
    assert not slopes[labels.targets[0] == 2].any()


def test_an_output_of_which_nothing_is_known_costs_nothing():
    labels = without(draw_labels(), np.arange(N))
    means, slopes = losses_and_slopes(labels, LOGITS)
    assert means.tolist() == [0, 0, 0, 0]
    assert not slopes.any()


def test_weights_of_outputs_are_factors_on_their_losses():
    weighed = Labelling((FOOD, KIND, TAGS, Output("price", "regression", weight=3.0)))
    losses = OutputLosses(weighed)
    assert float(losses.total(tf.constant([1.0, 2.0, 4.0, 8.0]))) == 31
    assert losses.weighed([1.0, 2.0, 4.0, 8.0]) == 31


def test_the_focal_loss_is_cross_entropy_times_a_power_of_what_is_missing():
    focal = Labelling((Output("food", classes=FOOD.classes, focal=2.0), Output("tags", "sigmoid", ("a",), focal=1.5)))
    labels = Labels(focal, (np.array([0, 2, 1, 0]), np.array([[1], [0], [1], [0]])))
    logits = LOGITS[:4, :4].astype(np.float64)
    shares = np.exp(logits[:, :3]) / np.exp(logits[:, :3]).sum(1, keepdims=True)
    own = shares[np.arange(4), labels.targets[0]]
    yes = 1 / (1 + np.exp(-logits[:, 3]))
    right = np.where(labels.targets[1][:, 0] == 1, yes, 1 - yes)
    expected = [np.mean(-((1 - own) ** 2) * np.log(own)), np.mean(-((1 - right) ** 1.5) * np.log(right))]
    np.testing.assert_allclose(losses_and_slopes(labels, LOGITS[:4, :4])[0], expected, rtol=1e-5)


def test_the_focal_loss_stays_finite_where_an_answer_is_certain():
    focal = Labelling((Output("food", classes=("a", "b"), focal=0.5), Output("tags", "sigmoid", ("a",), focal=0.5)))
    labels = Labels(focal, (np.array([0, 1]), np.array([[1], [0]])))
    means, slopes = losses_and_slopes(labels, np.array([[200, -200, 200], [-200, 200, -200]], np.float32))
    assert np.isfinite(means).all()
    assert np.isfinite(slopes).all()


def test_balanced_classes_count_alike_and_1_on_average():
    balanced = Labelling((Output("tags", "sigmoid", ("a",), class_weights="balanced"),))
    values = np.array([[1], [0], [0], [0], [-1]])
    rows = Encoder(Labels(balanced, (values,))).rows(np.arange(5))
    np.testing.assert_allclose(rows, [[2, 0], [0, 2 / 3], [0, 2 / 3], [0, 2 / 3], [0, 0]], rtol=1e-6)


def test_balanced_classes_under_a_parent_are_balanced_within_it():
    labels = Labels(Labelling((FOOD, KIND)), (np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 2])))
    rows = Encoder(labels, balanced=True).rows(np.arange(5))[:, 3:]
    np.testing.assert_allclose(rows.sum(1), [4 / 6, 4 / 6, 4 / 6, 2, 1], rtol=1e-6)


def test_smoothing_stays_among_the_classes_of_one_parent_and_between_yes_and_no():
    labels = Labels(LABELLING, (np.array([0]), np.array([1]), np.array([[1, -1]]), np.array([[2.0]])))
    rows = Encoder(labels, smoothing=0.2).rows(np.array([0]))[0]
    np.testing.assert_allclose(rows[3:6], [0.1, 0.9, 0], rtol=1e-6)
    np.testing.assert_allclose(rows[6:10], [0.9, 0, 0.1, 0], rtol=1e-6)
    np.testing.assert_allclose(rows[10:], [1, 2, 4], rtol=1e-6)


def test_mixed_rows_cost_the_mixed_losses():
    labels, share = draw_labels(), 0.3
    encoder, losses = Encoder(labels), OutputLosses(LABELLING)
    first, second = encoder.rows(np.array([0])), encoder.rows(np.array([1]))
    one = np.ones(4, np.float32)

    def cost(rows: np.ndarray) -> np.ndarray:
        return losses.means(LOGITS[:1], rows, one).numpy()

    mixed = cost((share * first + (1 - share) * second).astype(np.float32))
    np.testing.assert_allclose(mixed, share * cost(first) + (1 - share) * cost(second), rtol=1e-4, atol=1e-6)


def test_a_balance_by_uncertainty_is_least_where_each_part_is_a_half():
    losses = OutputLosses(LABELLING)
    means = np.array([0.5, 2.0, 1.0, 4.0], np.float32)
    best = np.log(2 * means)
    lowest = float(losses.total(tf.constant(means), tf.constant(best)))
    assert lowest == pytest.approx(sum((1 + np.log(2 * each)) / 2 for each in means), rel=1e-5)
    for place in range(4):
        for step in (-0.1, 0.1):
            moved = best + step * np.eye(4, dtype=np.float32)[place]
            assert float(losses.total(tf.constant(means), tf.constant(moved))) > lowest


def test_logits_of_outputs_stand_side_by_side():
    assert logit_places(LABELLING) == [slice(0, 3), slice(3, 6), slice(6, 8), slice(8, 9)]
