"""LogME: how well a linear model of features explains targets, without choosing any of its weights.

Of features F (n, d) and one target y (n,) the model is y = F w + noise, with weights w ~ N(0, I / a) and noise of
variance 1 / b. Its evidence, the probability of y with all weights averaged over, is that of

    y ~ N(0, I / b + F F^T / a)

taken where a and b make it most. That counts what a fit costs, so that features do not score by being many. With
t = a / b, singular values s and z = U^T y (see `spectra`), b is best at n / q, and per example the log evidence is

    L(t) = -(log(2 pi q / n) + 1) / 2 - sum_i log(1 + s_i² / t) / 2n        q = sum_i t z_i² / (t + s_i²) + |y|² - |z|²

Where L is most, t is a fixed point of

    f(t) = g / (n - g) · |y - F m|² / |m|²        g = sum_i s_i² / (t + s_i²), m the mean of w given y

L rises where f(t) > t, so that halving an interval finds the point, also where iterating f is slow; a grid finds the
interval. At either end of the grid the features say nothing of y, or all.

The score is not changed by the unit of the features nor by turning them. It has no constant term, as in the papers.

Source: You, Liu, Wang & Long (2021), "LogME: practical assessment of pre-trained models for transfer learning", ICML,
section 4; You, Liu, Zhang, Wang, Jordan & Long (2022), "Ranking and tuning pre-trained models", JMLR 23, for f.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.resampling import Floats
from transfer.evidence.spectra import Spectrum, as_rows, find_spectrum, one_hot

_BEYOND = 1e8  # how far the grid goes past all features
_STEP = 4.0  # factor between its points
_HALVINGS = 40
_LEAST_NOISE = 1e-12  # of |y|²; the evidence of an exact fit has no bound


def evidence_of_classes(features: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> float:
    """LogME of classes: the mean over classes, each a target of 0 and 1, of the log evidence in nats an example.

    Args:
        features: (n, d).
        labels: (n,); classes that do not appear do not count.

    Raises:
        ValueError: if there are none, their numbers differ, or a feature is not finite.
    """
    rows = as_rows(features, labels)
    return _mean_evidence(rows, one_hot(labels))


def evidence_of_numbers(features: NDArray[np.floating[Any]], targets: NDArray[np.floating[Any]]) -> float:
    """LogME of numbers, or of yes and no as 1 and 0: the mean over columns of the log evidence in nats an example.

    Args:
        features: (n, d).
        targets: (n, k), finite. As there is no constant term, numbers are best standardised. A column that is 0
            throughout tells nothing and does not count.

    Raises:
        ValueError: if there are none, their numbers differ, a number is not finite, or all targets are 0.
    """
    rows, wanted = as_rows(features, targets), np.asarray(targets, np.float64)
    if wanted.ndim != 2 or not np.isfinite(wanted).all():
        raise ValueError(f"targets of shape {wanted.shape} that are not all finite columns")
    wanted = wanted[:, wanted.any(0)]
    if not wanted.size:
        raise ValueError("all targets are 0")
    return _mean_evidence(rows, wanted)


def _mean_evidence(rows: Floats, wanted: Floats) -> float:
    spectrum = find_spectrum(rows, wanted)
    length, count = (wanted**2).sum(0), len(rows)
    if not len(spectrum.squares):
        return float(-(np.log(2 * np.pi * length / count) + 1).mean() / 2)
    missed = length - (spectrum.along**2).sum(0)
    full = len(spectrum.squares) == count
    rest = np.zeros_like(length) if full else np.maximum(missed, _LEAST_NOISE * length)
    grid = _grid(spectrum.squares, count)
    heights = np.stack([_evidence(np.full(len(rest), ratio), spectrum, rest, count) for ratio in grid])
    best = heights.argmax(0)
    low, high = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, len(grid) - 1)]
    for _ in range(_HALVINGS):
        middle = np.sqrt(low * high)
        rises = _rises(middle, spectrum, rest, count)
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    return float(np.maximum(_evidence(np.sqrt(low * high), spectrum, rest, count), heights.max(0)).mean())


def _grid(squares: Floats, count: int) -> Floats:
    low, high = np.log(squares.min() / _BEYOND), np.log(squares.max() * count * _BEYOND)
    return np.exp(np.linspace(low, high, int((high - low) / np.log(_STEP)) + 2))


def _evidence(ratio: Floats, spectrum: Spectrum, rest: Floats, count: int) -> Floats:
    """L(t) of each target, (k,)."""
    squares = spectrum.squares[:, None]
    missed = (spectrum.along**2 * (ratio / (ratio + squares))).sum(0) + rest
    cost = np.log1p(squares / ratio).sum(0)
    return np.asarray(-(np.log(2 * np.pi * missed / count) + 1 + cost / count) / 2, np.float64)


def _rises(ratio: Floats, spectrum: Spectrum, rest: Floats, count: int) -> NDArray[np.bool_]:
    """Whether f(t) > t, of each target, (k,): g q > n t |m|², which is the same without a difference."""
    squares = spectrum.squares[:, None]
    share = squares / (ratio + squares)
    missed = (spectrum.along**2 * (ratio / (ratio + squares))).sum(0) + rest
    weights = (spectrum.along**2 * share / (ratio + squares)).sum(0)
    return np.asarray(share.sum(0) * missed > count * ratio * weights)
