"""The same training in two processes that run side by side ends with the same bits, without any switch."""

import subprocess
import sys

import pytest
import tensorflow as tf

from transfer.training.devices import make_repeatable

CHILD = """
import hashlib, sys
import keras
import numpy as np
from transfer.recipes import Stage
from transfer.training.fitting import fit

keras.utils.set_random_seed(1)
layers, random = keras.layers, np.random.default_rng(0)
if sys.argv[1] == "recurrent":
    inputs = keras.Input((20,))
    x = layers.Embedding(50, 32)(inputs)  # each token is met many times in a batch
    x = layers.LSTM(32, return_sequences=True, dropout=0.2)(x)
    x = layers.MultiHeadAttention(2, 8)(x, x)
    x = layers.Bidirectional(layers.GRU(8))(x)
    features = random.integers(0, 50, (128, 20)).astype(np.float32)
else:
    x = inputs = keras.Input((24, 24, 8))
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.BatchNormalization()(x)
    x = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
    x = layers.Conv2DTranspose(16, 3)(layers.UpSampling2D(2, interpolation="bilinear")(x))
    x = layers.SpatialDropout2D(0.2)(layers.MaxPooling2D(2)(x))
    x = layers.GlobalAveragePooling2D()(x)
    features = random.normal(size=(128, 24, 24, 8)).astype(np.float32)
model = keras.Model(inputs, layers.Dense(5, name="label")(x))
stage = Stage("tune", unfreeze=("*",), batch_norm="train", epochs=4, rate=0.01)
found = fit(model, features, np.arange(128) % 5, stage, seed=7)
print(hashlib.sha256(b"".join(each.tobytes() for each in model.get_weights())).hexdigest(), found.history[-1].loss)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["recurrent", "convolutional"])
def test_two_processes_end_with_the_same_bits(kind):
    command = [sys.executable, "-c", CHILD, kind]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in range(2)
    ]
    (first, _), (second, _) = (each.communicate() for each in children)
    assert len(first) > 64
    assert first == second


def test_gpus_are_made_to_repeat_and_processors_left_as_they_are(monkeypatch):
    asked = []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: asked.append("same bits"))
    monkeypatch.setattr(tf.config.experimental, "enable_tensor_float_32_execution", asked.append)
    make_repeatable()
    assert asked == []
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [kind] if kind == "GPU" else [])
    make_repeatable()
    assert asked == ["same bits", False]
