"""Gradients against finite differences and against Keras's own losses; frozen layers have theirs, and nothing moves."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from transfer.models.gradients import norms, stream_gradients
from transfer.models.variables import kernels_by_layer

L = keras.layers
RANDOM = np.random.default_rng(0)
POINTS = RANDOM.normal(size=(12, 4)).astype(np.float32)
LABELS = np.arange(12) % 3


def network(units: int = 3) -> keras.Model:
    keras.utils.set_random_seed(2)
    inputs = keras.Input((4,))
    x = L.Dense(5, "tanh", name="a", trainable=False)(inputs)
    x = L.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, L.Dense(units, name="b")(L.Dropout(0.5)(x)))


def mean_loss(model: keras.Model, labels: np.ndarray, kind: str) -> float:
    logits = model(POINTS, training=False)
    if kind == "softmax":
        return float(keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits))
    k = logits.shape[-1]
    truth = labels[:, None].astype(np.float32) if k == 1 else np.eye(k, dtype=np.float32)[labels]
    return k * float(keras.losses.BinaryCrossentropy(from_logits=True)(truth, logits))


@pytest.mark.parametrize(("units", "kind"), [(3, "softmax"), (3, "sigmoid"), (1, "sigmoid")])
def test_gradients_are_the_slopes_of_the_loss(units: int, kind: str) -> None:
    model, labels = network(units), LABELS % max(2, units)
    (found,) = stream_gradients(model, kind, kernels_by_layer(model), [(POINTS, labels)])
    assert found.loss == pytest.approx(mean_loss(model, labels, kind), rel=1e-5)
    assert set(found.layers) == {"a", "b"}
    for name, place in (("a", 7), ("b", 2)):
        variable = model.get_layer(name).kernel
        value = variable.numpy()
        sides = []
        for step in (1e-2, -1e-2):
            moved = value.copy()
            moved.flat[place] += step
            variable.assign(moved)
            sides.append(mean_loss(model, labels, kind))
        variable.assign(value)
        assert found.layers[name][0].flat[place] == pytest.approx((sides[0] - sides[1]) / 2e-2, rel=2e-2, abs=1e-4)


def test_the_error_is_the_norm_of_the_loss_by_the_logits() -> None:
    model = network()
    (found,) = stream_gradients(model, "softmax", kernels_by_layer(model), [(POINTS, LABELS)])
    p = tf.nn.softmax(model(POINTS)).numpy()
    assert found.error == pytest.approx(np.linalg.norm(p - np.eye(3)[LABELS], axis=1).mean(), rel=1e-5)


def test_nothing_of_the_model_changes_and_batches_come_one_by_one() -> None:
    model = network()
    before = [each.tobytes() for each in model.get_weights()]
    batches = [(POINTS[:5], LABELS[:5]), (POINTS[5:], LABELS[5:])]
    found = list(stream_gradients(model, "softmax", kernels_by_layer(model), batches))
    assert len(found) == 2
    assert [each.tobytes() for each in model.get_weights()] == before


def test_weights_are_kernels_and_layers_off_the_way_have_no_gradient() -> None:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6,), dtype="int32")
    x = L.GlobalAveragePooling1D()(L.Embedding(9, 4, name="words")(inputs))
    logits = L.Dense(3, name="out")(x)
    model = keras.Model(inputs, [logits, L.Dense(2, name="aside")(x)])
    weights = kernels_by_layer(model)
    assert {name: [tuple(each.shape) for each in found] for name, found in weights.items()} == {
        "words": [(9, 4)],
        "out": [(4, 3)],
        "aside": [(4, 2)],
    }
    tokens = RANDOM.integers(0, 9, (12, 6)).astype(np.float32)
    (found,) = stream_gradients(keras.Model(inputs, logits), "softmax", weights, [(tokens, LABELS)])
    assert set(found.layers) == {"words", "out"}
    assert [each.shape for each in found.layers["words"]] == [(9, 4)]
    expected = {name: np.linalg.norm(np.concatenate([np.ravel(w) for w in each])) for name, each in weights.items()}
    assert norms(weights) == pytest.approx(expected, rel=1e-5)
