"""Small encoders, and rows for them."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from transfer.training.pretraining.encoders import Encoder, Scale

LAYERS = keras.layers


class Rows:
    """An array that is read by places."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def read(self, places):
        return self.values[places]


def small_decoder(code, shape=(8, 8, 1)):
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((code,))
    x = LAYERS.Dense(64, activation="relu", name="wide")(x)
    x = LAYERS.Dense(int(np.prod(shape)), name="entries")(x)
    return keras.Model(inputs, LAYERS.Reshape(shape)(x), name="decoder")


@pytest.fixture(scope="session")
def scans():
    """400 scanned digits (8, 8, 1), 0 to 16."""
    return Rows(load_digits().images[:400, :, :, None].astype(np.float32))


@pytest.fixture
def make_encoder(scans):
    """A function that gives the same small network on images every time, with batch norm and dropout."""

    def make(rows=scans):
        keras.utils.set_random_seed(0)
        x = inputs = keras.Input(rows.values.shape[1:])
        if rows.values.ndim == 4:
            x = LAYERS.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
            x = LAYERS.BatchNormalization(name="norm")(x)
            x = LAYERS.Activation("relu")(x)
            x = LAYERS.Flatten()(x)
            x = LAYERS.Dropout(0.1)(x)
        x = LAYERS.Dense(24, activation="tanh", name="features")(x)
        model = keras.Model(inputs, x, name="small")
        is_image = rows.values.ndim == 4
        return Encoder(model, Scale.measure(rows, is_image=is_image, seed=0), is_image, 16.0 if is_image else 1.0)

    return make


@pytest.fixture
def make_decoder():
    return small_decoder
