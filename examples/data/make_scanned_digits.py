"""Make `scanned_digits.npz`: digits 0 to 4 as 43 people wrote them, from scikit-learn's copy of a UCI data set.

    python examples/data/make_scanned_digits.py

901 scans of 8 x 8 pixels are enlarged to 20 x 20 and framed to 28 x 28, as MNIST frames its digits: white on black.
Source: Alpaydin & Kaynak (1998), Optical Recognition of Handwritten Digits, UCI repository, CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits


def main() -> None:
    """Write next to this script."""
    scans, labels = load_digits(return_X_y=True)
    chosen = np.flatnonzero(labels < 5)
    x = np.stack([enlarge(scans[place].reshape(8, 8)) for place in chosen])
    np.savez_compressed(Path(__file__).with_name("scanned_digits.npz"), x=x, y=labels[chosen].astype(np.uint8))


def enlarge(scan: np.ndarray) -> np.ndarray:
    """(8, 8) values from 0 to 16 to (28, 28) values from 0 to 255."""
    image = Image.fromarray(np.rint(scan * (255 / 16)).astype(np.uint8)).resize((20, 20), Image.Resampling.BICUBIC)
    return np.pad(np.asarray(image), 4)


if __name__ == "__main__":
    main()
