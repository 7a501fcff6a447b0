"""Derivatives against Keras's own by automatic differentiation, and the ends against a search of one's own."""

import tracemalloc

import keras
import numpy as np
import pytest
import tensorflow as tf

from transfer.analysis.activation_slopes import FLAT, response_of

NAMES = ["sigmoid", "tanh", "hard_sigmoid", "hard_tanh", "sparse_sigmoid", "softsign", "softplus", "log_sigmoid"]
NAMES += ["relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "hard_silu", "mish"]
X = np.linspace(-9, 9, 3601) + 1e-3  # beside the corners


def differentiate(activation, x: np.ndarray) -> np.ndarray:
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = activation(inputs)
    return tape.gradient(outputs, inputs).numpy()


@pytest.mark.parametrize("name", NAMES)
def test_slopes_are_those_of_keras(name: str) -> None:
    expected = differentiate(keras.activations.get(name), X)
    np.testing.assert_allclose(response_of(name).slope(X), expected, atol=2e-3 if name == "gelu" else 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_outside_its_range_an_activation_is_flat_and_just_inside_it_is_not(name: str) -> None:
    response = response_of(name)
    slopes = np.abs(differentiate(keras.activations.get(name), X))
    steep = X[slopes >= FLAT * slopes.max()]
    assert response.low - 0.02 <= steep.min() <= steep.max() <= response.high + 0.02
    for end in (response.low, response.high):
        if np.isfinite(end):
            assert np.abs(steep - end).min() < 0.02
    if not np.isfinite(response.low):
        assert steep.min() < -8.9
    if not np.isfinite(response.high):
        assert steep.max() > 8.9


def test_ends_that_can_be_worked_out_by_hand() -> None:
    sigmoid, tanh = response_of("sigmoid"), response_of("tanh")
    top = (1 + np.sqrt(1 - FLAT)) / 2  # where 4 y (1 - y) = 0.05
    assert sigmoid.high == -sigmoid.low == pytest.approx(np.log(top / (1 - top)), abs=1e-8)
    assert tanh.high == -tanh.low == pytest.approx(np.arctanh(np.sqrt(1 - FLAT)), abs=1e-8)
    assert (response_of("relu").low, response_of("relu").high) == (0, np.inf)
    assert (response_of("relu6").low, response_of("relu6").high) == (0, 6)
    assert response_of("elu").low == pytest.approx(np.log(FLAT), abs=1e-8)


def test_options_of_layers_count() -> None:
    response = response_of("relu", {"max_value": 40.0, "threshold": 1.0, "negative_slope": 0.0})
    assert (response.low, response.high) == (1, 40)
    assert response_of("leaky_relu", {"negative_slope": 0.01}).low == 0
    assert not response_of("leaky_relu", {"negative_slope": 0.01}).dies
    assert response_of("leaky_relu", {"negative_slope": 0.3}).low == -np.inf
    assert response_of("celu", {"alpha": 2.0}).low == pytest.approx(2 * np.log(FLAT), abs=1e-8)


def test_ends_however_far_out_take_no_memory() -> None:
    tracemalloc.start()
    response = response_of("relu", {"max_value": 1e9, "threshold": -1e8})
    size = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (response.low, response.high, response.dies, response.constant) == (-1e8, 1e9, True, True)
    assert size < 100_000
    assert response.slope(np.array([-2e8, 0.0, 2e9])).tolist() == [0, 1, 0]


def test_rectifiers_are_as_keras_has_them() -> None:
    for options in (
        {"max_value": 2.0, "negative_slope": 0.3},
        {"threshold": 1.0, "negative_slope": 0.1},
        {"max_value": 1},
    ):
        expected = differentiate(keras.layers.ReLU(**options), X)
        response = response_of("relu", options)
        np.testing.assert_allclose(response.slope(X), expected, atol=1e-6)
        steep = X[np.abs(expected) >= FLAT]
        assert response.low <= steep.min() <= steep.max() <= response.high
        outside = expected[(response.low >= X) | (response.high <= X)]
        assert response.constant == (np.unique(expected).tolist() == [0, 1] and not outside.any())


def test_what_squashes_and_what_dies() -> None:
    squashing = {name for name in NAMES if response_of(name).squashes}
    assert squashing == {"sigmoid", "tanh", "hard_sigmoid", "hard_tanh", "sparse_sigmoid", "softsign"}
    dying = {name for name in NAMES if response_of(name).dies}
    assert dying == {"relu", "relu6", "softplus", "elu", "celu", "selu", "gelu", "silu", "hard_silu", "mish"}
    assert {name for name in NAMES if response_of(name).constant} >= {"relu", "relu6", "hard_sigmoid", "hard_tanh"}


def test_what_is_not_known_has_no_response() -> None:
    assert response_of("softmax") is None
    assert response_of("my_activation") is None
