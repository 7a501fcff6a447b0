"""Natural pictures, clip-art, and ways to prepare them for the shipped network: the right one and six wrong ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import transfer
from transfer.specs import Preprocessing

CLIPART = Path(__file__).parents[2] / "examples" / "data" / "clipart"
SIDES = (427, 300, 224, 160)  # pixels of a crop; the whole height first


def crops(picture: int, seed: int = 0) -> np.ndarray:
    """(16, 160, 160, 3): one of scikit-learn's two photographs (0 a temple, 1 a flower) in crops of several scales."""
    random = np.random.default_rng([seed, picture])
    image = load_sample_images().images[picture]
    found = []
    for side in SIDES:
        for _ in range(1 if side == SIDES[0] else 5):
            top, left = (random.integers(0, size - side + 1) for size in image.shape[:2])
            cropped = Image.fromarray(image[top : top + side, left : left + side])
            found.append(np.asarray(cropped.resize((160, 160), Image.Resampling.BILINEAR)))
    return np.stack(found)


def clipart(count: int) -> transfer.LabelledSet:
    """Some of the clip-art pictures, of all classes alike."""
    data = transfer.read_labelled(CLIPART)
    return data.subset(np.linspace(0, len(data) - 1, count).astype(int))


def wrong_ways(right: Preprocessing) -> dict[str, Preprocessing]:
    """Six slips that people make."""
    plain = replace(right, mean=(0.0,), std=(1.0,))
    return {
        "0 to 255": replace(plain, scale=1.0),
        "0 to 1": plain,
        "-1 to 1": replace(plain, scale=1 / 127.5, mean=(1.0,)),
        "BGR": replace(right, color="bgr"),
        "no mean": replace(right, mean=(0.0,)),
        "16 bits": replace(right, scale=257 / 255),
    }
