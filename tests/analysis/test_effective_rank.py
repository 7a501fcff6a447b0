"""The effective rank against singular values of the whole matrix, and cases that can be worked out."""

import numpy as np
import pytest

from transfer.analysis.effective_rank import MOST_UNITS, Scatter, effective_rank

RANDOM = np.random.default_rng(1)


def expected(features: np.ndarray) -> float:
    values = np.linalg.svd(features - features.mean(0), compute_uv=False)
    p = [each / values.sum() for each in values if each > 1e-7 * values.max()]
    return float(np.exp(-sum(each * np.log(each) for each in p)))


@pytest.mark.parametrize("shape", [(200, 12), (20, 60)])
def test_batches_give_the_rank_of_the_whole(shape: tuple[int, int]) -> None:
    features = RANDOM.normal(size=shape) * RANDOM.uniform(0.01, 3, shape[1]) + 100
    found = Scatter.empty(shape[1])
    for batch in np.array_split(features, 7):
        found = found.update(batch)
    assert found.effective_rank == pytest.approx(expected(features), rel=1e-4)


def test_equal_singular_values_have_the_rank_itself() -> None:
    assert effective_rank(np.array([2.0, 2.0, 2.0, 0.0])) == pytest.approx(3)
    assert effective_rank(np.array([5.0])) == pytest.approx(1)
    assert effective_rank(np.array([0.9, 0.1])) == pytest.approx(0.9**-0.9 * 0.1**-0.1)


def test_what_does_not_vary_has_rank_nothing() -> None:
    assert Scatter.empty(3).update(np.ones((5, 3))).effective_rank == 0
    assert Scatter.empty(3).effective_rank == 0


def test_one_direction_has_rank_one() -> None:
    line = RANDOM.normal(size=(50, 1)) * np.array([1.0, -2.0, 0.5])
    assert Scatter.empty(3).update(line).effective_rank == pytest.approx(1, abs=1e-4)


def test_many_units_are_sampled_with_the_seed_and_examples_that_are_not_finite_left_out() -> None:
    features = RANDOM.normal(size=(40, MOST_UNITS + 100))
    empty = Scatter.empty(MOST_UNITS + 100, seed=4)
    assert len(set(empty.chosen.tolist())) == MOST_UNITS
    assert empty.chosen.tolist() == Scatter.empty(MOST_UNITS + 100, seed=4).chosen.tolist()
    assert empty.chosen.tolist() != Scatter.empty(MOST_UNITS + 100, seed=5).chosen.tolist()
    features[3, empty.chosen[5]] = np.nan
    found = empty.update(features)
    kept = np.delete(features, 3, axis=0)[:, empty.chosen]
    assert found.count == 39
    assert found.effective_rank == pytest.approx(expected(kept), rel=1e-4)
