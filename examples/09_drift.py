"""Does a checkpoint fit these pictures? Asked of its batch norms, without any picture that it was trained on.

    python examples/09_drift.py

Prints the score of the shipped MobileNetV2 for 32 crops of scikit-learn's two photographs and for 64 clip-art pictures,
prepared rightly and in six wrong ways. The right way has the lowest score each time, and clip-art lies further away:
    preprocessing   photographs   clip-art
    right                 0.062      0.201
    BGR                   0.067      0.211
    -1 to 1               0.212      0.308
    no mean               0.298      0.692
    0 to 1                1.096      1.293
    0 to 255              579.9       1139
    16 bits               11140      22040
Then what follows for clip-art. Takes 80 s on two cores.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import transfer


def crop(image, side, random):
    top, left = (random.integers(0, size - side + 1) for size in image.shape[:2])
    return np.asarray(Image.fromarray(image[top : top + side, left : left + side]).resize((160, 160)))


def main():
    restored = transfer.restore("mobilenet_v2_imagenet")
    random = np.random.default_rng(0)
    sides = (427, *(300, 224, 160) * 5)
    photographs = np.stack([crop(image, side, random) for image in load_sample_images().images for side in sides])
    right = restored.card.preprocessing
    plain = replace(right, mean=(0.0,), std=(1.0,))
    ways = {
        "right": right,
        "BGR": replace(right, color="bgr"),
        "-1 to 1": replace(plain, scale=1 / 127.5, mean=(1.0,)),
        "no mean": replace(right, mean=(0.0,)),
        "0 to 1": plain,
        "0 to 255": replace(plain, scale=1.0),
        "16 bits": replace(right, scale=257 / 255),
    }
    sets = (photographs, transfer.read_labelled(Path(__file__).parent / "data" / "clipart"))
    print("preprocessing   photographs   clip-art")
    for name, way in ways.items():
        drifts = [transfer.measure_drift(restored, data, preprocessing=way, most=64) for data in sets]
        print(f"{name:13}  {drifts[0].score:12.3f}  {drifts[1].score:9.3f}")
    print(transfer.measure_drift(restored, sets[1], most=64).conclusion)


if __name__ == "__main__":
    main()
