"""What scores of features need of them: how long they are along each direction, and how targets lie in these.

With the singular value decomposition F = U S V^T of features (n, d), of rank r,

    squares = diag(S)² (r,)        along = U^T Y (r, k)

for targets Y (n, k). They come from the eigenvectors of the smaller of F F^T and F^T F, three times as fast as the
decomposition itself. Directions are lost thereby that are shorter than about 1e-7 of the longest, which is as far as
numbers of 32 bits reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.resampling import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Features and targets in the directions of the features.

    Attributes:
        squares: (r,), of the singular values, rising, each above 0; r = 0 where all features are 0.
        along: (r, k), the targets on the left singular vectors.
    """

    squares: Floats
    along: Floats


def find_spectrum(features: Floats, targets: Floats) -> Spectrum:
    """Take features apart.

    Args:
        features: (n, d), finite.
        targets: (n, k).
    """
    wide = features.shape[0] <= features.shape[1]
    squares, vectors = np.linalg.eigh(features @ features.T if wide else features.T @ features)
    kept = squares > max(0.0, max(features.shape) * np.finfo(np.float64).eps * squares[-1])
    squares, vectors = squares[kept], vectors[:, kept]
    if wide:
        return Spectrum(squares, vectors.T @ targets)
    return Spectrum(squares, vectors.T @ (features.T @ targets) / np.sqrt(squares)[:, None])


def one_hot(labels: NDArray[np.integer[Any]]) -> Floats:
    """(n, k), 1 at the class of each example; of the k classes that appear, in their order."""
    _, places = np.unique(labels, return_inverse=True)
    return np.eye(int(places.max()) + 1)[places]


def as_rows(features: NDArray[Any], targets: NDArray[Any]) -> Floats:
    """Features (n, d) as numbers of 64 bits.

    Raises:
        ValueError: unless there are n > 0 of both, d > 0, and all features are finite.
    """
    if features.ndim != 2 or not features.size or len(features) != len(targets):
        raise ValueError(f"features of shape {features.shape} for targets of shape {targets.shape}")
    rows = np.asarray(features, np.float64)
    if not np.isfinite(rows).all():
        raise ValueError("some features are not finite")
    return rows
