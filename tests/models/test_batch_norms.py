"""The batch norms of a model, with what they keep and where their data comes in."""

import keras
import numpy as np
import pytest

from transfer.models.batch_norms import batch_norms
from transfer.models.observing import observe


@pytest.fixture(scope="module")
def model() -> keras.Model:
    inputs = keras.Input((6, 6, 3), name="pixels")
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    shared = keras.layers.BatchNormalization(name="shared", epsilon=0.01)
    x = keras.layers.ReLU(name="relu")(shared(x))
    x = keras.layers.Conv2D(4, 3, name="conv_2")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(shared(x))
    x = keras.layers.Dense(5, name="dense")(x)
    model = keras.Model(inputs, keras.layers.BatchNormalization(name="flat")(x))
    random = np.random.default_rng(0)
    shared.set_weights([random.uniform(0.5, 2, 4) for _ in range(4)])
    return model


def test_each_call_is_listed_with_what_its_layer_keeps(model):
    first, second, flat = batch_norms(model)
    assert [each.name for each in (first, second, flat)] == ["shared (call 1)", "shared (call 2)", "flat"]
    _, _, mean, variance = model.get_layer("shared").get_weights()
    for each in (first, second):
        np.testing.assert_array_equal(each.mean, mean)
        np.testing.assert_array_equal(each.variance, variance)
    assert [each.epsilon for each in (first, flat)] == [0.01, 0.001]
    assert [each.is_untrained for each in (first, second, flat)] == [False, False, True]


def test_positions_and_the_place_of_a_cut_are_told(model):
    norms = batch_norms(model)
    assert [each.positions for each in norms] == [16, 4, 1]
    assert [each.cut for each in norms] == ["", "relu", "pool"]


def test_statistics_are_those_of_what_goes_into_the_layer(model):
    images = np.random.default_rng(1).normal(size=(3, 6, 6, 3)).astype(np.float32)
    first, second, flat = batch_norms(model)
    tensors = {
        f"{part}{place}": each
        for place, norm in enumerate((first, second, flat))
        for part, each in zip("mv", norm.statistics(), strict=True)
    }
    tensors |= {"conv": model.get_layer("conv").output, "dense": model.get_layer("dense").output}
    (found,) = observe(model, tensors, [images], batch_size=3)
    np.testing.assert_allclose(found["m0"], found["conv"].mean((1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["v0"], found["conv"].var((1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found["m2"], found["dense"])
    assert not found["v2"].any()


def test_channels_that_come_first_are_kept_apart_from_positions():
    inputs = keras.Input((3, 8, 5))
    model = keras.Model(inputs, keras.layers.BatchNormalization(axis=1)(inputs))
    (norm,) = batch_norms(model)
    assert (norm.axis, norm.others, norm.positions) == (1, (2, 3), 40)


def test_where_the_size_of_images_is_open_the_positions_are_not_known():
    inputs = keras.Input((None, None, 3))
    (norm,) = batch_norms(keras.Model(inputs, keras.layers.BatchNormalization()(inputs)))
    assert norm.positions is None
    assert norm.cut == ""


@pytest.mark.parametrize(
    ("names", "expected"), [("abbc", ""), ("abb", ""), ("ab", "a"), ("aab", ""), ("abc", "b"), ("a", "")]
)
def test_a_cut_is_named_where_the_layer_there_is_called_once_and_is_no_input(names, expected):
    layers = {name: keras.layers.Dense(6, name=name) for name in names}
    inputs = x = keras.Input((6,))
    for name in names:
        x = layers[name](x)
    (norm,) = batch_norms(keras.Model(inputs, keras.layers.BatchNormalization()(x)))
    assert norm.cut == expected
