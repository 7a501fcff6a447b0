"""The recommended way: restore the weights into their original architecture, then extract the layers you need.

    python examples/02_extract.py pretrained_weights.h5

Needs the file that `01_pretrain.py` wrote. Prints the receipt (6 tensors) and the new network: dense_1 50,240 ·
dense_2 4,160 · dense_3 325 · total 54,725. Takes 8 s, most of it imports. The same from the shell, from the folder
examples/: transfer extract ../pretrained_weights.h5 --into 01_pretrain.py:create_functional_model --drop-last
--head dense_3:5 -o student.keras
"""

import sys

import keras
import numpy as np

import transfer


def create_functional_model():
    inputs = keras.Input(shape=(784,), name="digits")
    x = keras.layers.Dense(64, activation="relu", name="dense_1")(inputs)
    x = keras.layers.Dense(64, activation="relu", name="dense_2")(x)
    outputs = keras.layers.Dense(10, name="predictions")(x)
    return keras.Model(inputs=inputs, outputs=outputs, name="3_layer_mlp")


def main(path):
    checkpoint = transfer.open_checkpoint(path)
    restored = transfer.restore(checkpoint, create_functional_model)
    print(restored.receipt)
    student = transfer.extract(restored.model, drop_last=1, heads=[transfer.Head("dense_3", classes=5)])
    student.summary()
    assert np.array_equal(student.get_layer("dense_1").kernel, checkpoint["dense_1/kernel"])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "pretrained_weights.h5")
