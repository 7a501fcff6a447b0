"""Coordinates in which a linear head is quick to solve: standardised features, rotated to their principal axes.

With features x (n, d), their mean m and their standard deviation s, the coordinates of an example are

    c = (x - m) / s @ V        V (d, r), orthonormal columns: the right singular vectors of (x - m) / s

Where d > n they are at most n and lose nothing: the optimum of a loss with a penalty on the length of the weights lies
in the span of the examples. A rotation leaves that length as it is, so the optimum A in coordinates is the optimum V A
on standardised features. And the loss curves along coordinate j about as the sum of squares of c_j does, so that one
knows beforehand how long a step along it should be.

Source: Hastie & Tibshirani (2004), "Efficient quadratic regularization for expression arrays", section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

HELD = 2**23  # numbers; past it coordinates are not kept but worked out from the features, block by block
BLOCK = 2**18  # numbers in double precision, so that a block stays in the processor's cache
_CONSTANT = 1e-12

Some: TypeAlias = slice | NDArray[np.int64]
Respond = Callable[[Some, NDArray[np.float64]], NDArray[np.float64]]


class Swept(Protocol):
    """What is asked of coordinates (n, r), wherever their rows are: see `Coordinates`."""

    @property
    def sizes(self) -> NDArray[np.float64]: ...

    def __len__(self) -> int: ...

    def sweep(
        self, weights: NDArray[np.float64], bias: NDArray[np.float64], respond: Respond
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...

    def on_features(
        self, weights: NDArray[np.float64], bias: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """Examples in coordinates.

    Attributes:
        rows: (n, r) coordinates; or the features themselves, (n, d), where coordinates would take too much memory.
        are_features: whether `rows` are features.
        mean: (d,) of the features.
        onto: (d, r), from weights on coordinates to weights on features: V / s, rows of zeros for constant features.
        sizes: (r,), the sum of squares along each coordinate over all examples.
    """

    rows: NDArray[np.floating[Any]]
    are_features: bool
    mean: NDArray[np.float64]
    onto: NDArray[np.float64]
    sizes: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    def sweep(
        self, weights: NDArray[np.float64], bias: NDArray[np.float64], respond: Respond
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """One pass over all examples: slopes of a loss along weights and bias.

        Args:
            weights: (r, m) on coordinates.
            bias: (m,).
            respond: from some examples and their logits (b, m) to the slopes of their losses along these, (b, m).

        Returns:
            (r, m) and (m,).
        """
        inner = self.onto @ weights if self.are_features else weights
        slopes, sums = np.zeros_like(inner), np.zeros_like(bias)
        for block in row_blocks(len(self), max(self.rows.shape[1], inner.shape[1]), BLOCK):
            rows = np.asarray(self.rows[block] - self.mean if self.are_features else self.rows[block], np.float64)
            found = respond(block, rows @ inner + bias)
            slopes += rows.T @ found
            sums += found.sum(0)
        return (self.onto.T @ slopes if self.are_features else slopes), sums

    def on_features(
        self, weights: NDArray[np.float64], bias: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weights (r, m) and bias (m,) on coordinates as a Dense on features holds them, (d, m) and (m,)."""
        return on_features(self.onto, self.mean, weights, bias)


def on_features(
    onto: NDArray[np.float64], mean: NDArray[np.float64], weights: NDArray[np.float64], bias: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (r, m) and bias (m,) on features; the bias makes good what rounding does to the features' mean."""
    kernel = (onto @ weights).astype(np.float32)
    return kernel, (bias - mean @ kernel.astype(np.float64)).astype(np.float32)


def find_coordinates(features: NDArray[np.floating[Any]]) -> Coordinates:
    """Standardise and rotate features (n, d), all finite; past `HELD` numbers without a copy of them where n >= d."""
    mean, spread = _moments(features)
    scale = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    n, d = features.shape
    if d > n:
        rows, sizes, rotation = _reduce((features - mean) * scale)
        return Coordinates(rows, False, mean, scale[:, None] * rotation, sizes)
    gram = np.zeros((d, d), np.float64)
    precise = np.dtype(np.float64 if features.size <= HELD else np.float32)  # past it these only set units of steps
    for block in row_blocks(n, d, 8 * BLOCK):
        z: NDArray[np.floating[Any]] = ((features[block] - mean) * scale).astype(precise, copy=False)
        gram += z.T @ z
    sizes, onto = _diagonalise(gram)
    onto *= scale[:, None]
    if features.size > HELD:
        return Coordinates(features, True, mean, onto, sizes)
    return Coordinates((features - mean) @ onto, False, mean, onto, sizes)


def _diagonalise(gram: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues (d,) and eigenvectors in columns (d, d) of a symmetric matrix, which is overwritten.

    This driver needs no memory beside the two; numpy's takes three times as much.
    """
    from scipy.linalg import eigh  # slow to import

    sizes, vectors = eigh(gram.T, driver="evr", overwrite_a=True, check_finite=False)
    return np.maximum(sizes, 0), vectors


def row_blocks(n: int, width: int, numbers: int) -> Iterator[slice]:
    """Slices of n rows, each of about so many numbers where a row has `width`, and of at least one row."""
    step = max(1, numbers // max(1, width))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def _moments(features: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each feature in double precision, (d,); 0 for one that does not change."""
    n, d = features.shape
    mean, square = np.zeros(d), np.zeros(d)
    for block in row_blocks(n, d, BLOCK):
        mean += features[block].sum(0, dtype=np.float64) / n
    for block in row_blocks(n, d, BLOCK):
        square += ((features[block] - mean) ** 2).sum(0) / n
    spread = np.sqrt(square)
    return mean, np.where(spread < _CONSTANT * np.maximum(1, np.abs(mean)), 0, spread)


def _reduce(
    z: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(n, d), d > n, to (n, r) by an exact rotation (d, r), r <= n; and the (r,) sums of squares."""
    left, sizes, right = np.linalg.svd(z, full_matrices=False)
    kept = sizes > sizes[0] * len(sizes) * np.finfo(np.float64).eps if sizes[0] > 0 else np.arange(len(sizes)) < 1
    return left[:, kept] * sizes[kept], sizes[kept] ** 2, right[kept].T
