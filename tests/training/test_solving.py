"""A solved head is at the optimum, whatever the shape of the features, and the penalty is the one of a plain search."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from transfer.errors import DataError
from transfer.training import coordinates, penalty_paths
from transfer.training.solving import FOLDS, PENALTIES, solve_head

GRID = (1e-3, 1e-2, 1e-1, 1.0)


def problem(n: int, d: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of very different scales around one centre a class, and labels, every class equally often."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = random.normal(size=(classes, d))
    features = (centres[labels] + random.normal(size=(n, d)) * 2) * np.logspace(-2, 2, d) + random.normal(size=d)
    return features.astype(np.float32), labels


def standardised(features: np.ndarray) -> np.ndarray:
    features = features.astype(np.float64)
    spread = features.std(axis=0)
    return (features - features.mean(axis=0)) / np.where(spread < 1e-12, 1, spread)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def probabilities(head, features: np.ndarray) -> np.ndarray:
    return softmax(features.astype(np.float64) @ head.kernel.astype(np.float64) + head.bias.astype(np.float64))


def reference(features: np.ndarray, labels: np.ndarray, penalty: float) -> LogisticRegression:
    solver = LogisticRegression(C=penalty, solver="newton-cg", tol=1e-10, max_iter=100_000)
    return solver.fit(standardised(features), labels)


@pytest.mark.parametrize(
    ("n", "d", "classes"), [(30, 80, 3), (90, 6, 3), (40, 40, 4), (30, 70, 2), (90, 5, 2), (12, 200, 6)]
)
@pytest.mark.parametrize("penalty", [1e-3, 0.1, 10.0])
def test_the_head_is_the_optimum_on_standardised_features(n, d, classes, penalty):
    features, labels = problem(n, d, classes)
    head = solve_head(features, labels, classes, penalties=[penalty])
    expected = reference(features, labels, penalty).predict_proba(standardised(features))
    assert head.penalty == penalty
    assert head.kernel.shape == (d, classes)
    assert head.bias.shape == (classes,)
    assert np.abs(probabilities(head, features) - expected).max() < 1e-4


@pytest.mark.parametrize(("n", "d", "classes"), [(30, 80, 3), (90, 6, 4)])
def test_the_gradient_of_the_stated_objective_vanishes_at_the_head(n, d, classes):
    features, labels = problem(n, d, classes, seed=3)
    penalty = 0.3
    head = solve_head(features, labels, classes, penalties=[penalty])
    z, spread = standardised(features), features.astype(np.float64).std(axis=0)
    weights = head.kernel * spread[:, None]
    error = probabilities(head, features) - np.eye(classes)[labels]
    slope = z.T @ error + weights / penalty
    at_zero = z.T @ (np.full((n, classes), 1 / classes) - np.eye(classes)[labels])
    assert np.abs(slope).max() < 1e-3 * np.abs(at_zero).max()
    assert np.abs(error.sum(axis=0)).max() < 1e-2


def test_features_that_never_change_weigh_nothing():
    features, labels = problem(40, 5, 3)
    padded = np.concatenate([features, np.full((40, 2), 7.5, np.float32), np.zeros((40, 1), np.float32)], axis=1)
    head, plain = (solve_head(each, labels, 3, penalties=[0.1]) for each in (padded, features))
    assert np.all(head.kernel[5:] == 0)
    assert np.abs(probabilities(head, padded) - probabilities(plain, features)).max() < 1e-5


def test_features_that_say_nothing_leave_the_frequencies_of_the_classes():
    labels = np.array([0] * 10 + [1] * 6 + [2] * 4)
    head = solve_head(np.ones((20, 30), np.float32), labels, 3)
    assert np.abs(probabilities(head, np.ones((1, 30))) - [0.5, 0.3, 0.2]).max() < 1e-4


@pytest.mark.parametrize("classes", [2, 5])
def test_one_example_a_class_is_solved_without_folds(classes):
    features, labels = problem(classes, 20, classes)
    head = solve_head(features, labels, classes)
    assert head.log_loss == {}
    assert head.accuracy is None
    assert head.penalty == np.median(PENALTIES)
    expected = reference(features, labels, head.penalty).predict_proba(standardised(features))
    assert np.abs(probabilities(head, features) - expected).max() < 1e-4


@pytest.mark.parametrize("classes", [2, 5, 30])
@pytest.mark.parametrize(("n", "d"), [(60, 150), (150, 20)])
def test_few_and_many_classes_are_solved_to_the_optimum(n, d, classes):
    features, labels = problem(n, d, classes, seed=4)
    head = solve_head(features, labels, classes, penalties=[0.1, 1.0])
    expected = reference(features, labels, head.penalty).predict_proba(standardised(features))
    assert np.abs(probabilities(head, features) - expected).max() < 1e-5


@pytest.mark.parametrize(("n", "d"), [(40, 90), (90, 12)])
def test_features_that_nearly_or_wholly_repeat_each_other_change_nothing_of_that(n, d):
    features, labels = problem(n, d, 3, seed=8)
    random = np.random.default_rng(0)
    alike = features[:, :6] * (1 + 1e-5 * random.normal(size=(n, 6)))
    hard = np.concatenate([features, features[:, :4], alike, features[:, :1] + 10, np.ones((n, 2))], axis=1)
    hard = hard.astype(np.float32)
    head = solve_head(hard, labels, 3, penalties=[10.0])
    expected = reference(hard, labels, 10.0).predict_proba(standardised(hard))
    assert np.abs(probabilities(head, hard) - expected).max() < 1e-4


@pytest.mark.parametrize("classes", [2, 4])
def test_features_too_large_to_copy_are_solved_alike(classes, monkeypatch):
    features, labels = problem(200, 15, classes, seed=5)
    copied = solve_head(features, labels, classes, penalties=GRID)
    monkeypatch.setattr(coordinates, "HELD", 0)
    monkeypatch.setattr(coordinates, "BLOCK", 15 * 64)
    blocks = solve_head(features, labels, classes, penalties=GRID)
    assert blocks.penalty == copied.penalty
    assert blocks.accuracy == copied.accuracy
    assert list(blocks.log_loss.values()) == pytest.approx(list(copied.log_loss.values()), abs=1e-6)
    assert np.abs(probabilities(blocks, features) - probabilities(copied, features)).max() < 1e-6


def test_folds_solved_one_by_one_are_those_solved_together(monkeypatch):
    features, labels = problem(60, 30, 4, seed=6)
    together = solve_head(features, labels, 4, penalties=GRID)
    monkeypatch.setattr(penalty_paths, "_TOGETHER", 1)
    alone = solve_head(features, labels, 4, penalties=GRID)
    assert alone.penalty == together.penalty
    assert alone.accuracy == together.accuracy
    assert list(alone.log_loss.values()) == pytest.approx(list(together.log_loss.values()), abs=1e-5)
    assert np.abs(probabilities(alone, features) - probabilities(together, features)).max() < 1e-6


@pytest.mark.parametrize(("n", "d", "classes"), [(45, 10, 3), (40, 60, 2), (30, 80, 3)])
@pytest.mark.parametrize("seed", [0, 11])
def test_the_chosen_penalty_is_that_of_a_plain_grid_search_on_the_same_folds(n, d, classes, seed):
    features, labels = problem(n, d, classes, seed=2)
    head = solve_head(features, labels, classes, seed=seed, penalties=GRID)
    z, folds = standardised(features), StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    losses, hits = dict.fromkeys(GRID, 0.0), dict.fromkeys(GRID, 0.0)
    for penalty in GRID:
        for train, held_out in folds.split(z, labels):
            solver = LogisticRegression(C=penalty, solver="newton-cg", tol=1e-10, max_iter=100_000)
            found = solver.fit(z[train], labels[train]).predict_proba(z[held_out])
            losses[penalty] += log_loss(labels[held_out], found, labels=range(classes), normalize=False) / n
            hits[penalty] += float((found.argmax(axis=1) == labels[held_out]).sum()) / n
    assert head.penalty == min(losses, key=losses.get)
    assert head.log_loss == pytest.approx({penalty: losses[penalty] for penalty in head.log_loss}, abs=1e-4)
    assert head.accuracy == pytest.approx(hits[head.penalty])


def test_small_classes_make_fewer_folds():
    features, labels = problem(20, 4, 2)
    labels = np.where(np.arange(20) < 2, 0, 1)
    seen = []
    head = solve_head(features, labels, 2, penalties=[0.1, 1.0], progress=lambda *each: seen.append(each))
    folds = list(StratifiedKFold(2, shuffle=True, random_state=0).split(features, labels))
    z = standardised(features)
    expected = sum(
        log_loss(
            labels[held_out],
            LogisticRegression(C=0.1, tol=1e-10, max_iter=10_000)
            .fit(z[train], labels[train])
            .predict_proba(z[held_out]),
            labels=[0, 1],
            normalize=False,
        )
        for train, held_out in folds
    )
    assert head.log_loss[0.1] == pytest.approx(expected / 20, abs=1e-4)
    assert [each[1:] for each in seen] == [(1, 2), (2, 2)]


def test_the_search_ends_after_two_rises_and_the_least_regularised_are_left_out():
    features, labels = problem(40, 60, 2, seed=1)
    labels = np.random.default_rng(0).permutation(labels)  # nothing to learn: the loss grows with C
    head = solve_head(features, labels, 2)
    losses = list(head.log_loss.values())
    assert list(head.log_loss) == sorted(PENALTIES)[: len(losses)]
    assert 3 <= len(losses) < len(PENALTIES)
    assert losses[-3] < losses[-2] < losses[-1]
    assert head.log_loss[head.penalty] == min(losses)


def test_the_same_seed_gives_the_same_bits_and_another_seed_other_folds():
    features, labels = problem(30, 50, 3)
    first, again, other = (solve_head(features, labels, 3, seed=seed, penalties=GRID) for seed in (1, 1, 2))
    assert first.kernel.tobytes() == again.kernel.tobytes()
    assert first.bias.tobytes() == again.bias.tobytes()
    assert first.log_loss == again.log_loss
    assert first.log_loss != other.log_loss


def test_solving_leaves_the_features_as_they_are():
    features, labels = problem(20, 30, 2)
    kept = features.copy()
    solve_head(features, labels, 2, penalties=GRID)
    assert np.array_equal(features, kept)


def test_classes_without_an_example_are_named_all_at_once():
    features, _ = problem(6, 4, 2)
    with pytest.raises(DataError) as caught:
        solve_head(features, np.array([0, 0, 0, 2, 2, 2]), 5)
    assert [each.where for each in caught.value.problems] == ["class 1", "class 3", "class 4"]
    assert {(each.expected, each.found) for each in caught.value.problems} == {("at least 1 example", "0")}


def test_labels_beyond_the_classes_are_refused():
    features, labels = problem(6, 4, 3)
    with pytest.raises(DataError):
        solve_head(features, labels, 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_counted_by_example(bad):
    features, labels = problem(6, 4, 2)
    features[1, 2] = features[1, 3] = features[4, 0] = bad
    with pytest.raises(DataError) as caught:
        solve_head(features, labels, 2)
    assert caught.value.problems[0].found == "2 of 6 examples with NaN or infinity"


def test_a_loss_that_rises_before_anything_is_learnt_does_not_end_the_search():
    """Seven ways to move, each by two arms: what is left out is most like the same move of the other arm."""
    features, arms, halves = movements(seed=0, count=6)
    others, answers, _ = movements(seed=1, count=40)
    head = solve_head(features, arms, 2, groups=halves)
    losses = list(head.log_loss.values())
    assert max(losses) > 1.09 * losses[0]
    assert head.penalty == max(PENALTIES)
    assert losses[-1] < 0.2
    assert ((others @ head.kernel + head.bias).argmax(1) == answers).mean() > 0.95


def movements(seed, count):
    """Features, arms, and numbers of the halves of recordings to which examples belong."""
    random = np.random.default_rng(seed)
    moves, arms = np.random.default_rng(5).normal(size=(7, 30)) * 3, np.random.default_rng(6).normal(size=30) * 0.35
    move, arm = np.repeat(np.arange(7), 2 * count), np.tile(np.repeat([0, 1], count), 7)
    half = np.arange(len(move)) // (count // 2)
    drift = random.normal(size=(half.max() + 1, 30)) * 0.6
    noise = random.normal(size=(len(move), 30)) * 0.3
    return moves[move] + (2 * arm - 1)[:, None] * arms + drift[half] + noise, arm, half
