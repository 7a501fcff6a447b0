"""Train the canonical network on real digits and save it under a name that Keras 3 itself refuses.

    python examples/01_pretrain.py pretrained_weights.h5

Prints the accuracy on held-out digits: 0.97, between 0.94 and 0.99. Takes 10 s on two cores, most of it imports.
"""

import sys

import keras
import numpy as np
from sklearn.datasets import load_digits

import transfer


def create_functional_model():
    inputs = keras.Input(shape=(784,), name="digits")
    x = keras.layers.Dense(64, activation="relu", name="dense_1")(inputs)
    x = keras.layers.Dense(64, activation="relu", name="dense_2")(x)
    outputs = keras.layers.Dense(10, name="predictions")(x)
    return keras.Model(inputs=inputs, outputs=outputs, name="3_layer_mlp")


def main(path):
    scans, labels = load_digits(return_X_y=True)  # (1797, 64), values 0 to 16
    large = np.kron(scans.reshape(-1, 8, 8), np.ones((3, 3)))  # (1797, 24, 24)
    pixels = np.pad(large, ((0, 0), (2, 2), (2, 2))).reshape(-1, 784) / 16
    order = np.random.default_rng(7).permutation(len(labels))
    train, test = order[:1400], order[1400:]

    keras.utils.set_random_seed(7)
    model = create_functional_model()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    model.fit(pixels[train], labels[train], epochs=15, verbose=0)
    print(f"accuracy {model.evaluate(pixels[test], labels[test], verbose=0)[1]:.3f}")
    transfer.save_weights(model, path, force=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "pretrained_weights.h5")
