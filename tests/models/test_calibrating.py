"""Batch normalization that saw no data takes the statistics that training would show it; other is left alone."""

import keras
import numpy as np

from transfer.models.calibrating import calibrate

L = keras.layers
POINTS = (np.random.default_rng(0).normal(size=(40, 3)) * 5 + 2).astype(np.float32)


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    x = L.Dropout(0.5)(L.BatchNormalization(name="first")(L.Dense(4, name="dense")(inputs)))
    return keras.Model(inputs, L.BatchNormalization(name="second", trainable=False, momentum=0.9)(L.ReLU()(x)))


def test_each_sees_what_the_one_before_made_of_the_batch() -> None:
    model = network()
    assert calibrate(model, lambda: POINTS) == ("first", "second")
    kernel, bias = model.get_layer("dense").get_weights()
    x = POINTS @ kernel + bias
    np.testing.assert_allclose(model.get_layer("first").moving_mean, x.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.get_layer("first").moving_variance, x.var(0), rtol=1e-4)
    y = np.maximum((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), 0)
    np.testing.assert_allclose(model.get_layer("second").moving_mean, y.mean(0), rtol=1e-3, atol=1e-5)
    options = [(each.momentum, each.trainable) for each in model.layers if isinstance(each, L.BatchNormalization)]
    assert options == [(0.99, True), (0.9, False)]
    assert model.layers[3].rate == 0.5


def test_nothing_is_drawn_so_the_same_batch_gives_the_same_statistics() -> None:
    images = np.random.default_rng(1).normal(size=(20, 8, 8, 3)).astype(np.float32)
    layers = [L.RandomFlip(), L.RandomRotation(0.3), L.GaussianNoise(1.0), L.Conv2D(4, 3), L.SpatialDropout2D(0.5)]
    layers += [L.BatchNormalization(name="images"), L.Reshape((36, 4)), L.LSTM(5, dropout=0.5, recurrent_dropout=0.5)]
    inputs = x = keras.Input((8, 8, 3))
    for layer in [*layers, L.BatchNormalization(name="last")]:
        x = layer(x)
    model = keras.Model(inputs, x)
    start = [each.numpy() for each in model.weights]
    found = []
    for _ in range(2):
        for variable, value in zip(model.weights, start, strict=True):
            variable.assign(value)
        calibrate(model, lambda: images)
        found.append(np.concatenate([np.ravel(each) for each in model.get_weights()]))
    assert (found[0] == found[1]).all()
    plain = keras.Model(model.inputs, model.get_layer("images").input)
    values = plain.predict(images, verbose=0)
    np.testing.assert_allclose(model.get_layer("images").moving_mean, values.mean((0, 1, 2)), rtol=1e-4, atol=1e-6)


def test_the_axis_and_the_mask_are_those_of_the_layer() -> None:
    inputs = keras.Input((6, 4))
    model = keras.Model(inputs, L.BatchNormalization(axis=1)(L.Rescaling(2.0)(inputs)))
    values = np.random.default_rng(2).normal(size=(30, 6, 4)).astype(np.float32)
    calibrate(model, lambda: values)
    np.testing.assert_allclose(model.layers[-1].moving_mean, 2 * values.mean((0, 2)), rtol=1e-4, atol=1e-6)
    inputs = keras.Input((6, 4))
    model = keras.Model(inputs, L.BatchNormalization()(L.Masking()(inputs)))
    values[:, 3:] = 0
    calibrate(model, lambda: values)
    np.testing.assert_allclose(model.layers[-1].moving_variance, values[:, :3].var((0, 1)), rtol=1e-4)


def test_one_that_saw_data_leaves_all_as_they_are_and_nothing_is_loaded() -> None:
    model = network()
    model.get_layer("second").moving_mean.assign(np.full(4, 0.5, np.float32))
    assert calibrate(model, lambda: 1 / 0) == ()
    assert not np.asarray(model.get_layer("first").moving_mean).any()
    inputs = keras.Input((3,))
    assert calibrate(keras.Model(inputs, L.Dense(2)(inputs)), lambda: 1 / 0) == ()
