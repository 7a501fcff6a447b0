"""Solving a linear head for numbers: ridge regression, its penalty chosen by leaving out one example at a time.

With standardised features z (n, d) and a number v it minimises

    sum_i (z_i w + b - v_i)^2 / 2  +  |w|^2 / (2 C)

C is chosen by the mean squared error of each example as the others predict it, which has a closed form.

Source: Golub, Heath & Wahba (1979), "Generalized cross-validation as a method for choosing a good ridge parameter",
Technometrics 21, section 2, for the exact errors of leaving out one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.data.targets import known
from transfer.training.coordinates import find_coordinates
from transfer.training.solving import SolvedHead, refuse_infinite

PENALTIES: tuple[float, ...] = tuple(float(c) for c in np.logspace(-6, 2, 17))


def solve_numbers(features: NDArray[np.floating[Any]], values: NDArray[np.float64]) -> SolvedHead:
    """Fit a head of k numbers, each with a C of its own.

    Args:
        features: (n, d).
        values: (n, k), NaN where a number is not known; each known once at least.

    Raises:
        DataError: if a feature is not finite.
    """
    refuse_infinite(features)
    there = known(values)
    kernel = np.zeros((features.shape[1], values.shape[1]), np.float32)
    bias, chosen = np.zeros(values.shape[1], np.float32), np.full(values.shape[1], np.median(PENALTIES))
    losses = np.zeros(len(PENALTIES))
    for pattern in np.unique(there, axis=1).T:
        columns = np.flatnonzero((there == pattern[:, None]).all(0))
        if not pattern.any():
            continue
        rows = np.flatnonzero(pattern)
        found = _ridge(features[rows], values[np.ix_(rows, columns)])
        kernel[:, columns], bias[columns], chosen[columns] = found[:3]
        losses += found[3]
    told = dict(zip(PENALTIES, (losses / max(1, int(there.any(0).sum()))).tolist(), strict=True))
    return SolvedHead(kernel, bias, float(np.median(chosen)), told, None, tuple(chosen.tolist()))


def _ridge(
    features: NDArray[np.floating[Any]], values: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
    """Kernel, bias and C of numbers that are known of all rows, and the sums of the errors at each C."""
    coordinates = find_coordinates(features)
    mean = values.mean(0)
    if coordinates.are_features:  # the rows take too much memory as coordinates: a few at a time would do as well
        rows = (np.asarray(features, np.float64) - coordinates.mean) @ coordinates.onto
    else:
        rows = np.asarray(coordinates.rows, np.float64)
    sizes = np.maximum(coordinates.sizes, np.finfo(np.float64).tiny)
    along, away = rows.T @ (values - mean), rows**2
    errors, weights = [], []
    for c in PENALTIES:
        shrunk = 1 / (sizes + 1 / c)
        weights.append(along * shrunk[:, None])
        leverage = away @ shrunk + 1 / len(rows)
        residual = (values - mean - rows @ weights[-1]) / np.maximum(1 - leverage, 1e-9)[:, None]
        errors.append((residual**2).mean(0))
    best = np.argmin(errors, axis=0)
    kept = np.stack([weights[place][:, column] for column, place in enumerate(best)], axis=1)
    kernel, bias = coordinates.on_features(kept, mean)
    return kernel, bias, np.asarray(PENALTIES)[best], np.sum(errors, axis=1)
