"""Does pretraining on examples without labels pay? Asked of Fashion-MNIST, beside the same network without it.

    apt-get install dataset-fashion-mnist && python examples/18_pretrain_unlabelled.py [METHOD ...]

Each method sees the 60,000 images for ten epochs; then 1, 5, 10 and 50 labels a class are drawn from the 10,000 test
images, five times anew. Prints, for a probe and for the network trained on from there, mean accuracies (within 0.02 on
other machines), and how far the probe is from scratch at 10 labels, with a 95 % interval:
    labels a class   5             10            probe - scratch
    masked           0.667, 0.667  0.721, 0.725  +0.054 [+0.007, +0.102]
    contrastive      0.691, 0.698  0.735, 0.743  +0.069 [+0.019, +0.120]
    denoising        0.651, 0.647  0.707, 0.705  +0.041 [+0.004, +0.078]
    autoencoder      0.657, 0.656  0.719, 0.724  +0.053 [+0.008, +0.097]
    variational      0.652, 0.657  0.713, 0.720  +0.047 [+0.002, +0.092]
    rotation         0.555, 0.621  0.631, 0.691  -0.035 [-0.073, +0.002]
    gan              0.560, 0.622  0.610, 0.669  -0.056 [-0.095, -0.017]
    scratch          0.595         0.666 (random features 0.575, 0.648; the shipped MobileNetV2 0.671, 0.740)
Five methods beat scratch at 10 labels, rotation and gan do not. Takes 70 minutes on two busy cores: 4 to 11 a
method, and 25 for the proof.
"""

import sys
import tempfile
from pathlib import Path

import keras

import transfer

FOLDER = Path("/usr/share/datasets/fashion-mnist")
METHODS = ("masked", "contrastive", "denoising", "autoencoder", "variational", "rotation", "gan")


def build_encoder():
    x = inputs = keras.Input((28, 28, 1), name="image")
    for place, filters in enumerate((32, 64, 128), 1):
        x = keras.layers.Conv2D(filters, 3, 2, padding="same", use_bias=False, name=f"conv_{place}")(x)
        x = keras.layers.BatchNormalization(name=f"norm_{place}")(x)
        x = keras.layers.Activation("relu", name=f"relu_{place}")(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = keras.layers.Dense(128, use_bias=False, name="dense")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, keras.layers.Activation("relu", name="features")(x), name="encoder")


def main(unlabelled, labelled, methods=METHODS, pace=None, **how):
    encoders = {}
    for method in methods:
        found: transfer.Pretrained = transfer.pretrain(build_encoder, unlabelled, method=method, pace=pace)
        print(found)
        encoders[method] = found.model
    with tempfile.TemporaryDirectory() as cache:
        proof = transfer.prove(encoders, labelled, cache=cache, **how)
    print(proof)
    return proof


if __name__ == "__main__":
    images, tested = (FOLDER / f"{name}-images-idx3-ubyte.gz" for name in ("train", "t10k"))
    main(images, transfer.read_labelled(tested), sys.argv[1:] or METHODS)
