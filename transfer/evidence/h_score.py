"""The H-score: how far apart class means lie, measured in the spread of the features.

Of features with covariance C (d, d) and class means with covariance B (d, d), each class counting by its examples,

    H = tr(C^-1 B)        H_a = (1 - a) tr(((1 - a) C + a m I)^-1 B)        m = tr(C) / d

The second shrinks C, which few examples tell badly, towards the identity by Ledoit and Wolf's a. Between 0 and the
number of classes less 1; higher for a better start.

With centred features F = U S V^T, n examples and n_c of class c, B = V S D S V^T / n, so that no inverse is formed:

    D_ii = sum_c (sum_{j of c} U_ji)² / n_c
    H = sum_i D_ii        H_a = sum_i D_ii (1 - a) s_i² / ((1 - a) s_i² + a n m)

Source: Bao, Li, Huang, Zhang, Zheng, Zamir & Guibas (2019), "An information-theoretic approach to transferability in
task transfer learning", ICIP; Ibrahim, Ponomareva & Mazumder (2022), "Newer is not always better: rethinking
transferability metrics, their peculiarities, stability and performance", ECML PKDD; Ledoit & Wolf (2004), "A
well-conditioned estimator for large-dimensional covariance matrices", J. Multivariate Analysis 88, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.evidence.resampling import Floats
from transfer.evidence.spectra import as_rows, find_spectrum, one_hot


@dataclass(frozen=True, slots=True)
class HScores:
    """Both scores of some features.

    Attributes:
        plain: H, with directions in which the features do not vary left out; close to its upper end whatever the
            features are where these are as many as the examples.
        shrunk: H_a.
        shrinkage: a, from 0 to 1.
    """

    plain: float
    shrunk: float
    shrinkage: float


def h_scores(features: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> HScores:
    """Both H-scores; 0 where no feature varies.

    Args:
        features: (n, d).
        labels: (n,); classes that do not appear do not count.

    Raises:
        ValueError: if there are none, their numbers differ, or a feature is not finite.
    """
    rows, wanted = as_rows(features, labels), one_hot(labels)
    rows = np.where(np.ptp(rows, axis=0) > 0, rows - rows.mean(0), 0)  # constant is 0, not what rounding leaves
    spectrum = find_spectrum(rows, wanted)
    between = (spectrum.along**2 / wanted.sum(0)).sum(1)
    shrinkage = _shrinkage(rows, spectrum.squares)
    inner, outer = (1 - shrinkage) * spectrum.squares, shrinkage * spectrum.squares.sum() / rows.shape[1]
    shrunk = np.divide(inner, inner + outer, out=np.zeros_like(inner), where=inner > 0)
    return HScores(float(between.sum()), float(between @ shrunk), shrinkage)


def _shrinkage(rows: Floats, squares: Floats) -> float:
    """Ledoit and Wolf's a, of centred rows (n, d): the error of C over its distance from m I, both squared.

    error = (sum_j |x_j|⁴ / n - |C|²) / n        distance = |C|² - d m²
    """
    count, width = rows.shape
    spread = squares / count
    size = float((spread**2).sum())
    distance = size - float(spread.sum()) ** 2 / width
    error = (float(((rows**2).sum(1) ** 2).mean()) - size) / count
    return 0.0 if min(error, distance) <= 0 else min(1.0, error / distance)
