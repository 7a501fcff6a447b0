"""Coordinates are a rotation of standardised features: nothing is lost, whatever their shape."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.preprocessing import StandardScaler

from transfer.training import coordinates
from transfer.training.coordinates import find_coordinates, row_blocks


def drawn(n: int, d: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(n, d)) * np.logspace(-2, 2, d) + random.normal(size=d)).astype(np.float32)


@given(st.integers(2, 40), st.integers(1, 40), st.integers(0, 100))
@settings(max_examples=50)
def test_all_distances_between_standardised_examples_are_kept(n, d, seed):
    features = drawn(n, d, seed)
    features[-1] = features[0]  # examples that repeat lower the rank
    found = find_coordinates(features)
    z = StandardScaler().fit_transform(features.astype(np.float64))
    assert found.rows.shape[1] <= min(n, d)
    assert np.allclose(found.rows @ found.rows.T, z @ z.T, atol=1e-8 * d)
    assert np.allclose((features - found.mean) @ found.onto, found.rows, atol=1e-8 * d)


@pytest.mark.parametrize(("n", "d"), [(10, 30), (30, 10), (20, 20)])
def test_coordinates_do_not_vary_together_and_their_sizes_are_sums_of_squares(n, d):
    found = find_coordinates(drawn(n, d))
    assert np.allclose(found.rows.T @ found.rows, np.diag(found.sizes), atol=1e-8)


@pytest.mark.parametrize("held", [True, False])
def test_weights_on_coordinates_give_the_same_logits_on_features(held, monkeypatch):
    features = drawn(50, 7)
    random = np.random.default_rng(1)
    weights, bias = random.normal(size=(7, 4)), random.normal(size=4)
    monkeypatch.setattr(coordinates, "BLOCK", 7 * 16)
    if not held:
        monkeypatch.setattr(coordinates, "HELD", 0)
    found = find_coordinates(features)
    assert found.are_features is not held
    kernel, shift = found.on_features(weights, bias)
    seen = np.full((50, 4), np.nan)

    def respond(block, logits):
        seen[block] = logits
        return logits**2 / 2

    slopes, sums = found.sweep(weights, bias, respond)
    assert np.allclose(seen, features.astype(np.float64) @ kernel + shift, atol=1e-4)
    rows = (features - features.mean(0, dtype=np.float64)) @ found.onto
    assert np.allclose(slopes, rows.T @ (seen**2 / 2))
    assert np.allclose(sums, (seen**2 / 2).sum(0))


def test_features_past_what_is_held_are_not_copied(monkeypatch):
    features = drawn(50, 7)
    monkeypatch.setattr(coordinates, "HELD", features.size - 1)
    assert find_coordinates(features).rows is features


@pytest.mark.parametrize("value", [0.0, 7.5, 0.1, 1e8 + 0.1])
@pytest.mark.parametrize("shape", [(40, 3), (5, 30)])
def test_a_feature_that_never_changes_has_no_weight(value, shape):
    features = np.concatenate([drawn(*shape).astype(np.float64), np.full((shape[0], 1), value)], axis=1)
    assert (find_coordinates(features).onto[-1] == 0).all()


@given(st.integers(0, 50), st.integers(0, 20), st.integers(1, 100))
def test_blocks_cover_each_row_once_and_in_order(n, width, numbers):
    blocks = list(row_blocks(n, width, numbers))
    assert [row for block in blocks for row in range(n)[block]] == list(range(n))
    assert all((block.stop - block.start) * width <= max(numbers, width) for block in blocks)
