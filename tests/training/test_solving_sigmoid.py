"""Yes/no outputs are solved each for itself, on the examples whose answer is known."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from transfer.errors import DataError
from transfer.training.solving import FOLDS, PENALTIES, solve_sigmoid_head

GRID = (1e-3, 1e-2, 1e-1, 1.0)


def problem(n: int, d: int, outputs: int, *, unknown: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of very different scales, outputs from easy to noise, and answers that are not known."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(n, d))
    logits = z @ random.normal(size=(d, outputs)) / np.sqrt(d) * np.linspace(4, 0, outputs)
    targets = (random.random((n, outputs)) < expit(logits)).astype(np.float64)
    targets[random.random((n, outputs)) < unknown] = np.nan
    return (z * np.logspace(-2, 2, d) + random.normal(size=d)).astype(np.float32), targets


def standardised(features: np.ndarray) -> np.ndarray:
    return StandardScaler().fit_transform(features.astype(np.float64))


def probabilities(head, features: np.ndarray) -> np.ndarray:
    return expit(features.astype(np.float64) @ head.kernel.astype(np.float64) + head.bias)


def reference(z: np.ndarray, answers: np.ndarray, penalty: float) -> LogisticRegression:
    return LogisticRegression(C=penalty, solver="newton-cg", tol=1e-10, max_iter=100_000).fit(z, answers)


@pytest.mark.parametrize("unknown", [0.0, 0.4])
@pytest.mark.parametrize(("n", "d"), [(60, 120), (150, 12)])
@pytest.mark.parametrize("penalty", [1e-2, 1.0])
def test_each_output_is_the_optimum_on_the_examples_whose_answer_is_known(n, d, unknown, penalty):
    features, targets = problem(n, d, 4, unknown=unknown)
    head = solve_sigmoid_head(features, targets, penalties=[penalty])
    z, known = standardised(features), ~np.isnan(targets)
    for output in range(4):
        rows = known[:, output]
        expected = reference(z[rows], targets[rows, output], penalty).predict_proba(z)[:, 1]
        assert np.abs(probabilities(head, features)[:, output] - expected).max() < 1e-5
    assert head.kernel.shape == (d, 4)
    assert head.penalties == (penalty,) * 4


def end_of_path(losses: list[float]) -> int:
    """Where a path of losses ends: clearly above its least, or after two rises; far above where nothing is learnt."""
    for place, loss in enumerate(losses):
        least = min(losses[: place + 1])
        rises = place >= 2 and losses[place - 2] < losses[place - 1] < loss
        if loss > 1.25 * least or (least <= 0.995 * losses[0] and (rises or loss > 1.03 * least)):
            return place
    return len(losses) - 1


def test_each_output_takes_the_penalty_of_a_plain_grid_search_on_its_own_folds():
    features, targets = problem(90, 40, 5, unknown=0.3, seed=1)
    head = solve_sigmoid_head(features, targets, seed=3, penalties=GRID)
    z = standardised(features)
    totals, hits, answers = np.zeros(len(GRID)), np.zeros(len(GRID)), 0
    for output in range(5):
        known = np.flatnonzero(~np.isnan(targets[:, output]))
        given, losses, right = targets[known, output], [0.0] * len(GRID), [0] * len(GRID)
        splits = list(StratifiedKFold(FOLDS, shuffle=True, random_state=3).split(known, given))
        for place, penalty in enumerate(GRID):
            for train, held_out in splits:
                found = reference(z[known[train]], given[train], penalty).predict_proba(z[known[held_out]])
                losses[place] += log_loss(given[held_out], found, labels=[0, 1], normalize=False)
                right[place] += int((found.argmax(1) == given[held_out]).sum())
        counted = np.minimum(np.arange(len(GRID)), end_of_path(losses))  # past its end it counts with what was last
        totals, hits, answers = totals + np.take(losses, counted), hits + np.take(right, counted), answers + len(known)
        assert head.penalties[output] == GRID[int(np.argmin(losses))]
    assert len(set(head.penalties)) > 1
    assert head.penalty == GRID[int(totals.argmin())]
    for place, (penalty, loss) in enumerate(head.log_loss.items()):
        assert (penalty, loss) == (GRID[place], pytest.approx(totals[place] / answers, abs=1e-4))
    assert head.accuracy == pytest.approx(hits[totals.argmin()] / answers)


def test_an_output_does_not_depend_on_the_others():
    features, targets = problem(60, 20, 3, unknown=0.2, seed=2)
    together = solve_sigmoid_head(features, targets, penalties=GRID)
    for output in range(3):
        alone = solve_sigmoid_head(features, targets[:, output : output + 1], penalties=GRID)
        assert alone.penalties == together.penalties[output : output + 1]
        gap = probabilities(alone, features)[:, 0] - probabilities(together, features)[:, output]
        assert np.abs(gap).max() < 1e-5


def test_an_output_that_is_always_the_same_has_its_frequency_with_half_an_example_more_on_either_side():
    features, targets = problem(20, 6, 3)
    targets[:, 0], targets[:, 2] = 1, 0
    targets[:5, 2] = np.nan
    head = solve_sigmoid_head(features, targets)
    assert np.all(head.kernel[:, [0, 2]] == 0)
    assert np.allclose(probabilities(head, features)[:, 0], 20.5 / 21)
    assert np.allclose(probabilities(head, features)[:, 2], 0.5 / 16)
    assert np.any(head.kernel[:, 1] != 0)


def test_outputs_that_are_all_constant_are_answered_without_a_search():
    features = problem(8, 4, 1)[0]
    head = solve_sigmoid_head(features, np.array([[1, 0]] * 8))
    assert np.all(head.kernel == 0)
    assert np.isfinite(head.bias).all()
    assert (head.log_loss, head.accuracy) == ({}, None)


def test_a_single_yes_takes_the_penalty_of_all_together():
    features, targets = problem(60, 10, 3, seed=5)
    targets[:, 1] = 0
    targets[7, 1] = 1
    head = solve_sigmoid_head(features, targets, penalties=GRID)
    assert head.penalties[1] == head.penalty
    expected = reference(standardised(features), targets[:, 1], head.penalty).predict_proba(standardised(features))
    assert np.abs(probabilities(head, features)[:, 1] - expected[:, 1]).max() < 1e-5
    without = solve_sigmoid_head(features, targets[:, [0, 2]], penalties=GRID)
    assert head.log_loss == pytest.approx(without.log_loss, abs=1e-5)


def test_single_answers_alone_are_solved_without_folds():
    features, _ = problem(6, 10, 1)
    head = solve_sigmoid_head(features, np.eye(6)[:, :2])
    assert head.log_loss == {}
    assert head.penalties == (np.median(PENALTIES),) * 2
    expected = reference(standardised(features), np.eye(6)[:, 0], head.penalty).predict_proba(standardised(features))
    assert np.abs(probabilities(head, features)[:, 0] - expected[:, 1]).max() < 1e-5


def test_what_cannot_be_learnt_is_named_all_at_once():
    features, targets = problem(8, 4, 4)
    targets[:, 1] = np.nan
    targets[3, 2] = 0.5
    with pytest.raises(DataError) as caught:
        solve_sigmoid_head(features, targets)
    assert [(each.where, each.found) for each in caught.value.problems] == [("output 1", "0"), ("output 2", "0.5")]


def test_features_that_are_not_finite_are_counted_by_example():
    features, targets = problem(8, 4, 2)
    features[2, 1] = np.inf
    with pytest.raises(DataError) as caught:
        solve_sigmoid_head(features, targets)
    assert caught.value.problems[0].found == "1 of 8 examples with NaN or infinity"
