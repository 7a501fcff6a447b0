"""H-scores against traces of inverses, scikit-learn's Ledoit-Wolf covariance and its discriminant analysis."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf
from sklearn.cross_decomposition import CCA

from transfer.evidence.h_score import HScores, h_scores


def covariances(features, labels):
    """C and B by loops over examples and classes."""
    mean, width = features.mean(0), features.shape[1]
    whole, between = np.zeros((width, width)), np.zeros((width, width))
    for row, label in zip(features, labels, strict=True):
        whole += np.outer(row - mean, row - mean) / len(labels)
        apart = features[labels == label].mean(0) - mean
        between += np.outer(apart, apart) / len(labels)
    return whole, between


def drawn(seed, count, width, classes):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count)
    means = random.normal(size=(classes, width))
    return means[labels] + random.normal(size=(count, width)) * np.linspace(0.3, 2, width) + 4, labels


sizes = st.tuples(st.integers(0, 10**6), st.integers(3, 40), st.integers(1, 40), st.integers(1, 6))


@given(sizes)
def test_they_are_the_traces_of_the_definition(drawing):
    features, labels = drawn(*drawing)
    whole, between = covariances(features, labels)
    fitted = LedoitWolf().fit(features)
    found = h_scores(features, labels)
    assert found.plain == pytest.approx(np.trace(np.linalg.pinv(whole, rcond=1e-10) @ between), rel=1e-6, abs=1e-8)
    assert found.shrinkage == pytest.approx(fitted.shrinkage_, rel=1e-9, abs=1e-12)
    if found.shrinkage > 1e-9:
        expected = (1 - fitted.shrinkage_) * np.trace(np.linalg.solve(fitted.covariance_, between))
        assert found.shrunk == pytest.approx(expected, rel=1e-7, abs=1e-10)


@given(sizes, st.integers(-12, 12))
def test_they_lie_within_their_bounds_and_do_not_depend_on_unit_direction_origin_or_order(drawing, unit):
    features, labels = drawn(*drawing)
    random = np.random.default_rng(1)
    turned, order = np.linalg.qr(random.normal(size=(features.shape[1],) * 2))[0], random.permutation(len(labels))
    found = h_scores(features, labels)
    moved = h_scores(((features - 4) @ turned * 10.0**unit)[order], labels[order] * 3)
    assert moved.plain == pytest.approx(found.plain, rel=1e-6, abs=1e-9)
    assert moved.shrunk == pytest.approx(found.shrunk, rel=1e-6, abs=1e-9)
    most = len(np.unique(labels)) - 1 + 1e-9
    assert -1e-9 <= found.shrunk <= found.plain + 1e-9 <= most + 1e-9


def test_of_two_classes_the_plain_one_is_the_squared_canonical_correlation():
    features, labels = drawn(0, 200, 3, 2)
    one, other = CCA(n_components=1).fit_transform(features, labels[:, None].astype(float))
    expected = np.corrcoef(one.ravel(), other.ravel())[0, 1] ** 2
    assert h_scores(features, labels).plain == pytest.approx(expected, rel=1e-6)


def test_by_hand():
    # Two classes at -1 and 1 with members half a unit off: B = 1, C = 1 + 1/4.
    features, labels = np.array([[-1.5], [-0.5], [0.5], [1.5]]), np.array([0, 0, 1, 1])
    assert h_scores(features, labels).plain == pytest.approx(0.8)


def test_features_without_spread_within_classes_reach_the_top():
    labels = np.arange(30) % 5
    assert h_scores(np.eye(5)[labels], labels).plain == pytest.approx(4)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e20])
def test_features_that_do_not_vary_score_0(value):
    assert h_scores(np.full((9, 4), value), np.arange(9) % 3) == HScores(0.0, 0.0, 0.0)


def test_columns_that_do_not_vary_do_not_count_in_the_plain_one():
    features, labels = drawn(2, 30, 4, 3)
    wide = np.hstack([features, np.full((30, 2), 0.1)])
    assert h_scores(wide, labels).plain == pytest.approx(h_scores(features, labels).plain)


def test_one_class_or_one_example_score_0():
    features, _ = drawn(3, 12, 4, 2)
    assert h_scores(features, np.zeros(12, int)).plain == pytest.approx(0)
    assert h_scores(features[:1], np.array([2])) == HScores(0.0, 0.0, 0.0)


def test_with_more_features_than_examples_only_the_shrunk_one_tells_signal_from_noise():
    random = np.random.default_rng(4)
    labels = np.arange(60) % 3
    noise = random.normal(size=(60, 200))
    signal = noise + 3 * np.eye(3, 200)[labels]
    assert h_scores(noise, labels).plain == pytest.approx(2)
    assert h_scores(signal, labels).plain == pytest.approx(2)
    assert h_scores(signal, labels).shrunk > h_scores(noise, labels).shrunk * 1.5


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(ValueError, match="features of shape"):
        h_scores(np.ones((3, 2)), np.array([0, 1]))
    with pytest.raises(ValueError, match="not finite"):
        h_scores(np.array([[1.0], [np.inf]]), np.array([0, 1]))
