"""Moments of features in one pass, and ridge heads from them, against scikit-learn."""

from functools import reduce
from operator import add

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from transfer.errors import DataError
from transfer.training.feature_rows import Held, Rows
from transfer.training.head_moments import sum_moments
from transfer.training.ridge import SHARES, solve_ridge
from transfer.training.streaming import Stream

N, D, K = 400, 12, 3


def in_memory(x: np.ndarray) -> Rows:
    """Features in two parts, the second first."""
    half = len(x) // 2
    held = (Held("p", np.empty(0, "S32"), x[half:]), Held("p", np.empty(0, "S32"), x[:half]))
    part = (np.arange(len(x)) < half).astype(np.int32)
    return Rows(held, part, np.r_[np.arange(half), np.arange(len(x) - half)], x.shape[1:])


@pytest.fixture(scope="module")
def drawn():
    random = np.random.default_rng(3)
    x = (random.normal(size=(N, D)) @ random.normal(size=(D, D)) + 1e4 * random.normal(size=D)).astype(np.float32)
    x[:, 4] = 77.7  # never changes
    return x, random.normal(size=(N, K)) + 1e-3 * x[:, :K]


def standardised(x: np.ndarray, of: np.ndarray) -> np.ndarray:
    spread = of.astype(float).std(0)
    return (x.astype(float) - of.astype(float).mean(0)) / np.where(spread > 1e-9, spread, np.inf)


def test_moments_are_those_of_numpy_and_of_parts_add_up(drawn):
    x, y = drawn
    folds = np.arange(N) % 5
    parts = sum_moments(Stream.of(in_memory(x), np.arange(N), memory_bytes=2**12), lambda which: y[which], folds)
    whole = reduce(add, parts)
    assert [each.count for each in parts] == [80] * 5
    np.testing.assert_allclose(whole.mean, x.mean(0, dtype=float), rtol=1e-12)
    np.testing.assert_allclose(whole.spread, standardised(x, x).std(0) * x.std(0, dtype=float), rtol=1e-9, atol=1e-12)
    assert whole.spread[4] == 0
    gram, cross, squares = (whole - parts[0]).about(np.zeros(D), np.zeros(K))
    rest = x[folds > 0].astype(float)
    np.testing.assert_allclose(gram, rest.T @ rest, rtol=1e-12)
    np.testing.assert_allclose(cross, rest.T @ y[folds > 0], rtol=1e-9)
    np.testing.assert_allclose(squares, (y[folds > 0] ** 2).sum(0), rtol=1e-12)


def test_the_ridge_head_is_that_of_scikit_learn_to_a_millionth(drawn):
    x, y = drawn
    stream = Stream.of(in_memory(x), np.arange(N))
    for share in (1e-4, 1e-1, 10.0):
        head = solve_ridge(sum_moments(stream, lambda which: y[which], np.arange(N) % 5), shares=(share,))
        z = standardised(x, x)
        wanted = Ridge(alpha=share * N).fit(z, y)
        np.testing.assert_allclose(x.astype(float) @ head.kernel + head.bias, wanted.predict(z), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(head.kernel * x.std(0, dtype=float)[:, None], wanted.coef_.T, rtol=1e-6, atol=1e-9)


def test_errors_of_folds_are_those_of_heads_that_have_not_seen_them(drawn):
    x, y = drawn
    folds = np.arange(N) % 5
    stream = Stream.of(in_memory(x), np.arange(N))
    head = solve_ridge(sum_moments(stream, lambda which: y[which], folds))
    z = standardised(x, x)
    for share in SHARES[::4]:
        errors = 0.0
        for fold in range(5):
            own = folds == fold
            fitted = Ridge(alpha=share * (~own).sum()).fit(z[~own], y[~own])
            errors += ((y[own] - fitted.predict(z[own])) ** 2).sum()
        assert head.errors[share] == pytest.approx(errors / (N * K), rel=1e-6)
    assert head.share == min(head.errors, key=head.errors.get)
    kernel, bias = head.folds[2]
    fitted = Ridge(alpha=head.share * 320).fit(z[folds != 2], y[folds != 2])
    np.testing.assert_allclose(x.astype(float) @ kernel + bias, fitted.predict(z), rtol=1e-5, atol=1e-5)


def test_features_that_are_not_finite_are_counted(drawn):
    x = drawn[0].copy()
    x[[3, 250], [1, 2]] = np.nan, np.inf
    with pytest.raises(DataError, match="not finite") as told:
        sum_moments(Stream.of(in_memory(x), np.arange(N)), lambda which: np.ones((len(which), 1)))
    assert told.value.problems[0].found == "2 of 400 examples with NaN or infinity"
