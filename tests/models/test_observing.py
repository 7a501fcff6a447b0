"""What is watched inside a network is what its layers really give."""

import keras
import numpy as np
import pytest

from transfer.models.observing import observe


@keras.saving.register_keras_serializable("tests")
class Counted(keras.layers.Layer):
    """Passes its input on and counts how often it is traced."""

    def __init__(self, **options):
        super().__init__(**options)
        self.traces = 0

    def call(self, inputs):
        self.traces += 1
        return inputs


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 5, 3), name="pixels")
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(Counted(name="counted")(x))
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="dense")(x))
    random = np.random.default_rng(0)
    model.get_layer("norm").set_weights([random.uniform(0.5, 2, 4) for _ in range(4)])
    return model


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(7, 6, 5, 3)).astype(np.float32)


def batches(images: np.ndarray, size: int) -> list[np.ndarray]:
    return [images[at : at + size] for at in range(0, len(images), size)]


def test_watched_tensors_have_the_values_that_loops_over_the_layers_give(model, images):
    tensors = {"before norm": model.get_layer("norm").input, "features": model.get_layer("pool").output}
    found = list(observe(model, tensors, batches(images, 3), batch_size=3))
    assert [len(each["features"]) for each in found] == [3, 3, 1]
    kernel, bias = model.get_layer("conv").get_weights()
    expected = np.zeros((7, 4, 3, 4))
    for row in range(4):
        for column in range(3):
            patch = images[:, row : row + 3, column : column + 3]
            expected[:, row, column] = np.einsum("nhwc,hwcd->nd", patch, kernel) + bias
    before = np.concatenate([each["before norm"] for each in found])
    np.testing.assert_allclose(before, expected, rtol=1e-4, atol=1e-5)
    gamma, beta, mean, variance = model.get_layer("norm").get_weights()
    normed = (expected - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    features = np.concatenate([each["features"] for each in found])
    np.testing.assert_allclose(features, normed.mean((1, 2)), rtol=1e-4, atol=1e-5)


def test_what_is_made_of_a_tensor_can_be_watched_too(model, images):
    before = model.get_layer("norm").input
    tensors = {"all": before, "mean": keras.ops.mean(before, axis=(1, 2)), "var": keras.ops.var(before, axis=(1, 2))}
    for found in observe(model, tensors, batches(images, 4), batch_size=4):
        np.testing.assert_allclose(found["mean"], found["all"].mean((1, 2)), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found["var"], found["all"].var((1, 2)), rtol=1e-5, atol=1e-6)


def test_the_input_itself_can_be_watched(model, images):
    found = list(observe(model, {"pixels": model.inputs[0]}, batches(images, 4), batch_size=4))
    np.testing.assert_array_equal(np.concatenate([each["pixels"] for each in found]), images)


def test_nothing_is_dropped_out_nothing_changes_and_all_is_traced_once(model, images):
    counter = model.get_layer("counted")
    before = [np.array(each) for each in model.get_weights()]
    tensors = {"out": model.outputs[0]}
    watching = observe(model, tensors, [images[:3], images[3:6].astype(np.float64), images[6:]], batch_size=3)
    first = next(watching)
    counter.traces = 0
    rest = list(watching)
    assert counter.traces == 0
    expected = model.predict(images, verbose=0)
    found = np.concatenate([first["out"], *(each["out"] for each in rest)])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


def test_batches_are_asked_for_one_at_a_time(model, images):
    given = []

    def counted():
        for batch in batches(images, 2):
            given.append(len(batch))
            yield batch

    watching = observe(model, {"out": model.outputs[0]}, counted(), batch_size=2)
    next(watching)
    assert given == [2]


@pytest.mark.parametrize("count", [0, 5])
def test_a_batch_of_another_size_is_refused(model, images, count):
    with pytest.raises(ValueError, match="1 to 4 examples"):
        next(observe(model, {"out": model.outputs[0]}, [images[:count]], batch_size=4))
